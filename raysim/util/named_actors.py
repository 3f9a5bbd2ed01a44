"""Which names living actors have. Never a handle: see `get_actor`."""

from typing import Any

from raysim.api.session import connected


def list_named_actors(all_namespaces: bool = False) -> list[Any]:
    """Names of living actors of the own namespace; of all of them, dicts with `name` and `namespace`.

    Raises RaySystemError when nothing was started. Ray: `ray.util.list_named_actors`.
    """
    found = connected().list_named_actors(all_namespaces)
    if all_namespaces:
        return [{"name": name, "namespace": namespace} for name, namespace in found]
    return [name for name, _ in found]

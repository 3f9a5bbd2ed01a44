"""Which backends of collective operations a process knows. Never makes a group.

Ray: `ray.util.collective.backend_registry`.
"""

from weakref import WeakKeyDictionary

from raysim.runtime.current import current
from raysim.util.collective import types
from raysim.util.collective.collective_group.base_collective_group import BaseGroup

_before: dict[str, type[BaseGroup]] = {}
"""What was registered before a process was connected; `gloo` is from the start."""

_registered: WeakKeyDictionary[object, dict[str, type[BaseGroup]]] = WeakKeyDictionary()
"""By process: simulated ones share this module."""


def _own() -> dict[str, type[BaseGroup]]:
    process = current()
    return _before if process is None else _registered.setdefault(process, {})


def register_collective_backend(name: str, group_cls: type[BaseGroup]) -> None:
    """From now on `backend=name` makes groups of this class, in this process.

    The driver and each actor of a group do it. Raises TypeError for what does not extend `BaseGroup`,
    ValueError where the name is taken.
    """
    given: object = group_cls
    if not isinstance(given, type) or not issubclass(given, BaseGroup):
        raise TypeError(f"{group_cls} is not a subclass of BaseGroup")
    upper, own = name.upper(), _own()
    if upper in own or upper == types.Backend.GLOO:
        raise ValueError(f"Backend {upper} already registered")
    own[upper] = group_cls
    if not hasattr(types.Backend, upper):
        setattr(types.Backend, upper, upper)


def registered(name: str) -> type[BaseGroup]:
    """Raises ValueError for a name that is not registered here."""
    upper = name.upper()
    found = _own().get(upper) or _before.get(upper)
    if found is None:
        raise ValueError(
            f"Backend {upper} not registered. Call register_collective_backend({upper!r}, ...) in this "
            "process first."
        )
    return found


def is_available(name: str) -> bool:
    """Registered here, and fit for use."""
    try:
        return registered(name).check_backend_availability()
    except ValueError:
        return False


def add_at_start(name: str, group_cls: type[BaseGroup]) -> None:
    """A backend of our own, which every process has."""
    _before[name] = group_cls

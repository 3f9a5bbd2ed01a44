"""Values under keys that outlive the program, kept by the cluster. Ray: `ray.experimental.internal_kv`."""

from raysim.api.session import connected

_NAMESPACE = "internal_kv"
"""Where none is given."""


def _internal_kv_initialized() -> bool:
    from raysim.runtime.current import current

    return current() is not None


def _internal_kv_put(
    key: str | bytes,
    value: str | bytes,
    overwrite: bool = True,
    *,
    namespace: str | bytes | None = None,
) -> bool:
    """Whether there was another value already, which stays with `overwrite=False`. As Ray: True, "already exists"."""
    wanted, space = _bytes(value), _text(namespace)
    before = connected().kv_get(space, _bytes(key))
    there = connected().kv_put(space, _bytes(key), wanted, overwrite)
    return bool(before) or there != wanted


def _internal_kv_get(key: str | bytes, *, namespace: str | bytes | None = None) -> bytes | None:
    return connected().kv_get(_text(namespace), _bytes(key)).get(_bytes(key))


def _internal_kv_exists(key: str | bytes, *, namespace: str | bytes | None = None) -> bool:
    return _internal_kv_get(key, namespace=namespace) is not None


def _internal_kv_del(
    key: str | bytes,
    *,
    del_by_prefix: bool = False,
    namespace: str | bytes | None = None,
) -> int:
    """How many there were."""
    return connected().kv_delete(_text(namespace), _bytes(key), del_by_prefix)


def _internal_kv_list(prefix: str | bytes, *, namespace: str | bytes | None = None) -> list[bytes]:
    return list(connected().kv_get(_text(namespace), _bytes(prefix), prefix=True))


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _text(namespace: str | bytes | None) -> str:
    return _NAMESPACE if namespace is None else _bytes(namespace).decode()

"""How instances of a class travel, where pickle cannot tell. Never changes how a class itself does."""

from collections.abc import Callable
from typing import Any

from raysim.runtime.serialization import custom


def register_serializer(
    cls: type, *, serializer: Callable[[Any], Any], deserializer: Callable[[Any], Any]
) -> None:
    """Serialise instances of `cls` (not of its subclasses) as what `serializer` makes of them.

    `deserializer` makes the instance again, in whatever process; it travels with the value. Holds
    for this process only: register where values are made (workers too). Ray:
    `ray.util.register_serializer`.
    """

    def reduce(value: Any) -> tuple[Any, ...]:
        return deserializer, (serializer(value),)

    custom().reducers[cls] = reduce


def deregister_serializer(cls: type) -> None:
    """Serialise it as pickle does again. Harmless when it was not registered."""
    custom().reducers.pop(cls, None)

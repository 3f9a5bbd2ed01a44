"""References whose objects Ray keeps and counts. Never a count of its own."""

from collections.abc import Sequence
from typing import Any

import ray

from raysim.runtime.object_ref import ObjectRef
from raysim.spec.address import NOWHERE
from raysim.spec.ids import ObjectId


class RayObjectRef(ObjectRef):
    """An `ObjectRef` around Ray's, which carries the count: here, and inside of pickled values."""

    __slots__ = ("_ray",)

    def __init__(self, ref: Any) -> None:
        super().__init__(ObjectId(ref.binary()), NOWHERE, None)
        self._ray = ref

    def __reduce__(self) -> tuple[Any, ...]:
        return RayObjectRef, (self._ray,)  # Ray's pickler meets its own reference, and counts it.


def to_ray(value: Any) -> Any:
    """An argument as Ray shall see it: a reference at the top is Ray's, so that Ray resolves it."""
    return value._ray if isinstance(value, RayObjectRef) else value


def refs_to_ray(refs: Sequence[ObjectRef]) -> list[Any]:
    """Raises ValueError for a reference that another backend made."""
    found = [ref._ray for ref in refs if isinstance(ref, RayObjectRef)]
    if len(found) != len(refs):
        foreign = next(ref for ref in refs if not isinstance(ref, RayObjectRef))
        raise ValueError(
            f"{foreign!r} was not made on the backend 'ray': references are valid in the session "
            "that made them only."
        )
    return found


def arguments(
    args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of a call as Ray shall see them."""
    return tuple(map(to_ray, args)), {name: to_ray(value) for name, value in kwargs.items()}


def returned(answer: Any) -> list[ObjectRef]:
    """What Ray's `.remote()` gives (nothing, a reference, a list of them) as a list."""
    if answer is None:
        return []
    if isinstance(answer, ray.ObjectRef):
        return [RayObjectRef(answer)]
    return [RayObjectRef(ref) for ref in answer]

"""References whose objects Ray keeps and counts. Never a count of its own."""

from collections.abc import Sequence
from typing import Any

import ray

from raysim.runtime import object_ref
from raysim.spec.address import NOWHERE
from raysim.spec.ids import ObjectId


class ObjectRef(object_ref.ObjectRef):
    """A reference around Ray's, which carries the count: here, and inside of pickled values.

    Named as the class that a program knows.
    """

    __slots__ = ("_ray",)

    def __init__(self, ref: Any) -> None:
        super().__init__(ObjectId(ref.binary()), NOWHERE, None)
        self._ray = ref

    def __reduce__(self) -> tuple[Any, ...]:
        return ObjectRef, (self._ray,)  # Ray's pickler meets its own reference, and counts it.


def to_ray(value: Any) -> Any:
    """An argument as Ray shall see it: a reference at the top is Ray's, so that Ray resolves it."""
    return value._ray if isinstance(value, ObjectRef) else value


def refs_to_ray(refs: Sequence[object_ref.ObjectRef]) -> list[Any]:
    """Raises ValueError for a reference that another backend made."""
    found = [ref._ray for ref in refs if isinstance(ref, ObjectRef)]
    if len(found) != len(refs):
        foreign = next(ref for ref in refs if not isinstance(ref, ObjectRef))
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


def returned(answer: Any) -> list[object_ref.ObjectRef]:
    """What Ray's `.remote()` gives (nothing, a reference, a list of them) as a list."""
    if answer is None:
        return []
    if isinstance(answer, ray.ObjectRef):
        return [ObjectRef(answer)]
    return [ObjectRef(ref) for ref in answer]

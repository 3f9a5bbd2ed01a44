"""References whose objects Ray keeps and counts, and generators of them. Never a count of their own."""

import asyncio
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from typing import Any

import ray

from raysim.api.binding import GraphRef
from raysim.runtime import object_ref, object_ref_generator
from raysim.spec.address import NOWHERE
from raysim.spec.ids import ObjectId
from raysim_ray.errors import translated, translating
from raysim_ray.serializers import made_of, reduced


class ObjectRef(object_ref.ObjectRef, gc=False, eq=False):
    """A reference around Ray's, which carries the count: here, and inside of pickled values.

    Named as the class that a program knows.
    """

    _ray: Any

    def __reduce__(self) -> tuple[Any, ...]:
        return made_of, (around, *reduced(ray.ObjectRef, self._ray))

    def owner_address(self) -> bytes:
        return bytes(self._ray.owner_address())

    def call_site(self) -> str:
        return str(self._ray.call_site())

    def future(self) -> "Future[Any]":
        mine: Future[Any] = Future()

        def settle(theirs: "Future[Any]") -> None:
            if not mine.set_running_or_notify_cancel():
                return
            error = theirs.exception()
            if error is None:
                mine.set_result(theirs.result())
            else:
                mine.set_exception(translated(error))

        self._ray.future().add_done_callback(settle)
        return mine

    def as_future(self) -> "asyncio.Future[Any]":
        return asyncio.ensure_future(self._value())

    def __await__(self) -> Generator[Any, None, Any]:
        return self._value().__await__()

    async def _value(self) -> Any:
        try:
            return await self._ray
        except ray.exceptions.RayError as error:
            raise translated(error) from None


def around(ref: Any) -> ObjectRef:
    """The reference of a program around this one of Ray's."""
    return ObjectRef(ObjectId(ref.binary()), NOWHERE, None, ref)


class ObjectRefGenerator(object_ref_generator.ObjectRefGenerator):
    """Ray's generator, giving raysim's references. Named as the class that a program knows."""

    def __init__(self, generator: Any) -> None:
        self._ray = generator

    def completed(self) -> object_ref.ObjectRef:
        return around(self._ray.completed())

    def next_ready(self) -> bool:
        return bool(self._ray.next_ready())

    def is_finished(self) -> bool:
        return bool(self._ray.is_finished())

    @translating
    def __next__(self) -> object_ref.ObjectRef:
        return around(next(self._ray))

    async def __anext__(self) -> object_ref.ObjectRef:
        return around(await self._ray.__anext__())

    def __del__(self) -> None:
        """Nothing: Ray's own generator lets go of what was not taken."""

    def __repr__(self) -> str:
        return f"ObjectRefGenerator({self._ray.completed().task_id().hex()})"


Waitable = object_ref.ObjectRef | object_ref_generator.ObjectRefGenerator


def to_ray(value: Any) -> Any:
    """An argument as Ray shall see it: a reference at the top is Ray's, so that Ray resolves it.

    Raises TypeError for the result of a pass of a compiled graph.
    """
    if isinstance(value, ObjectRef):
        return value._ray
    if isinstance(value, GraphRef):
        raise TypeError(
            f"{value!r} is no object of the cluster: it can be neither stored nor an argument. "
            "Get it, and use the value."
        )
    return value


def refs_to_ray(refs: Sequence[Waitable]) -> list[Any]:
    """Raises ValueError for a reference that another backend made."""
    found = [ref._ray for ref in refs if isinstance(ref, ObjectRef | ObjectRefGenerator)]
    if len(found) != len(refs):
        foreign = next(r for r in refs if not isinstance(r, ObjectRef | ObjectRefGenerator))
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


def returned(answer: Any) -> list[Any]:
    """What Ray's `.remote()` gives (nothing, a reference, a list of them, a generator) as a list."""
    if answer is None:
        return []
    if isinstance(answer, ray.ObjectRef):
        return [around(answer)]
    if isinstance(answer, ray.ObjectRefGenerator):
        return [ObjectRefGenerator(answer)]
    return [around(ref) for ref in answer]


def from_ray(value: Any) -> Any:
    """A value as raysim gives it: Ray's list of the items of a generator is the only one of its own."""
    if isinstance(value, ray.DynamicObjectRefGenerator):
        return object_ref_generator.DynamicObjectRefGenerator(around(ref) for ref in value)
    return value

"""What a program registered with `register_serializer`, given to Ray's pickler. Never pickles itself."""

from collections.abc import Callable
from typing import Any

from ray.cloudpickle import CloudPickler

from raysim.runtime.serialization import custom

Reducer = Callable[[Any], tuple[Any, ...]]


class Mirror:
    """Of a driver: what it registered, before the session too, is given to Ray when it is needed."""

    def __init__(self) -> None:
        self._wanted = custom().reducers
        self._given: dict[type, Reducer] = {}

    def update(self) -> None:
        if self._wanted == self._given:
            return
        for cls in self._given.keys() - self._wanted.keys():
            CloudPickler.dispatch.pop(cls, None)
        CloudPickler.dispatch.update(self._wanted)
        self._given = dict(self._wanted)


class Forwarded(dict[type, Reducer]):
    """Of a worker: Ray pickles what its tasks return, so it is told at once."""

    def __setitem__(self, cls: type, reducer: Reducer) -> None:
        super().__setitem__(cls, reducer)
        CloudPickler.dispatch[cls] = reducer

    def pop(self, cls: type, *default: Any) -> Any:
        CloudPickler.dispatch.pop(cls, None)
        return super().pop(cls, *default)


def forward() -> None:
    """In a worker that knows its backend."""
    custom().reducers = Forwarded()

"""What a program registered with `register_serializer`, given to Ray's pickler, and how Ray pickles what it counts.

Never pickles itself.
"""

from collections.abc import Callable
from typing import Any

from ray.cloudpickle import CloudPickler

from raysim.runtime.serialization import custom
from raysim_ray.errors import translating

Reducer = Callable[[Any], tuple[Any, ...]]


@translating
def reduced(cls: type, theirs: Any) -> tuple[Any, ...]:
    """How Ray pickles what it counts: whoever pickles it, it is counted, for ever where Ray cannot know better.

    Ray's pickler would do so when it meets it; other picklers know nothing of counts.
    """
    make, given = CloudPickler.dispatch[cls](theirs)
    return make, given


def made_of(ours: Callable[[Any], Any], make: Callable[..., Any], given: tuple[Any, ...]) -> Any:
    """Of what `reduced` gave: raysim's object around Ray's."""
    return ours(make(*given))


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

"""Parallel iterators: items in shards, one actor each, transformed there. Never balances the shards.

Ray: `ray.util.iter`, deprecated there; it is here for programs that use it.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, repeat
from typing import Any, NoReturn

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle
from raysim.api.objects import get, wait
from raysim.runtime.current import current
from raysim.util.iter_local import LocalIterator, Step, Stepped, shuffle, within
from raysim.util.iter_metrics import MetricsContext, SharedMetrics

__all__ = [
    "LocalIterator",
    "MetricsContext",
    "ParallelIterator",
    "ParallelIteratorWorker",
    "SharedMetrics",
    "from_actors",
    "from_items",
    "from_iterators",
    "from_range",
]

Shard = tuple[ActorHandle, tuple[Step, ...]]
"""An actor (a ParallelIteratorWorker), and what it is to do with its items."""


class ParallelIteratorWorker:
    """The actor that holds a shard; a user's own class for `from_actors` derives from it."""

    def __init__(self, item_generator: Any, repeat: bool) -> None:
        """`item_generator`: something to iterate over, or a function that makes it; `repeat` for ever."""
        self._make: Callable[[], Iterable[Any]] = (
            item_generator if callable(item_generator) else lambda: item_generator
        )
        self._repeat = repeat
        self._items: Iterator[Any] | None = None

    def par_iter_init(self, transforms: Sequence[Step]) -> None:
        """Begin anew, with these steps."""
        rounds = repeat(None) if self._repeat else (None,)
        items: Iterator[Any] = chain.from_iterable(self._make() for _ in rounds)
        for step in transforms:
            items = iter(step(items))
        self._items = within(SharedMetrics(), items)
        self._slices: dict[int, deque[Any]] = {}
        self._position = 0

    def par_iter_next(self) -> Any:
        """The next item. Raises StopIteration at the end."""
        assert self._items is not None, "must call par_iter_init()"
        return next(self._items)

    def par_iter_next_batch(self, batch_ms: int) -> list[Any]:
        """The items of so many milliseconds, at least one."""
        return _for_a_while(batch_ms, self.par_iter_next)

    def par_iter_slice(self, step: int, start: int) -> Any:
        """The next of the items at `start`, `start + step` ... Items of other slices are kept."""
        while not self._slices.get(start):
            item = self.par_iter_next()
            self._slices.setdefault(self._position % step, deque()).append(item)
            self._position += 1
        return self._slices[start].popleft()

    def par_iter_slice_batch(self, step: int, start: int, batch_ms: int) -> list[Any]:
        """As `par_iter_next_batch`, of a slice."""
        return _for_a_while(batch_ms, partial(self.par_iter_slice, step, start))


def _for_a_while(batch_ms: int, pull: Callable[[], Any]) -> list[Any]:
    """Raises StopIteration only where there is nothing at all."""
    clock = current()
    assert clock is not None, "a shard is an actor of a session"
    end = clock.now() + batch_ms / 1e3
    items = [pull()]
    while clock.now() < end:
        try:
            items.append(pull())
        except StopIteration:
            break
    return items


class ParallelIterator(Stepped):
    """Items in shards that are worked on at the same time. Ray: `ray.util.iter.ParallelIterator`.

    Nothing is done before a LocalIterator of it is pulled from (`gather_sync` and others).
    """

    def __init__(self, shards: Sequence[Shard], name: str) -> None:
        self.name = name
        self._shards = list(shards)

    def _then(self, step: Step, name: str) -> "ParallelIterator":
        shards = [(actor, (*steps, step)) for actor, steps in self._shards]
        return ParallelIterator(shards, self.name + name)

    def __iter__(self) -> NoReturn:
        raise TypeError(
            "You must use it.gather_sync() or it.gather_async() to iterate over the results of a "
            "ParallelIterator."
        )

    def local_shuffle(
        self, shuffle_buffer_size: int, seed: int | None = None
    ) -> "ParallelIterator":
        """Each shard shuffled within a buffer of so many items."""
        name = f".local_shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})"
        return self._then(partial(shuffle, shuffle_buffer_size, seed), name)

    def repartition(self, num_partitions: int, batch_ms: int = 0) -> "ParallelIterator":
        """Dealt out to so many new shards, in turn. It can be gathered once."""
        _begin(self._shards)
        sources = [actor for actor, _ in self._shards]
        made = from_iterators(
            [
                partial(_dealt, sources, num_partitions, index, batch_ms)
                for index in range(num_partitions)
            ]
        )
        made.name = f"{self.name}.repartition[num_partitions={num_partitions}]"
        return made

    def gather_sync(self) -> LocalIterator:
        """One item of each shard in turn, in the order of the shards."""
        items = self.batch_across_shards().flatten()
        items.name = f"{self}.gather_sync()"
        return items

    def batch_across_shards(self) -> LocalIterator:
        """Lists of one item of each shard that has one left."""
        return LocalIterator(
            partial(_rounds, self._shards), SharedMetrics(), name=f"{self}.batch_across_shards()"
        )

    def gather_async(self, batch_ms: int = 0, num_async: int = 1) -> LocalIterator:
        """Items as they come; `num_async` calls are in flight per shard, each of so many milliseconds."""
        if num_async < 1:
            raise ValueError("queue depth must be positive")
        return _gathered(self._shards, batch_ms, num_async, f"{self}.gather_async()")

    def take(self, n: int) -> list[Any]:
        """The first `n` items of `gather_sync`."""
        return self.gather_sync().take(n)

    def show(self, n: int = 20) -> None:
        """Print them."""
        self.gather_sync().show(n)

    def union(self, other: "ParallelIterator") -> "ParallelIterator":
        """The shards of both."""
        if not isinstance(other, ParallelIterator):
            raise ValueError(f"other must be of type ParallelIterator, got {type(other)}")
        return ParallelIterator([*self._shards, *other._shards], f"ParallelUnion[{self}, {other}]")

    def select_shards(self, shards_to_keep: Sequence[int]) -> "ParallelIterator":
        """Only these shards, by index."""
        everyone = range(self.num_shards())
        kept = set(shards_to_keep)
        is_right = len(kept) == len(shards_to_keep) and kept <= set(everyone)
        assert is_right, f"Invalid actor index: {shards_to_keep} of {len(everyone)} shards"
        name = f"{self.name}.select_shards({len(kept)} of {len(everyone)})"
        return ParallelIterator([self._shards[index] for index in sorted(kept)], name)

    def num_shards(self) -> int:
        return len(self._shards)

    def shards(self) -> list[LocalIterator]:
        """An iterator per shard, to be pulled from one by one or sent to where they are used."""
        return [self.get_shard(index) for index in range(self.num_shards())]

    def get_shard(self, shard_index: int, batch_ms: int = 0, num_async: int = 1) -> LocalIterator:
        """The iterator of one shard. Raises ValueError where there is no such shard."""
        if not 0 <= shard_index < self.num_shards():
            raise ValueError(
                f"Shard index out of range: {shard_index}, but there are {self.num_shards()} shards."
            )
        shard = self._shards[shard_index]
        return _gathered([shard], batch_ms, num_async, f"{self.name}.shard[{shard_index}]")


def from_items(items: list[Any], num_shards: int = 2, repeat: bool = False) -> ParallelIterator:
    """Of a list, dealt out to the shards in turn."""
    kind = type(items[0]).__name__ if items else "None"
    name = _name(f"from_items[{kind}, {len(items)}", num_shards, repeat)
    return from_iterators([items[index::num_shards] for index in range(num_shards)], repeat, name)


def from_range(n: int, num_shards: int = 2, repeat: bool = False) -> ParallelIterator:
    """Of 0 to n - 1, a piece per shard; the last one takes what is left over."""
    size = n // num_shards
    starts = [index * size for index in range(num_shards)]
    pieces = [range(start, end) for start, end in zip(starts, [*starts[1:], n], strict=True)]
    return from_iterators(pieces, repeat, _name(f"from_range[{n}", num_shards, repeat))


def from_iterators(
    generators: Sequence[Any], repeat: bool = False, name: str | None = None
) -> ParallelIterator:
    """A shard for each: something to iterate over, or a function that makes it; `repeat` for ever."""
    worker = ActorClass(ParallelIteratorWorker, {})
    actors = [worker.remote(generator, repeat) for generator in generators]
    if name is None:
        name = f"from_iterators[shards={len(actors)}{', repeat=True' if repeat else ''}]"
    return from_actors(actors, name)


def from_actors(actors: Sequence[ActorHandle], name: str | None = None) -> ParallelIterator:
    """A shard for each actor of a class derived from ParallelIteratorWorker."""
    return ParallelIterator(
        [(actor, ()) for actor in actors], name or f"from_actors[shards={len(actors)}]"
    )


def _name(begin: str, num_shards: int, repeat: bool) -> str:
    return f"{begin}, shards={num_shards}{', repeat=True' if repeat else ''}]"


# --- how items are pulled ---------------------------------------------------------------------


def _begin(shards: Sequence[Shard]) -> None:
    get([actor.par_iter_init.remote(list(steps)) for actor, steps in shards])


def _gathered(shards: Sequence[Shard], batch_ms: int, num_async: int, name: str) -> LocalIterator:
    shared = SharedMetrics()
    base = partial(_as_they_come, shards, batch_ms, num_async, shared)
    return LocalIterator(base, shared, name=name)


def _rounds(shards: Sequence[Shard], _: float | None) -> Iterator[list[Any]]:
    _begin(shards)
    actors = [actor for actor, _ in shards]
    while actors:
        found = []
        left = []
        # All shards work on their next item while the first one is waited for.
        for actor, ref in [(actor, actor.par_iter_next.remote()) for actor in actors]:
            try:
                found.append(get(ref))
            except StopIteration:
                continue
            left.append(actor)
        if found:
            yield found
        actors = left


def _as_they_come(
    shards: Sequence[Shard],
    batch_ms: int,
    num_async: int,
    shared: SharedMetrics,
    _: float | None,
) -> Iterator[Any]:
    _begin(shards)
    calls = [(actor, partial(_next_of, actor, batch_ms)) for actor, _ in shards]
    yield from _polled(calls * num_async, batch_ms, shared)


def _dealt(sources: Sequence[ActorHandle], step: int, start: int, batch_ms: int) -> Iterator[Any]:
    calls = [(actor, partial(_slice_of, actor, step, start, batch_ms)) for actor in sources]
    yield from _polled(calls, batch_ms, SharedMetrics())


def _next_of(actor: ActorHandle, batch_ms: int) -> Any:
    if batch_ms > 0:
        return actor.par_iter_next_batch.remote(batch_ms)
    return actor.par_iter_next.remote()


def _slice_of(actor: ActorHandle, step: int, start: int, batch_ms: int) -> Any:
    if batch_ms > 0:
        return actor.par_iter_slice_batch.remote(step, start, batch_ms)
    return actor.par_iter_slice.remote(step, start)


def _polled(
    calls: Sequence[tuple[ActorHandle, Callable[[], Any]]], batch_ms: int, shared: SharedMetrics
) -> Iterator[Any]:
    """Each call again and again until it is at its end; results as they come."""
    running = {call(): (actor, call) for actor, call in calls}
    while running:
        ref = wait(list(running))[0][0]
        actor, call = running.pop(ref)
        try:
            result = get(ref)
        except StopIteration:
            continue
        running[call()] = (actor, call)
        for item in result if batch_ms > 0 else (result,):
            shared.get().current_actor = actor
            yield item

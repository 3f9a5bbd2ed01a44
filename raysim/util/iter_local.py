"""LocalIterator, and the steps that iterators are made of. Never pulls before it is asked: see iter.py."""

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextvars import ContextVar
from functools import partial
from itertools import chain, islice, tee
from random import Random
from typing import Any, Self

from raysim.api.objects import get
from raysim.api.remote import remote
from raysim.util.iter_metrics import MetricsContext, SharedMetrics

ON_FETCH_START = "_on_fetch_start"
"""A method of functions for `for_each` that is called before each item is fetched. Ray's."""

Step = Callable[[Iterator[Any]], Iterable[Any]]
"""Makes an iterator of an iterator. Pickled by reference, with the user's function inside."""


def for_each(
    fn: Callable[[Any], Any],
    max_concurrency: int,
    options: dict[str, Any] | None,
    items: Iterator[Any],
) -> Iterator[Any]:
    """In order; with `max_concurrency` above 1 as tasks, so many at a time."""
    hook = getattr(fn, ON_FETCH_START, None)
    if hook is not None:
        items = _announced(hook, items)
    if max_concurrency == 1:
        yield from map(fn, items)
        return
    task = remote(fn).options(**(options or {}))
    running = [task.remote(item) for item in islice(items, max_concurrency)]
    while running:
        yield get(running.pop(0))
        running.extend(task.remote(item) for item in islice(items, 1))


def _announced(hook: Callable[[], Any], items: Iterator[Any]) -> Iterator[Any]:
    """Calls the hook before each fetch, the one that finds the end as well."""
    while True:
        hook()
        try:
            item = next(items)
        except StopIteration:
            return
        yield item


def keep(fn: Callable[[Any], Any], items: Iterator[Any]) -> Iterator[Any]:
    return filter(fn, items)


def batch(size: int, items: Iterator[Any]) -> Iterator[list[Any]]:
    while batch := list(islice(items, size)):
        yield batch


def combine(fn: Callable[[Any], Iterable[Any]], items: Iterator[Any]) -> Iterator[Any]:
    return chain.from_iterable(map(fn, items))


def shuffle(size: int, seed: int | None, items: Iterator[Any]) -> Iterator[Any]:
    """A random one of the `size` that come next, again and again."""
    if seed is None:
        seed = random.getrandbits(64)  # noqa: TID251  (the program's own randomness: simulated with it)
    rng = Random(seed)
    buffer = list(islice(items, size))
    for item in items:
        at = rng.randrange(len(buffer))
        buffer[at], item = item, buffer[at]
        yield item
    rng.shuffle(buffer)
    yield from buffer


class Stepped:
    """What both kinds of iterators can do; each gives a new iterator and leaves this one as it is."""

    name: str

    def _then(self, step: Step, name: str) -> Self:
        raise NotImplementedError

    def transform(self, fn: Step) -> Self:
        """`fn` makes an iterator of an iterator."""
        return self._then(fn, ".transform()")

    def for_each(
        self,
        fn: Callable[[Any], Any],
        max_concurrency: int = 1,
        resources: dict[str, Any] | None = None,
    ) -> Self:
        """`fn` of each item; with `max_concurrency` above 1 as tasks with the options `resources`."""
        if max_concurrency < 1:
            raise ValueError(f"max_concurrency must be at least 1, but it is {max_concurrency}.")
        return self._then(partial(for_each, fn, max_concurrency, resources), ".for_each()")

    def filter(self, fn: Callable[[Any], Any]) -> Self:
        """The items of which `fn` is true."""
        return self._then(partial(keep, fn), ".filter()")

    def batch(self, n: int) -> Self:
        """Lists of `n` items; the last one may be shorter."""
        return self._then(partial(batch, max(n, 1)), f".batch({n})")

    def flatten(self) -> Self:
        """The items inside the items."""
        return self._then(chain.from_iterable, ".flatten()")

    def combine(self, fn: Callable[[Any], Iterable[Any]]) -> Self:
        """The items of the lists that `fn` makes of each item."""
        return self._then(partial(combine, fn), ".combine()")

    def __repr__(self) -> str:
        return f"{type(self).__name__}[{self.name}]"


_context: ContextVar[MetricsContext | None] = ContextVar("iterator", default=None)
"""Of the iterator that is being pulled: simulated processes share a thread, so a thread's own would not do."""


class _Here:
    """`LocalIterator.thread_local`."""

    @property
    def metrics(self) -> MetricsContext | None:
        return _context.get()

    @metrics.setter
    def metrics(self, context: MetricsContext | None) -> None:
        _context.set(context)


def within(shared: SharedMetrics, items: Iterator[Any]) -> Iterator[Any]:
    """Every pull, and what it runs, in this context."""
    while True:
        outer = _context.get()
        _context.set(shared.get())
        try:
            item = next(items)
        except StopIteration:
            return
        finally:
            _context.set(outer)
        yield item


def with_source(shared: SharedMetrics, items: Iterator[Any]) -> Iterator[Any]:
    """Pairs of the actor that an item is from, and the item."""
    for item in items:
        actor = shared.get().current_actor
        if actor is None:
            raise ValueError(f"Could not identify source actor of item {item!r}.")
        yield actor, item


class LocalIterator(Stepped):
    """Items that this process pulls, from actors or from anything. Ray: `ray.util.iter.LocalIterator`.

    It can be run through once, by whoever has it; pickled before, it begins where it arrives.
    """

    ON_FETCH_START_HOOK_NAME = ON_FETCH_START

    thread_local = _Here()

    def __init__(
        self,
        base_iterator: Callable[[float | None], Iterable[Any]],
        shared_metrics: SharedMetrics,
        local_transforms: Sequence[Step] | None = None,
        timeout: float | None = None,
        name: str | None = None,
    ) -> None:
        """`base_iterator` is called with the time-out at the first pull; ours wait, whatever it is."""
        self.name = name or "unknown"
        self.base_iterator = base_iterator
        self.local_transforms = list(local_transforms or [])
        self.shared_metrics = shared_metrics
        self.timeout = timeout
        self._items: Iterator[Any] | None = None

    @staticmethod
    def get_metrics() -> MetricsContext:
        """The context of the iterator whose function this is called in. Raises ValueError outside of one."""
        context = _context.get()
        if context is None:
            raise ValueError("Cannot access context outside an iterator.")
        return context

    def _then(self, step: Step, name: str) -> "LocalIterator":
        steps = [*self.local_transforms, step]
        return LocalIterator(self.base_iterator, self.shared_metrics, steps, name=self.name + name)

    def __iter__(self) -> Iterator[Any]:
        if self._items is None:
            items = iter(self.base_iterator(self.timeout))
            for step in self.local_transforms:
                items = iter(step(items))
            self._items = within(self.shared_metrics, items)
        return self._items

    def __next__(self) -> Any:
        return next(iter(self))

    def shuffle(self, shuffle_buffer_size: int, seed: int | None = None) -> "LocalIterator":
        """Shuffled within a buffer of so many items."""
        name = f".shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})"
        return self._then(partial(shuffle, shuffle_buffer_size, seed), name)

    def zip_with_source_actor(self) -> "LocalIterator":
        """Pairs of the actor that an item is from, and the item."""
        return self._then(partial(with_source, self.shared_metrics), ".zip_with_source_actor()")

    def take(self, n: int) -> list[Any]:
        """The next `n` items, or as many as there are."""
        return list(islice(iter(self), n))

    def show(self, n: int = 20) -> None:
        """Print them."""
        for item in self.take(n):
            sys.stdout.write(f"{item}\n")

    def duplicate(self, n: int) -> list["LocalIterator"]:
        """`n` iterators over the same items; what one is ahead is kept for the others."""
        if n < 2:
            raise ValueError("Number of copies must be >= 2")
        copies: list[Iterator[Any]] = []

        def copy(index: int, _: float | None) -> Iterator[Any]:
            if not copies:
                copies.extend(tee(iter(self), n))
            return copies[index]

        return [
            LocalIterator(
                partial(copy, index),
                self.shared_metrics,
                name=f"{self.name}.duplicate[{index}]",
            )
            for index in range(n)
        ]

    def union(
        self,
        *others: "LocalIterator",
        deterministic: bool = False,
        round_robin_weights: Sequence[float | str] | None = None,
    ) -> "LocalIterator":
        """The items of all of them, in turn: one of each, or as many as its weight ("*": all).

        It waits for the one whose turn it is, `deterministic` or not.
        """
        for other in others:
            if not isinstance(other, LocalIterator):
                raise ValueError(f"other must be of type LocalIterator, got {type(other)}")
        everyone = (self, *others)
        weights = [1] * len(everyone) if round_robin_weights is None else list(round_robin_weights)
        if len(weights) != len(everyone):
            raise ValueError(
                "Length of round robin weights must equal number of iterators total: "
                f"{len(weights)} are given, but there are {len(everyone)}."
            )

        def in_turn(_: float | None) -> Iterator[Any]:
            turns = [
                (one, None if weight == "*" else max(1, int(weight)))
                for one, weight in zip(everyone, weights, strict=True)
            ]
            while turns:
                left: list[tuple[LocalIterator, int | None]] = []
                for one, weight in turns:
                    taken = 0
                    for item in islice(iter(one), weight):
                        taken += 1
                        yield item
                    if taken == weight:
                        left.append((one, weight))
                turns = left

        shared = SharedMetrics(parents=[one.shared_metrics for one in everyone])
        name = f"LocalUnion[{', '.join(map(str, everyone))}]"
        return LocalIterator(in_turn, shared, name=name)

    def __getstate__(self) -> dict[str, Any]:
        if self._items is not None:
            raise TypeError(f"{self} has begun, and what it has pulled cannot be sent along.")
        return self.__dict__

"""LocalIterator, and the steps that iterators are made of. Never pulls before it is asked: see iter.py."""

import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, islice, tee
from random import Random
from typing import Any, Self

from raysim.api.handles import ActorHandle
from raysim.api.objects import get
from raysim.api.remote import remote

Step = Callable[[Iterator[Any]], Iterable[Any]]
"""Makes an iterator of an iterator. Pickled by reference, with the user's function inside."""


def for_each(
    fn: Callable[[Any], Any],
    max_concurrency: int,
    options: dict[str, Any] | None,
    items: Iterator[Any],
) -> Iterator[Any]:
    """In order; with `max_concurrency` above 1 as tasks, so many at a time."""
    if max_concurrency == 1:
        yield from map(fn, items)
        return
    task = remote(fn).options(**(options or {}))
    running = [task.remote(item) for item in islice(items, max_concurrency)]
    while running:
        yield get(running.pop(0))
        running.extend(task.remote(item) for item in islice(items, 1))


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


class Source:
    """Which actor the item came from that was pulled last."""

    def __init__(self) -> None:
        self.actor: ActorHandle | None = None


class LocalIterator(Stepped):
    """Items that this process pulls, from actors or from anything. Ray: `ray.util.iter.LocalIterator`.

    It can be run through once, by whoever has it; pickled before, it begins where it arrives.
    """

    def __init__(
        self,
        base_iterator: Callable[[Source], Iterable[Any]],
        name: str = "unknown",
        steps: Sequence[Step] = (),
    ) -> None:
        """`base_iterator` is called at the first pull, and says whom each item is from."""
        self.name = name
        self._base = base_iterator
        self._steps = tuple(steps)
        self._source = Source()
        self._items: Iterator[Any] | None = None

    def _then(self, step: Step, name: str) -> "LocalIterator":
        return LocalIterator(self._base, self.name + name, (*self._steps, step))

    def __iter__(self) -> Iterator[Any]:
        if self._items is None:
            items = iter(self._base(self._source))
            for step in self._steps:
                items = iter(step(items))
            self._items = items
        return self._items

    def __next__(self) -> Any:
        return next(iter(self))

    def shuffle(self, shuffle_buffer_size: int, seed: int | None = None) -> "LocalIterator":
        """Shuffled within a buffer of so many items."""
        name = f".shuffle(shuffle_buffer_size={shuffle_buffer_size}, seed={seed})"
        return self._then(partial(shuffle, shuffle_buffer_size, seed), name)

    def zip_with_source_actor(self) -> "LocalIterator":
        """Pairs of the actor that an item is from, and the item."""

        def pairs(source: Source) -> Iterator[Any]:
            self._source = source
            for item in self:
                if source.actor is None:
                    raise ValueError(f"Could not identify source actor of item {item!r}.")
                yield source.actor, item

        return LocalIterator(pairs, self.name + ".zip_with_source_actor()")

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

        def copy(index: int, _: Source) -> Iterator[Any]:
            if not copies:
                copies.extend(tee(iter(self), n))
            return copies[index]

        return [
            LocalIterator(partial(copy, index), f"{self.name}.duplicate[{index}]")
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

        def in_turn(source: Source) -> Iterator[Any]:
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
                        source.actor = one._source.actor
                        yield item
                    if taken == weight:
                        left.append((one, weight))
                turns = left

        return LocalIterator(in_turn, f"LocalUnion[{', '.join(map(str, everyone))}]")

    def __getstate__(self) -> dict[str, Any]:
        if self._items is not None:
            raise TypeError(f"{self} has begun, and what it has pulled cannot be sent along.")
        return self.__dict__

"""Graphs of tasks by their shape: `fork_join(width=8)`, `tree(depth=4)`, `layered(...)`. Never what a task costs.

Sources: the shapes of Pegasus and WfCommons workflows; layered random graphs as in Tobita and Kasahara, "A standard
task graph set", J. of Scheduling 2002 (`layrprob`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, NamedTuple, Protocol, runtime_checkable

from raysim.scenario.distributions import made, number

MOST: Final = 1_000_000
"""Tasks of a graph, and edges: so many take 2 GB."""


class Drawn(NamedTuple):
    """A task of a shape: what it is called, and the places of those that it waits for, all before its own."""

    name: str
    parents: tuple[int, ...]


@runtime_checkable
class Shape(Protocol):
    """A graph of tasks."""

    def draw(self, rng: Random) -> Sequence[Drawn]:
        """In an order in which each comes after its parents; the same for the same generator."""


@dataclass(frozen=True)
class Chain:
    """One after the other. `length`: tasks."""

    length: int

    def draw(self, rng: Random) -> Sequence[Drawn]:
        return [Drawn("link", (at - 1,) if at else ()) for at in range(self.length)]


@dataclass(frozen=True)
class ForkJoin:
    """One task, `width` after it, one after all of them; `stages` times in a row."""

    width: int
    stages: int = 1

    def __post_init__(self) -> None:
        _check_size(2 * self.width * self.stages)

    def draw(self, rng: Random) -> Sequence[Drawn]:
        tasks = [Drawn("fork", ())]
        for _ in range(self.stages):
            fork = len(tasks) - 1
            tasks += [Drawn("work", (fork,)) for _ in range(self.width)]
            tasks.append(Drawn("join", tuple(range(fork + 1, len(tasks)))))
        return tasks


@dataclass(frozen=True)
class MapReduce:
    """`maps` tasks, then `reduces`, each of which waits for all of them."""

    maps: int
    reduces: int = 1

    def __post_init__(self) -> None:
        _check_size(self.maps * self.reduces)

    def draw(self, rng: Random) -> Sequence[Drawn]:
        every = tuple(range(self.maps))
        return [
            *(Drawn("map", ()) for _ in every),
            *(Drawn("reduce", every) for _ in range(self.reduces)),
        ]


@dataclass(frozen=True)
class Tree:
    """One task, `branching` after each, `depth` levels in all."""

    depth: int
    branching: int = 2

    def __post_init__(self) -> None:
        size = 1
        for _ in range(self.depth - 1):
            size = size * self.branching + 1
            _check_size(size)

    def draw(self, rng: Random) -> Sequence[Drawn]:
        tasks = [Drawn("root", ())]
        level = [0]
        for _ in range(self.depth - 1):
            below = []
            for parent in level:
                for _ in range(self.branching):
                    below.append(len(tasks))
                    tasks.append(Drawn("node", (parent,)))
            level = below
        return tasks


@dataclass(frozen=True)
class Reduction:
    """`leaves` tasks, of which each `branching` are brought together by one, and so on until one is left."""

    leaves: int
    branching: int = 2

    def __post_init__(self) -> None:
        if self.branching < 2:
            raise ValueError("branching is at least 2, or it never ends")
        _check_size(2 * self.leaves)

    def draw(self, rng: Random) -> Sequence[Drawn]:
        tasks = [Drawn("leaf", ()) for _ in range(self.leaves)]
        level = list(range(self.leaves))
        while len(level) > 1:
            above = []
            for first in range(0, len(level), self.branching):
                above.append(len(tasks))
                tasks.append(Drawn("merge", tuple(level[first : first + self.branching])))
            level = above
        return tasks


@dataclass(frozen=True)
class Layered:
    """`layers` of `width` tasks, each of which waits for those of the layer before with probability `density`, for one
    at least."""

    layers: int
    width: int
    density: float = 0.3

    def __post_init__(self) -> None:
        if not 0 <= self.density <= 1:
            raise ValueError(f"density={self.density:g} is not between 0 and 1")
        _check_size(self.layers * self.width * max(1, round(self.width * self.density)))

    def draw(self, rng: Random) -> Sequence[Drawn]:
        tasks: list[Drawn] = []
        for layer in range(self.layers):
            before = range((layer - 1) * self.width, layer * self.width) if layer else ()
            for _ in range(self.width):
                parents = tuple(one for one in before if rng.random() < self.density)
                if before and not parents:
                    parents = (rng.choice(before),)
                tasks.append(Drawn(f"layer_{layer}", parents))
        return tasks


KINDS: Final[Mapping[str, Callable[..., Shape]]] = {
    "chain": Chain,
    "fork_join": ForkJoin,
    "map_reduce": MapReduce,
    "tree": Tree,
    "reduction": Reduction,
    "layered": Layered,
}


def parse_shape(text: str) -> Shape:
    """The shape in a text such as `fork_join(width=8)`.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    return made(text, "shape", KINDS, _read, "fork_join(width=8)")


def _read(name: str, text: str) -> float:
    value = number(name, text)
    if name == "density":
        return value
    if not (1 <= value <= MOST and value == int(value)):
        raise ValueError(f"{name} is a whole number from 1 to {MOST:,}, not {text!r}")
    return int(value)


def _check_size(edges: int) -> None:
    if edges > MOST:
        raise ValueError(f"the graph has more than {MOST:,} tasks or edges; make it smaller")

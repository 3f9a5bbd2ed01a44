"""Small Ray programs, each of whose time depends on one cost above all. Never knows in which world it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import raysim as ray

MB = 1_000_000


@dataclass(frozen=True)
class Probe:
    """`seconds` is called between `init` and `shutdown`, and warms up by itself."""

    cost: str
    """The field of a scenario's `network` that it tells."""
    says: str
    seconds: Callable[[], float]
    nodes: int = 1
    cpus: int = 1


@ray.remote
def _nothing() -> None:
    return None


@ray.remote
def _sleep(seconds: float) -> None:
    time.sleep(seconds)


@ray.remote
def _block(size: int) -> bytes:
    return bytes(size)


@ray.remote
def _length(block: bytes) -> int:
    return len(block)


class _Echo:
    def echo(self) -> None:
        return None


_echo: Any = ray.remote(num_cpus=0)(_Echo)
"""An actor's class has no type that says what `remote` gives."""


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _tasks_in_a_row() -> float:
    """3,000 calls of nothing."""
    ray.get([_nothing.remote() for _ in range(500)])
    return _timed(lambda: ray.get([_nothing.remote() for _ in range(3_000)]))


def _leases_in_a_row() -> float:
    """200 calls of different needs: each has a lease of its own."""

    def each(start: int) -> None:
        calls = [_nothing.options(num_cpus=0.5 + 0.001 * (start + i)) for i in range(200)]
        ray.get([call.remote() for call in calls])

    each(0)
    return _timed(lambda: each(200))


def _short_tasks() -> float:
    """300 tasks that sleep for a millisecond."""
    ray.get(_sleep.remote(0.001))
    return _timed(lambda: ray.get([_sleep.remote(0.001) for _ in range(300)]))


def _calls_of(node: int) -> float:
    """300 calls, one at a time, of an actor on this node."""
    actor = _on(_echo, node).remote()
    echo = actor.echo
    for _ in range(50):
        ray.get(echo.remote())

    def each() -> None:
        for _ in range(300):
            ray.get(echo.remote())

    return _timed(each)


def _fetches() -> float:
    """An argument of 32 MB, made on one node and read on the other, four times."""

    def once() -> float:
        made = _on(_block, 1).remote(32 * MB)
        ray.wait([made], fetch_local=False)
        return _timed(lambda: ray.get(_on(_length, 0).remote(made)))

    once()
    return sum(once() for _ in range(4))


def _starts() -> float:
    """Five actors, each once the one before has answered: new processes."""

    def each() -> None:
        actors: list[Any] = []
        for _ in range(5):
            actors.append(_echo.remote())
            ray.get(actors[-1].echo.remote())

    return _timed(each)


def _on(what: Any, node: int) -> Any:
    """There, as the order of joining has it."""
    from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    rows = sorted((row for row in ray.nodes() if row["Alive"]), key=lambda row: row["NodeName"])
    there = NodeAffinitySchedulingStrategy(rows[node]["NodeID"], soft=False)
    return what.options(scheduling_strategy=there)


PROBES = (
    Probe("call", "3,000 calls of nothing, all at once", _tasks_in_a_row),
    Probe("message", "200 tasks, each with a lease of its own", _leases_in_a_row),
    Probe("sleep", "300 tasks of 1 ms", _short_tasks),
    Probe("local_latency", "300 calls of an actor, one at a time", lambda: _calls_of(0)),
    Probe("latency", "the same on another node", lambda: _calls_of(1), nodes=2),
    Probe("bandwidth", "32 MB from another node, four times", _fetches, nodes=2),
    Probe("worker_start", "five actors, one after another", _starts),
)
"""In the order in which they are told: what one needs comes before it."""

"""Draws the arguments of a fault. Never which kinds: see swarm."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final

from raysim.config import MS
from raysim.faults.links import WAYS
from raysim.faults.model import Fault
from raysim.faults.moment import Moment
from raysim.protocol.messages.repeats import ASKED_AGAIN, REPLIES
from raysim.tape import Draws

SECOND: Final = 1_000 * MS

_LASTING: Final = (10 * MS, 200 * MS, SECOND, 3 * SECOND, 20 * SECOND, 100 * SECOND)
_LATENCIES: Final = (MS, 20 * MS, 200 * MS, SECOND, 4 * SECOND)
_EVENTS: Final = (
    "task_ended",
    "worker_lost",
    "node_lost",
    "object_moved",
    "actor_alive",
    "fault",
    "fault",
)
_LEASES: Final = (
    "RequestWorkerLease", "WorkerLeaseGranted", "WorkerLeaseSpilled", "WorkerLeaseRejected",
)  # fmt: skip
"""Most of what is asked for in a run: drawn more often than the rest. Ours."""
_HEALTH: Final = "CheckHealth"
"""Drawn more often as well: only where it is lost is a node declared dead that has nothing to say. Ours."""
_REQUESTS: Final = (*sorted(kind.__name__ for kind in REPLIES), *_LEASES[:1] * 6, *[_HEALTH] * 6)
_REPEATED: Final = (*sorted(kind.__name__ for kind in ASKED_AGAIN), *_LEASES * 3)
_LATE: Final = (
    "TasksDone", "PushTasks", "PushActorCalls", "WorkerLeaseGranted", "ReturnWorkerLease", "NodeRemoved",
    "ResourceView", "ReportResources", "AddBorrowers", "RemoveBorrowers", "FreeObjects", "ObjectsResolved",
    "ActorChanged", "WorkerDied", "LeaseLost", "StartActor", "ActorStarted", "CopyAdded",
    "SealObject", "RequestWorkerLease",
)  # fmt: skip
"""Kinds of message that are in most races."""


def sample_fault(kind: type[Fault], draws: Draws, window_ns: int, nodes: int) -> Fault:
    """One of this kind within the window, for a cluster of so many nodes."""
    values: dict[str, Any] = {"at": sample_moment(draws, window_ns)}
    for name, sampler in _samplers(kind):
        values[name] = sampler(draws, nodes)
    return kind(**values)


@cache
def _samplers(kind: type[Fault]) -> list[tuple[str, Callable[[Draws, int], Any]]]:
    """Of those arguments that are drawn."""
    found = []
    for name in kind.__struct_fields__:
        sampler = _SAMPLERS.get(f"{kind.tag()}.{name}") or _SAMPLERS.get(name)
        if sampler is not None:
            found.append((name, sampler))
    return found


def sample_moment(draws: Draws, window_ns: int) -> Moment:
    """Mostly a time, in fine steps near the start, where there is most to disturb; else after an event."""
    if draws.chance(0.2):
        event = draws.one_of(_EVENTS)
        # Most runs have few faults, and what breaks is often two that meet.
        count = draws.between(1, 3 if event == "fault" else 10)
        return Moment(ns=draws.one_of((0, MS // 10, 10 * MS)), event=event, count=count)
    steps = draws.below(1 << 20) / (1 << 20)
    return Moment(ns=int(window_ns * steps**3) // 1_000 * 1_000)


def _lasting(draws: Draws, nodes: int) -> int:
    return draws.one_of(_LASTING)


def _latency(draws: Draws, nodes: int) -> int:
    return draws.one_of(_LATENCIES)


def _group(draws: Draws, nodes: int) -> str:
    return "half" if nodes > 1 and draws.chance(0.5) else "any"


def _rate(draws: Draws, nodes: int) -> float:
    return draws.one_of((0.01, 0.1, 0.3, 1.0))


def _of(names: tuple[str, ...], share: float) -> Callable[[Draws, int], str | None]:
    """One of them in so many cases; else None, which is any."""

    def sampler(draws: Draws, nodes: int) -> str | None:
        return draws.one_of(names) if draws.chance(share) else None

    return sampler


_SAMPLERS: Final[dict[str, Callable[[Draws, int], Any]]] = {
    "lasting": _lasting,
    "latency": _latency,
    "deadline": lambda draws, nodes: draws.one_of((None, None, None, 10 * MS, SECOND)),
    "jitter": lambda draws, nodes: draws.one_of((0, MS, 100 * MS)),
    "nodes": _group,
    "factor": lambda draws, nodes: draws.one_of((2.0, 10.0, 100.0)),
    "rate": _rate,
    "loss.rate": lambda draws, nodes: draws.one_of((0.01, 0.1, 0.3)),
    "count": lambda draws, nodes: draws.between(1, 3),
    "one_way": lambda draws, nodes: draws.chance(0.3),
    "bandwidth": lambda draws, nodes: draws.one_of((10_000_000, 100_000)),
    "skew": lambda draws, nodes: draws.one_of((1, -1)) * draws.one_of((MS, SECOND, 3_600 * SECOND)),
    "size": lambda draws, nodes: draws.one_of((10_000_000, 100_000, 0)),
    "way": lambda draws, nodes: draws.one_of(WAYS),
    "delay.message": _of(_LATE, 0.6),
    "duplication.message": _of(_REPEATED, 0.4),
    "reordering.message": _of(_REPEATED, 0.4),
    "fail_rpc.message": _of(_REQUESTS, 0.7),
    "fail_rpc.count": lambda draws, nodes: draws.one_of((1, 2, 3, 10)),
}
"""By the name of a field, or of a field of one kind."""

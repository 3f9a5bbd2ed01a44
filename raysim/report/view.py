"""A run's journal -> what happened where and when, in seconds. Never draws it: see page, chrome_trace.

Time zero is the workload's start, or else the first submission. On a real backend the driver's journal alone is at
hand, which knows the tasks that the driver submitted and nothing of the nodes but their ids.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from raysim.faults import KillNode
from raysim.journal import (
    FaultInjected,
    Journal,
    NodeJoined,
    NodeLost,
    ObjectGone,
    ObjectMoved,
    ObjectRebuilt,
    TaskEnded,
    WorkerLost,
)
from raysim.spec.lanes import lanes
from raysim.spec.units import NANOSECONDS

_SHORT_ID: Final = 8
"""Hex digits of an id that are shown."""


class Attempt(msgspec.Struct, frozen=True, gc=False):
    """One attempt of a task, from its start (or, where it never told, from its push) to its end."""

    task: str
    name: str
    number: int
    status: str
    """As in TaskEnded: finished, failed, cancelled, retried."""
    submitted_s: float
    start_s: float
    end_s: float
    node: int
    """Index in `View.nodes`; -1 where it is not known."""
    worker: str
    reason: str = ""


class Node(msgspec.Struct, frozen=True):
    """A node of the cluster, in the order of joining."""

    name: str
    cpus: float | None = None
    lost_s: float | None = None


class Mark(msgspec.Struct, frozen=True):
    """Something that went wrong, or was made to."""

    at_s: float
    kind: str
    """fault, node lost, worker lost, object rebuilt, object lost."""
    text: str
    node: int = -1


class Transfer(msgspec.Struct, frozen=True, gc=False):
    """A copy of an object that came from one node to another."""

    object: str
    source: int
    target: int
    size_bytes: int
    start_s: float
    end_s: float


class View(msgspec.Struct, frozen=True):
    """All that a picture of a run needs."""

    nodes: Sequence[Node]
    attempts: Sequence[Attempt]
    """In the order of their starts."""
    marks: Sequence[Mark]
    """In the order of time."""
    transfers: Sequence[Transfer]
    end_s: float


def view_of(journal: Journal, time_scale: float = 1.0, start_ns: int | None = None) -> View:
    """What the journal says; the world's times are divided by `time_scale`."""
    reader = _Reader(journal, time_scale, start_ns)
    for time_ns, _, _, what in journal.records:
        reader.read(time_ns, what)
    return reader.view()


class _Reader:
    def __init__(self, journal: Journal, time_scale: float, start_ns: int | None) -> None:
        if start_ns is None:
            ended = (what for _, _, _, what in journal.records if isinstance(what, TaskEnded))
            start_ns = min((note.submitted_ns for note in ended), default=0)
        self._zero_ns = start_ns
        self._factor = 1 / (NANOSECONDS["s"] * time_scale)
        self._nodes: dict[bytes, Node] = {}
        self._index: dict[bytes, int] = {}
        self._attempts: list[Attempt] = []
        self._marks: list[Mark] = []
        self._transfers: list[Transfer] = []

    def read(self, time_ns: int, what: object) -> None:
        at_s = self._seconds(time_ns)
        match what:
            case TaskEnded():
                self._attempts.append(self._attempt(what))
            case NodeJoined(node_id=node_id, name=name, cpus=cpus):
                self._node(node_id)
                self._nodes[node_id] = Node(name, cpus)
            case ObjectMoved():
                self._transfers.append(self._transfer(at_s, what))
            case FaultInjected(kind=kind, target=target):
                node = self._named(target)
                if kind == KillNode.__struct_config__.tag and node >= 0:
                    self._lose(list(self._nodes)[node], at_s)
                self._marks.append(Mark(at_s, "fault", f"{kind}: {target}", node))
            case NodeLost(node_id=node_id, name=name, reason=reason):
                node = self._node(node_id)
                self._lose(node_id, at_s)
                self._marks.append(Mark(at_s, "node lost", f"{name}: {reason}", node))
            case WorkerLost(node_id=node_id, worker_id=worker_id, reason=reason):
                text = f"{short(worker_id)}: {reason}"
                self._marks.append(Mark(at_s, "worker lost", text, self._node(node_id)))
            case ObjectRebuilt(object_id=object_id):
                text = f"{object_id.hex()}: its task runs again"
                self._marks.append(Mark(at_s, "object rebuilt", text))
            case ObjectGone(object_id=object_id, reason=reason):
                self._marks.append(Mark(at_s, "object lost", f"{object_id.hex()}: {reason}"))
            case _:
                pass

    def view(self) -> View:
        attempts = sorted(_in_turn(self._attempts), key=lambda attempt: attempt.start_s)
        marks = sorted(self._marks, key=lambda mark: mark.at_s)
        ends = [attempt.end_s for attempt in attempts]
        ends += [transfer.end_s for transfer in self._transfers]
        return View(
            list(self._nodes.values()), attempts, marks, self._transfers, max(ends, default=0.0)
        )

    def _seconds(self, at_ns: int) -> float:
        return (at_ns - self._zero_ns) * self._factor

    def _node(self, node_id: bytes) -> int:
        """Its index; a node that nobody told of is named after its id, a missing one is -1."""
        if not node_id.strip(b"\xff"):
            return -1
        index = self._index.get(node_id)
        if index is None:
            index = self._index[node_id] = len(self._index)
            self._nodes[node_id] = Node(short(node_id))
        return index

    def _lose(self, node_id: bytes, at_s: float) -> None:
        """From the kill on, which is known before the cluster finds out."""
        node = self._nodes[node_id]
        if node.lost_s is None:
            self._nodes[node_id] = msgspec.structs.replace(node, lost_s=at_s)

    def _named(self, target: str) -> int:
        """The node that a fault's target (`node-1`, `node-1/worker-3`) is on."""
        name = target.partition("/")[0].partition(",")[0]
        names = [node.name for node in self._nodes.values()]
        return names.index(name) if name in names else -1

    def _attempt(self, note: TaskEnded) -> Attempt:
        told = note.end_ns > note.start_ns or note.status in ("finished", "failed")
        return Attempt(
            task=note.task_id.hex(),
            name=note.name,
            number=note.attempt,
            status=note.status,
            submitted_s=self._seconds(note.submitted_ns),
            start_s=self._seconds(note.start_ns if told else note.pushed_ns or note.end_ns),
            end_s=self._seconds(note.end_ns),
            node=self._node(note.node_id),
            worker=short(note.worker_id),
            reason=note.reason,
        )

    def _transfer(self, end_s: float, note: ObjectMoved) -> Transfer:
        return Transfer(
            object=note.object_id.hex(),
            source=self._node(note.source),
            target=self._node(note.target),
            size_bytes=note.size,
            start_s=self._seconds(note.start_ns),
            end_s=end_s,
        )


def short(name: bytes) -> str:
    """An id as people tell it from others."""
    return name.hex()[:_SHORT_ID]


def _in_turn(attempts: Iterable[Attempt]) -> Iterable[Attempt]:
    """A lost attempt never told its start, and may have been pushed ahead of its turn: it cannot
    have begun before what its worker did until then."""
    free: dict[tuple[int, str], float] = {}
    for attempt in attempts:
        lane = (attempt.node, attempt.worker)
        since = free.get(lane, attempt.start_s)
        if attempt.status == "retried" and attempt.start_s < since <= attempt.end_s:
            yield msgspec.structs.replace(attempt, start_s=since)
        else:
            yield attempt
        free[lane] = max(since, attempt.end_s)


def rows_of(attempts: Iterable[Attempt]) -> list[int]:
    """A row for each attempt, in the order of starts, such that none of a row overlap; the fewest."""
    return lanes((attempt.start_s, attempt.end_s) for attempt in attempts)

"""Attempts that have ended, and what took a while besides -> what Chrome's tracing and Perfetto draw. Never keeps them.

Format: "Trace Event Format", Chromium project. A node is a process, a worker a thread, and so are transfers to a node
and its disk; times in microseconds of the world's clock. Words of tasks are Ray's, those of transfers the reports'.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from raysim.protocol.messages.state import SpanKind, SpanSeen, TaskSeen
from raysim.protocol.spans import KEPT
from raysim.runtime.state_tables import of_kind
from raysim.runtime.states import survey
from raysim.runtime.task_tables import ENDED, merged_tasks
from raysim.spec.ids import NodeId, ObjectId, TaskId, task_of_object
from raysim.spec.lanes import lanes
from raysim.spec.state import Inquiry, Noun

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

Event: TypeAlias = dict[str, Any]

PATIENCE = 30.0
"""Seconds until whoever does not answer is left out. Ray: `DEFAULT_RPC_TIMEOUT`."""

ROWS = {SpanKind.TRANSFER: "transfers", SpanKind.SPILL: "disk", SpanKind.RESTORE: "disk"}
"""Threads of a node for what its raylet does; the rest is in the row of its worker or driver."""

INSIDE_NS = 1_000
"""Nanoseconds before the end of a slice where an arrow leaves it: at its end it is outside. Ours."""


def timeline(worker: "CoreWorker") -> list[Event]:
    """Of all calls of the cluster whose owners remember them."""
    limit = worker.host.config.task_history
    tasks = merged_tasks(survey(worker, Inquiry(Noun.TASKS, limit, PATIENCE, 0)).rows)
    spans = of_kind(survey(worker, Inquiry(Noun.SPANS, KEPT, PATIENCE, 0)).rows, SpanSeen)
    return events(tasks, spans)


def events(tasks: Iterable[TaskSeen], spans: Sequence[SpanSeen] = ()) -> list[Event]:
    """One complete event for each attempt that ran, and for each span; arrows from a submission to its call, and
    from where an object was made to where it was brought and who waited for it there."""
    rows = [row for row in tasks if row.state in ENDED and row.start_ns]
    ran = {row.task_id: row for row in rows}
    found = [_event(row) for row in rows]
    for row in rows:
        parent = ran.get(row.parent)
        if parent is not None and parent.start_ns <= row.submitted_ns <= parent.end_ns:
            begin = _place(parent), row.submitted_ns
            found += _arrow(
                "submit", f"{row.task_id.hex()}:{row.attempt}", begin, (_place(row), row.start_ns)
            )
    placed = list(_placed(spans))
    found += [_slice(span, place) for span, place in placed]
    found += _ways(placed, ran)
    return found


Place: TypeAlias = dict[str, str]
Moment: TypeAlias = tuple[Place, int]
"""Where in the picture, and when, in ns."""


def _arrow(kind: str, identity: str, begin: Moment, end: Moment) -> list[Event]:
    """Each of both is in a slice."""
    same = {"cat": kind, "name": kind, "id": identity}
    return [
        {**same, **begin[0], "ph": "s", "ts": begin[1] / 1e3},
        {**same, **end[0], "ph": "f", "bp": "e", "ts": end[1] / 1e3},
    ]


def _place(row: TaskSeen) -> Place:
    return _at(row.worker.node_id, f"worker:{row.worker.worker_id.hex()}")


def _at(node_id: NodeId, thread: str) -> Place:
    return {"pid": f"node:{node_id.hex()}", "tid": thread}


def _event(row: TaskSeen) -> Event:
    args: Event = {
        "name": row.name,
        "task_id": row.task_id.hex(),
        "attempt": row.attempt,
        "status": row.state.lower(),
    }
    if row.error:
        args["reason"] = row.text or row.error
    return {
        "cat": f"task::{row.name}",
        "name": row.name,
        **_place(row),
        "ts": row.start_ns / 1e3,
        "dur": (row.end_ns - row.start_ns) / 1e3,
        "ph": "X",
        "cname": "generic_work" if row.state == "FINISHED" else "terrible",
        "args": args,
    }


# --- what is no call ---


def _placed(spans: Iterable[SpanSeen]) -> Iterator[tuple[SpanSeen, Place]]:
    """What a node does at once gets threads of its own: complete events of one must not overlap."""
    threads: dict[tuple[NodeId, str], list[SpanSeen]] = {}
    for span in sorted(spans, key=lambda span: span.start_ns):
        name = ROWS.get(span.kind) or f"worker:{span.process.worker_id.hex()}"
        threads.setdefault((span.process.node_id, name), []).append(span)
    for (node_id, name), of_thread in threads.items():
        beside = lanes((span.start_ns, span.end_ns) for span in of_thread)
        for span, lane in zip(of_thread, beside, strict=True):
            more = f" ({lane + 1})" if lane and span.kind in ROWS else ""
            yield span, _at(node_id, f"{name}{more}")


def _slice(span: SpanSeen, place: Place) -> Event:
    args: Event = {"objects": span.count}
    if span.object_ids:
        args["object"] = span.object_ids[0].hex()
    if span.size:
        args["bytes"] = span.size
    if span.kind is SpanKind.TRANSFER:
        args["from"] = f"node:{span.source.hex()}"
    return {
        "cat": str(span.kind),
        "name": str(span.kind),
        **place,
        "ts": span.start_ns / 1e3,
        "dur": (span.end_ns - span.start_ns) / 1e3,
        "ph": "X",
        "args": args,
    }


def _ways(placed: Sequence[tuple[SpanSeen, Place]], ran: dict[TaskId, TaskSeen]) -> Iterator[Event]:
    """Of objects: put, or the call that made it -> transfer -> a get that it ended."""
    puts: dict[ObjectId, Moment] = {}
    gets: dict[tuple[NodeId, ObjectId], list[tuple[SpanSeen, Place]]] = {}
    for span, place in placed:
        if span.kind is SpanKind.PUT:
            puts[span.object_ids[0]] = place, _last(span.start_ns, span.end_ns)
        elif span.kind is SpanKind.GET:
            for object_id in span.object_ids:
                gets.setdefault((span.process.node_id, object_id), []).append((span, place))
    for number, (span, place) in enumerate(placed):
        if span.kind is not SpanKind.TRANSFER:
            continue
        [object_id] = span.object_ids
        maker = ran.get(task_of_object(object_id))
        made = puts.get(object_id)
        if made is None and maker is not None:
            made = _place(maker), _last(maker.start_ns, maker.end_ns)
        if made is not None:
            yield from _arrow("object", f"{object_id.hex()}:{number}", made, (place, span.start_ns))
        arrived = place, _last(span.start_ns, span.end_ns)
        for index, (get, there) in enumerate(gets.get((span.process.node_id, object_id), ())):
            if get.start_ns <= span.end_ns <= get.end_ns:
                end = there, _last(get.start_ns, get.end_ns)
                yield from _arrow("object", f"{object_id.hex()}:{number}:{index}", arrived, end)


def _last(start_ns: int, end_ns: int) -> int:
    """The last moment that is inside."""
    return max(start_ns, end_ns - INSIDE_NS)

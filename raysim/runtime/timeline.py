"""Attempts that have ended -> what Chrome's tracing and Perfetto draw, in Ray's words. Never keeps them.

Format: "Trace Event Format", Chromium project. A node is a process, a worker a thread; times in
microseconds of the world's clock.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from raysim.protocol.messages.state import TaskSeen
from raysim.runtime.states import survey
from raysim.runtime.task_tables import ENDED, merged_tasks
from raysim.spec.state import Inquiry, Noun

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

PATIENCE = 30.0
"""Seconds until whoever does not answer is left out. Ray: `DEFAULT_RPC_TIMEOUT`."""


def timeline(worker: "CoreWorker") -> list[dict[str, Any]]:
    """Of all calls of the cluster whose owners remember them."""
    limit = worker.host.config.task_history
    found = survey(worker, Inquiry(Noun.TASKS, limit, PATIENCE, 0))
    return events(merged_tasks(found.rows))


def events(tasks: Iterable[TaskSeen]) -> list[dict[str, Any]]:
    """One complete event for each attempt that ran, and an arrow to it from the call that submitted it."""
    rows = [row for row in tasks if row.state in ENDED and row.start_ns]
    ran = {row.task_id: row for row in rows}
    found = [_event(row) for row in rows]
    for row in rows:
        parent = ran.get(row.parent)
        if parent is not None and parent.start_ns <= row.submitted_ns <= parent.end_ns:
            found += _arrow(parent, row)
    return found


def _arrow(parent: TaskSeen, row: TaskSeen) -> list[dict[str, Any]]:
    """From where it was submitted to where it began."""
    same = {"cat": "submit", "name": "submit", "id": f"{row.task_id.hex()}:{row.attempt}"}
    return [
        {**same, **_place(parent), "ph": "s", "ts": row.submitted_ns / 1e3},
        {**same, **_place(row), "ph": "f", "bp": "e", "ts": row.start_ns / 1e3},
    ]


def _place(row: TaskSeen) -> dict[str, str]:
    return {
        "pid": f"node:{row.worker.node_id.hex()}",
        "tid": f"worker:{row.worker.worker_id.hex()}",
    }


def _event(row: TaskSeen) -> dict[str, Any]:
    args: dict[str, Any] = {
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

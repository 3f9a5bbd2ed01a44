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
    """One complete event for each attempt that ran."""
    return [_event(row) for row in tasks if row.state in ENDED and row.start_ns]


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
        "pid": f"node:{row.worker.node_id.hex()}",
        "tid": f"worker:{row.worker.worker_id.hex()}",
        "ts": row.start_ns / 1e3,
        "dur": (row.end_ns - row.start_ns) / 1e3,
        "ph": "X",
        "cname": "generic_work" if row.state == "FINISHED" else "terrible",
        "args": args,
    }

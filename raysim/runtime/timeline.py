"""Notes of ended attempts -> what Chrome's tracing and Perfetto draw, in Ray's words. Never keeps them.

Format: "Trace Event Format", Chromium project. A node is a process, a worker a thread; times in
microseconds of the world's clock.
"""

from collections.abc import Iterable
from typing import Any

from raysim.journal import TaskEnded


def events(notes: Iterable[TaskEnded]) -> list[dict[str, Any]]:
    """One complete event for each attempt that ran."""
    return [_event(note) for note in notes if note.worker_id]


def _event(note: TaskEnded) -> dict[str, Any]:
    args: dict[str, Any] = {
        "name": note.name,
        "task_id": note.task_id.hex(),
        "attempt": note.attempt,
        "status": note.status,
    }
    if note.reason:
        args["reason"] = note.reason
    return {
        "cat": f"task::{note.name}",
        "name": note.name,
        "pid": f"node:{note.node_id.hex()}",
        "tid": f"worker:{note.worker_id.hex()}",
        "ts": note.start_ns / 1e3,
        "dur": (note.end_ns - note.start_ns) / 1e3,
        "ph": "X",
        "cname": "generic_work" if note.status == "finished" else "terrible",
        "args": args,
    }

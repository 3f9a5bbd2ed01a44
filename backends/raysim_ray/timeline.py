"""What Ray recorded of a session's tasks, as notes of raysim's journal. Never a record of its own.

Ray's workers send their events about once a second, and `ray.timeline` waits for that: so this is
read once, at the end of a session that has a journal.
"""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import ray

from raysim.journal import Journal, NodeJoined, TaskEnded

US = 1_000
"""Nanoseconds."""

_EXECUTE = "task:execute"


class Recorder:
    """Of one driver: when it submitted what, and the journal that gets it in the end."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.submitted: dict[bytes, int] = {}
        """When this driver submitted a task, on its monotonic clock; by task id."""
        self._wall_ahead_ns = time.time_ns() - time.monotonic_ns()

    def note(self, task_id: bytes) -> None:
        self.submitted[task_id] = time.monotonic_ns()

    def write(self) -> None:
        """Once, while the session still stands."""
        nodes = [row for row in ray.nodes() if row["Alive"]]
        for row in nodes:
            self._write(
                NodeJoined(
                    bytes.fromhex(row["NodeID"]), row["NodeName"], row["Resources"].get("CPU", 0)
                )
            )
        homes: dict[str, list[bytes]] = {}
        for row in nodes:
            homes.setdefault(row["NodeManagerAddress"], []).append(bytes.fromhex(row["NodeID"]))
        for note in sorted(self._ended(ray.timeline(), homes), key=lambda note: note.end_ns):
            self._write(note)

    def _write(self, note: NodeJoined | TaskEnded) -> None:
        self.journal.write(time.monotonic_ns(), "ray", "note", note)

    def _ended(
        self, events: list[dict[str, Any]], homes: Mapping[str, list[bytes]]
    ) -> Iterator[TaskEnded]:
        """One for each run of a task: its event follows that of executing its code."""
        error = ""
        for event in events:
            if event["cat"] == _EXECUTE:
                error = _error_of(event["args"])
            elif event["cat"].startswith("task::"):
                yield self._of(event, error, homes)
                error = ""

    def _of(
        self, event: Mapping[str, Any], error: str, homes: Mapping[str, list[bytes]]
    ) -> TaskEnded:
        task_id = bytes.fromhex(event["args"]["task_id"])
        start_ns = round(event["ts"] * US) - self._wall_ahead_ns
        here = homes.get(event["pid"], [])
        return TaskEnded(
            task_id,
            event["args"]["name"],
            0,  # Ray's timeline does not say which attempt it was.
            "failed" if error else "finished",
            self.submitted.get(task_id, start_ns),
            start_ns,
            start_ns,
            start_ns + round(event["dur"] * US),
            here[0]
            if len(here) == 1
            else b"",  # Of several nodes of one address it does not say which.
            bytes.fromhex(event["tid"].rpartition(":")[2]),
            error,
        )


def _error_of(args: Mapping[str, Any]) -> str:
    return f"{args['type']}: {args['value']}" if "type" in args else ""

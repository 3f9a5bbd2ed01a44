"""A view -> `timeline.json` in Chrome's trace format, which Perfetto opens. Never simplifies it.

A node is a process, a worker a thread, an attempt of a task a complete event, what went wrong an
instant event, a transfer an asynchronous one of its target. Times in microseconds.
Format: "Trace Event Format", Chromium project.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, TypeAlias

import msgspec

from raysim.report.view import Attempt, View, rows_of

Event: TypeAlias = dict[str, Any]

_US: Final = 1e6
_UNKNOWN_PROCESS: Final = 0
"""Of attempts whose node is not known, and of what went wrong on no node in particular."""


def chrome_trace(view: View, name: str) -> bytes:
    """The file's content."""
    events = [*_processes(view), *_attempts(view), *_marks(view), *_transfers(view)]
    content = {"displayTimeUnit": "ms", "otherData": {"run": name}, "traceEvents": events}
    return msgspec.json.encode(content)


def _processes(view: View) -> Iterator[Event]:
    names = ["(no node)", *(node.name for node in view.nodes)]
    for index, name in enumerate(names):
        cpus = view.nodes[index - 1].cpus if index else None
        shown = f"{name} ({cpus:g} CPU)" if cpus is not None else name
        yield _meta("process_name", index, 0, {"name": shown})
        yield _meta("process_sort_index", index, 0, {"sort_index": index})


def _attempts(view: View) -> Iterator[Event]:
    """Complete events of a thread must not overlap: calls that ran at once get threads of their own."""
    threads: dict[tuple[int, str], list[Attempt]] = {}
    for attempt in view.attempts:
        threads.setdefault((attempt.node, attempt.worker), []).append(attempt)
    next_number: dict[int, int] = {}
    for (node, worker), attempts in threads.items():
        first = next_number.get(node, 1)
        rows = rows_of(attempts)
        for row in range(max(rows) + 1):
            shown = f"worker {worker}" if row == 0 else f"worker {worker} (at once: {row + 1})"
            yield _meta("thread_name", node + 1, first + row, {"name": shown})
        for attempt, row in zip(attempts, rows, strict=True):
            yield _complete(attempt, first + row)
        next_number[node] = first + max(rows) + 1


def _complete(attempt: Attempt, thread: int) -> Event:
    event = {
        "ph": "X",
        "name": attempt.name,
        "cat": f"task,{attempt.status}",
        "pid": attempt.node + 1,
        "tid": thread,
        "ts": attempt.start_s * _US,
        "dur": (attempt.end_s - attempt.start_s) * _US,
        "args": {
            "task": attempt.task,
            "attempt": attempt.number,
            "status": attempt.status,
            "waited_s": max(0.0, attempt.start_s - attempt.submitted_s),
            "reason": attempt.reason,
        },
    }
    if attempt.status != "finished":
        event["cname"] = "terrible"
    return event


def _marks(view: View) -> Iterator[Event]:
    for mark in view.marks:
        yield {
            "ph": "i",
            "name": f"{mark.kind}: {mark.text}",
            "cat": mark.kind,
            "pid": mark.node + 1 if mark.node >= 0 else _UNKNOWN_PROCESS,
            "tid": 0,
            "ts": mark.at_s * _US,
            "s": "g" if mark.kind == "fault" else "p",
        }


def _transfers(view: View) -> Iterator[Event]:
    for number, transfer in enumerate(view.transfers):
        common: Event = {
            "name": "transfer",
            "cat": "transfer",
            "id": number,
            "pid": transfer.target + 1,
            "tid": 0,
        }
        source = view.nodes[transfer.source].name if transfer.source >= 0 else "unknown"
        args = {"object": transfer.object, "bytes": transfer.size_bytes, "from": source}
        yield {**common, "ph": "b", "ts": transfer.start_s * _US, "args": args}
        yield {**common, "ph": "e", "ts": transfer.end_s * _US}


def _meta(name: str, process: int, thread: int, args: Event) -> Event:
    return {"ph": "M", "name": name, "pid": process, "tid": thread, "args": args}

"""A note of a journal in words. Never which of them matters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from raysim.journal import (
    ActorNoted,
    Escaped,
    FaultInjected,
    Infeasible,
    NodeJoined,
    NodeLost,
    Note,
    ObjectGone,
    ObjectMoved,
    ObjectRebuilt,
    PlacementGroupNoted,
    TaskEnded,
    WorkerLost,
)

_TOLD: Final[dict[type[Note], Callable[..., str]]] = {
    TaskEnded: lambda note: f"{note.name} {note.status}" + _attempt(note) + _why(note.reason),
    NodeJoined: lambda note: f"node {note.name} joined",
    NodeLost: lambda note: f"node {note.name} was lost{_why(note.reason)}",
    WorkerLost: lambda note: f"worker {note.worker_id.hex()[:8]} was lost{_why(note.reason)}",
    ActorNoted: lambda note: f"actor {note.name} is {note.state}" + _incarnation(note),
    Infeasible: lambda note: note.text,
    PlacementGroupNoted: lambda note: f"placement group {note.name} is {note.state}",
    ObjectMoved: lambda note: f"object {note.object_id.hex()[:8]} was copied to another node",
    ObjectRebuilt: lambda note: f"object {note.object_id.hex()[:8]} is made again",
    ObjectGone: lambda note: f"object {note.object_id.hex()[:8]} is gone{_why(note.reason)}",
    Escaped: lambda note: f"{note.what} is not simulated, at {note.place}",
    FaultInjected: lambda note: f"{note.kind} {note.target}",
}


def _why(reason: str) -> str:
    return f": {reason.partition(chr(10))[0]}" if reason else ""


def _attempt(note: TaskEnded) -> str:
    return f" (attempt {note.attempt})" if note.attempt else ""


def _incarnation(note: ActorNoted) -> str:
    return f" (incarnation {note.incarnation})" if note.incarnation else ""


def tell(note: Note) -> str:
    return _TOLD.get(type(note), repr)(note)


def is_trouble(note: Note) -> bool:
    """Something was lost, or did not end well."""
    match note:
        case TaskEnded():
            return note.status != "finished"
        case ActorNoted():
            return note.state in ("RESTARTING", "DEAD")
        case NodeLost() | WorkerLost() | ObjectGone():
            return True
        case _:
            return False

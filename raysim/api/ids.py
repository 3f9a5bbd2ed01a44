"""Ids under the names that a program imports, and where those that it draws come from. Never what they mean."""

import os

from raysim.spec.unique_ids import (
    ActorClassID,
    ActorID,
    BaseID,
    FunctionID,
    JobID,
    NodeID,
    PlacementGroupID,
    TaskID,
    UniqueID,
    WorkerID,
)

__all__ = [
    "ActorClassID",
    "ActorID",
    "BaseID",
    "FunctionID",
    "JobID",
    "NodeID",
    "PlacementGroupID",
    "TaskID",
    "UniqueID",
    "WorkerID",
]


def _draw(count: int) -> bytes:
    return os.urandom(count)  # Looked up now: in `sim` it is another one.


BaseID.entropy = staticmethod(_draw)

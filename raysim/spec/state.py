"""What can be asked about a cluster's state, and how the answer comes. Never who knows it: see protocol/inspecting."""

from enum import StrEnum
from typing import Any

import msgspec


class Noun(StrEnum):
    """What can be listed. Ray: `StateResource`."""

    ACTORS = "actors"
    JOBS = "jobs"
    PLACEMENT_GROUPS = "placement_groups"
    NODES = "nodes"
    WORKERS = "workers"
    TASKS = "tasks"
    OBJECTS = "objects"
    RUNTIME_ENVS = "runtime_envs"
    CLUSTER_EVENTS = "cluster_events"
    METRICS = "metrics"
    """Ours: what user code has counted."""
    SPANS = "spans"
    """Gets, puts, transfers and so on: for timelines, never as a list. Ours."""


class Condition(msgspec.Struct, frozen=True):
    """Of one column, by Ray's name; text without regard to case."""

    column: str
    value: str | int
    equal: bool = True


class Wanted(msgspec.Struct, frozen=True):
    """The first so many rows by their ids, of those that pass all tests."""

    first: int
    tests: list[Condition] = []
    counted: bool = False
    """Not the rows, but how many there are of each name, kind and state."""


class Inquiry(msgspec.Struct, frozen=True):
    """What somebody wants to know. `timeout` in seconds."""

    noun: Noun
    limit: int
    """Rows of each process that is asked, the newest."""
    timeout: float
    epoch_ns: int
    """From the world's clock to Unix time, in ns."""
    only: str = ""
    """What the ids begin with, in hex."""
    wanted: Wanted | None = None
    """Of tasks: these, instead of the newest. Those under way may be more than wanted, and not pass."""


class Listing(msgspec.Struct):
    """Rows in Ray's words: column to value, ids in hex, times in ms of Unix time."""

    rows: list[dict[str, Any]]
    total: int
    """Rows that there are, those above the limit included."""
    asked: int = 0
    silent: list[str] = []
    """Who did not answer in time, of so many that were asked."""
    beyond: int = 0
    """Rows that pass what was wanted, and come after it."""
    counted: list[dict[str, Any]] = []
    """Instead of rows: `count` of them, with `name`, `type` and `state`."""

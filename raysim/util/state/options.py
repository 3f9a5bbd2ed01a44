"""Options of questions about the cluster's state, checked. Never applies them: see client."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, unique
from typing import Any, TypeAlias

DEFAULT_RPC_TIMEOUT = 30
"""Seconds until a question is given up. Ray's."""

DEFAULT_LIMIT = 100
"""Rows of an answer. Ray's."""

DEFAULT_LOG_LIMIT = 1000
"""Lines of a log. Ray's."""

DEFAULT_DOWNLOAD_FILENAME = "file.txt"

RAY_MAX_LIMIT_FROM_API_SERVER = 10_000
"""Rows that may be asked for. Ray's."""

RAY_MAX_LIMIT_FROM_DATA_SOURCE = 10_000
"""Rows of each process that is asked. Ray's."""

PREDICATES = ("=", "!=")

SupportedFilterType: TypeAlias = str | bool | int | float
PredicateType: TypeAlias = str
Filter: TypeAlias = tuple[str, PredicateType, SupportedFilterType]


@unique
class StateResource(Enum):
    """What can be listed."""

    ACTORS = "actors"
    JOBS = "jobs"
    PLACEMENT_GROUPS = "placement_groups"
    NODES = "nodes"
    WORKERS = "workers"
    TASKS = "tasks"
    OBJECTS = "objects"
    RUNTIME_ENVS = "runtime_envs"
    CLUSTER_EVENTS = "cluster_events"


@unique
class SummaryResource(Enum):
    """What can be summarised."""

    ACTORS = "actors"
    TASKS = "tasks"
    OBJECTS = "objects"


def _checked(filters: Sequence[Any] | None) -> list[Filter]:
    for one in filters or ():
        if not isinstance(one, tuple | list) or len(one) != 3:
            raise ValueError(
                f"The given filter has incorrect input type, {one!r}. Provide (key, predicate, value) tuples."
            )
        if one[1] not in PREDICATES:
            raise ValueError(
                f"Unsupported filter predicate {one[1]} is given. Available predicates: {', '.join(PREDICATES)}."
            )
    return [(key, predicate, value) for key, predicate, value in filters or ()]


@dataclass
class ListApiOptions:
    """Filters come before the limit, and all of them must hold. `timeout` in seconds."""

    limit: int = DEFAULT_LIMIT
    timeout: int = DEFAULT_RPC_TIMEOUT
    detail: bool = False
    filters: list[Filter] | None = field(default_factory=list)
    exclude_driver: bool = True
    server_timeout_multiplier: float = 0.8

    def __post_init__(self) -> None:
        self.timeout = max(1, int(self.timeout * self.server_timeout_multiplier))
        self.filters = _checked(self.filters)

    def has_conflicting_filters(self) -> bool:
        """Whether one key has to equal two different values; warns of it."""
        wanted: dict[str, Any] = {}
        for key, predicate, value in self.filters or ():
            if predicate == "=" and wanted.setdefault(key, value) != value:
                warnings.warn(
                    f"There are multiple '=' filters with the same key '{key}' but different values "
                    f"'{wanted[key]}' & '{value}'. Empty result set will be returned",
                    UserWarning,
                    stacklevel=2,
                )
                return True
        return False


@dataclass
class GetApiOptions:
    """`timeout` in seconds."""

    timeout: int = DEFAULT_RPC_TIMEOUT
    server_timeout_multiplier: float = 0.8

    def __post_init__(self) -> None:
        self.timeout = max(1, int(self.timeout * self.server_timeout_multiplier))


@dataclass
class SummaryApiOptions:
    """`timeout` in seconds. `summary_by`: for tasks `func_name` or `lineage`."""

    timeout: int = DEFAULT_RPC_TIMEOUT
    filters: list[Filter] | None = field(default_factory=list)
    summary_by: str | None = None

    def __post_init__(self) -> None:
        self.filters = _checked(self.filters)


@dataclass
class GetLogOptions:
    """Which log, and how much of it. Raises ValueError for what names none."""

    timeout: int
    node_id: str | None = None
    node_ip: str | None = None
    media_type: str = "file"
    filename: str | None = None
    download_filename: str = DEFAULT_DOWNLOAD_FILENAME
    actor_id: str | None = None
    task_id: str | None = None
    attempt_number: int = 0
    pid: int | None = None
    lines: int = DEFAULT_LOG_LIMIT
    interval: float | None = None
    suffix: str = "out"
    submission_id: str | None = None

    def __post_init__(self) -> None:
        if self.media_type not in ("file", "stream"):
            raise ValueError(f"Invalid media type: {self.media_type}. It is 'file' or 'stream'.")
        if not (self.node_id or self.node_ip or self.actor_id or self.task_id):
            raise ValueError(
                "node_id or node_ip must be provided when no actor_id or task_id is given."
            )
        if self.node_id and self.node_ip:
            raise ValueError(
                f"Both node_id and node_ip are given ({self.node_id}, {self.node_ip}). Give one of them."
            )
        named = (self.actor_id, self.task_id, self.pid, self.filename, self.submission_id)
        if not any(named):
            raise ValueError(
                "None of actor_id, task_id, pid, submission_id or filename is provided. At least one of "
                "them is required to fetch logs."
            )
        if self.suffix not in ("out", "err"):
            raise ValueError(f"Invalid suffix: {self.suffix}. Must be one of 'out' or 'err'.")

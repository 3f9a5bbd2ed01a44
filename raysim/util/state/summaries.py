"""Counts of rows by what they are of: functions, classes, call sites. Never where rows come from."""

from dataclasses import dataclass, field
from typing import Any

Row = dict[str, Any]

MIB = 1024**2


@dataclass
class TaskSummaryPerFuncOrClassName:
    func_or_class_name: str
    type: str
    state_counts: dict[str, int] = field(default_factory=dict)


@dataclass
class TaskSummaries:
    summary: dict[str, TaskSummaryPerFuncOrClassName]
    total_tasks: int
    total_actor_tasks: int
    total_actor_scheduled: int
    summary_by: str = "func_name"

    @classmethod
    def to_summary_by_func_name(cls, *, tasks: list[Row]) -> "TaskSummaries":
        """By the task's name."""
        summary: dict[str, TaskSummaryPerFuncOrClassName] = {}
        kinds: dict[str, int] = {}
        for task in tasks:
            key = task["name"] or task["func_or_class_name"]
            group = summary.setdefault(key, TaskSummaryPerFuncOrClassName(key, task["type"]))
            number = task.get("count", 1)
            _count(group.state_counts, task["state"], number)
            _count(kinds, task["type"], number)
        return cls(
            summary,
            kinds.get("NORMAL_TASK", 0),
            kinds.get("ACTOR_TASK", 0),
            kinds.get("ACTOR_CREATION_TASK", 0),
        )


@dataclass
class ActorSummaryPerClass:
    class_name: str
    state_counts: dict[str, int] = field(default_factory=dict)


@dataclass
class ActorSummaries:
    summary: dict[str, ActorSummaryPerClass]
    total_actors: int
    summary_by: str = "class"

    @classmethod
    def to_summary(cls, *, actors: list[Row]) -> "ActorSummaries":
        summary: dict[str, ActorSummaryPerClass] = {}
        for actor in actors:
            name = actor["class_name"]
            group = summary.setdefault(name, ActorSummaryPerClass(name))
            _count(group.state_counts, actor["state"])
        return cls(summary, len(actors))


@dataclass
class ObjectSummaryPerKey:
    total_objects: int = 0
    total_size_mb: float = 0.0
    total_num_workers: int = 0
    total_num_nodes: int = 0
    task_state_counts: dict[str, int] = field(default_factory=dict)
    task_attempt_number_counts: dict[str, int] = field(default_factory=dict)
    ref_type_counts: dict[str, int] = field(default_factory=dict)


@dataclass
class ObjectSummaries:
    summary: dict[str, ObjectSummaryPerKey]
    total_objects: int
    total_size_mb: float
    callsite_enabled: bool
    summary_by: str = "callsite"

    @classmethod
    def to_summary(cls, *, objects: list[Row]) -> "ObjectSummaries":
        """By where references were made; `disabled` for those of processes that do not note it."""
        groups: dict[str, list[Row]] = {}
        for row in objects:
            groups.setdefault(row["call_site"], []).append(row)
        summary = {site: _of_objects(rows) for site, rows in groups.items()}
        size = sum(group.total_size_mb for group in summary.values())
        return cls(summary, len(objects), size, "disabled" not in groups)


def _of_objects(rows: list[Row]) -> ObjectSummaryPerKey:
    group = ObjectSummaryPerKey(len(rows))
    group.total_size_mb = sum(max(0, row["object_size"]) for row in rows) / MIB
    group.total_num_workers = len({(row["ip"], row["pid"]) for row in rows})
    group.total_num_nodes = len({row["ip"] for row in rows})
    for row in rows:
        _count(group.task_state_counts, row["task_status"])
        _count(group.task_attempt_number_counts, str(row["attempt_number"]))
        _count(group.ref_type_counts, row["reference_type"])
    return group


@dataclass
class StateSummary:
    """By node id; `cluster` for what is not told apart by node."""

    node_id_to_summary: dict[str, TaskSummaries | ActorSummaries | ObjectSummaries]


def _count(counts: dict[str, int], key: str, number: int = 1) -> None:
    counts[key] = counts.get(key, 0) + number

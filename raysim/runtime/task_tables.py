"""Rows of tasks and objects in the words and units of Ray's tables. Never asks anybody for them."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from raysim.protocol.messages.state import AnyRow, CallStage, ObjectSeen, TaskCount, TaskSeen
from raysim.protocol.sieve import kind_of
from raysim.runtime.state_tables import Shown, Tables, fallbacks, job_of, needed, of_kind, selector
from raysim.spec.address import NOWHERE
from raysim.spec.ids import TaskId, actor_of_task
from raysim.spec.runtime_env import read_env, shown

Load = Callable[[bytes], tuple[Any, bool]]
"""The value of a pickled exception, and whether it is one."""

ENDED = ("FINISHED", "FAILED")


def merged_tasks(rows: Iterable[AnyRow]) -> list[TaskSeen]:
    """Each attempt once: as its owner knows it, and, while it is under way, as the process that has it does."""
    found: dict[tuple[TaskId, int], TaskSeen] = {}
    stages: dict[tuple[TaskId, int], CallStage] = {}
    for row in rows:
        if isinstance(row, TaskSeen):
            key = row.task_id, row.attempt
            # The GCS may know of its end from an owner that ended while it was asked.
            if key not in found or row.state in ENDED:
                found[key] = row
        elif isinstance(row, CallStage):
            stages[row.task_id, row.attempt] = row
    return [_with_stage(row, stages.get(key)) for key, row in found.items()]


def _with_stage(row: TaskSeen, stage: CallStage | None) -> TaskSeen:
    if stage is None or row.state in ENDED:
        return row
    row.state, row.start_ns, row.worker = stage.state, stage.start_ns, stage.worker
    return row


def task_rows(rows: Iterable[AnyRow], tables: Tables, load: Load) -> list[Shown]:
    return [_task(row, tables, load) for row in merged_tasks(rows)]


def counted_rows(rows: Iterable[AnyRow]) -> list[Shown]:
    """As `task_rows` has them, as far as they are counted by it."""
    return [
        {
            "name": row.name,
            "func_or_class_name": row.name,
            "type": row.kind,
            "state": row.state,
            "count": row.count,
        }
        for row in of_kind(rows, TaskCount)
    ]


def _task(row: TaskSeen, tables: Tables, load: Load) -> Shown:
    kind = kind_of(row.task_id)
    sent = row.worker != NOWHERE
    return {
        "task_id": row.task_id.hex(),
        "attempt_number": row.attempt,
        "name": row.name,
        "state": row.state,
        "job_id": job_of(row.task_id),
        "actor_id": None if kind == "NORMAL_TASK" else actor_of_task(row.task_id).hex(),
        "type": kind,
        "func_or_class_name": row.function,
        "parent_task_id": row.parent.hex(),
        "node_id": row.worker.node_id.hex() if sent else None,
        "worker_id": row.worker.worker_id.hex() if sent else None,
        "worker_pid": tables.pid(row.worker) if sent else None,
        "error_type": row.error or None,
        "language": "PYTHON",
        "required_resources": needed(row.need),
        "runtime_env_info": _env(row.runtime_env),
        "placement_group_id": None if row.group_id is None else row.group_id.hex(),
        "events": _events(row, tables),
        "profiling_data": {},
        "creation_time_ms": tables.ms(row.submitted_ns),
        "start_time_ms": tables.ms(row.start_ns),
        "end_time_ms": tables.ms(row.end_ns),
        "task_log_info": None,
        "error_message": message_of(row, load),
        "is_debugger_paused": None,
        "call_site": None,
        "label_selector": selector(row.selectors),
        "fallback_strategy": {"options": fallbacks(row.selectors)},
    }


def _env(text: str) -> Shown:
    serialized, timeout, eager = _of_env(text)
    return {
        "serialized_runtime_env": serialized,
        "runtime_env_config": {
            "setup_timeout_seconds": timeout,
            "eager_install": eager,
            "log_files": [],
        },
    }


@lru_cache(maxsize=64)
def _of_env(text: str) -> tuple[str, int, bool]:
    """Ten thousand rows have few."""
    config = read_env(text).config
    if config is None:
        return shown(text), 600, True
    return shown(text), config.setup_timeout_seconds, config.eager_install


def _events(row: TaskSeen, tables: Tables) -> list[Shown]:
    times = [
        ("PENDING_ARGS_AVAIL", row.submitted_ns),
        ("SUBMITTED_TO_WORKER", row.pushed_ns),
        ("RUNNING", row.start_ns),
        (row.state, row.end_ns),
    ]
    return [{"state": state, "created_ms": tables.ms(at)} for state, at in times if at]


def message_of(row: TaskSeen, load: Load) -> str | None:
    """Why it failed, in the words of its exception where there is one."""
    if not row.error:
        return None
    if not row.payload:
        return row.text
    try:
        return str(load(row.payload)[0])
    except Exception as error:  # noqa: BLE001  (what a user's exception does when it is unpickled)
        return f"An exception that this process cannot unpickle: {type(error).__name__}: {error}"


def object_rows(rows: Iterable[AnyRow], tables: Tables) -> list[Shown]:
    return [
        {
            "object_id": row.object_id.hex(),
            "object_size": row.size,
            "task_status": row.task_state,
            "attempt_number": row.attempt,
            "reference_type": row.reference,
            "call_site": row.call_site,
            "type": "DRIVER" if row.is_driver else "WORKER",
            "pid": row.pid,
            "ip": tables.ip(row.process.node_id),
        }
        for row in of_kind(rows, ObjectSeen)
    ]

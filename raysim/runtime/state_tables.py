"""Rows of the cluster's state in the words and units of Ray's tables. Never asks anybody for them."""

import json
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from raysim.protocol.messages.state import (
    ActorSeen,
    AnyRow,
    Ending,
    EnvSeen,
    EventSeen,
    GroupSeen,
    JobSeen,
    MetricSeen,
    MetricsKept,
    NodeSeen,
    ProcessSeen,
    Row,
)
from raysim.runtime.shown import node_table
from raysim.spec.address import NOWHERE, Address
from raysim.spec.ids import JOB_ID_BYTES, NIL_NODE, NIL_WORKER, NodeId, WorkerId
from raysim.spec.job import JobSettings
from raysim.spec.labels import Selector, as_given
from raysim.spec.node import NodeState
from raysim.spec.placement_group import base_name, plain
from raysim.spec.resources import Resources, floats, from_units
from raysim.spec.runtime_env import job_of_env, shown
from raysim.spec.state import Noun

Shown = dict[str, Any]
Kind = TypeVar("Kind", bound=Row)

UNKNOWN_MS = -1
"""Ray's value for a time that nobody noted."""


def of_kind(rows: Iterable[AnyRow], kind: type[Kind]) -> list[Kind]:
    return [row for row in rows if isinstance(row, kind)]


def job_of(identity: bytes) -> str:
    """Of an actor, a task, or a placement group."""
    return identity[-JOB_ID_BYTES:].hex()


def needed(resources: Resources) -> dict[str, float]:
    return floats(plain(resources))


def selector(selectors: Sequence[Selector]) -> dict[str, str]:
    return as_given(selectors[0]) if selectors else {}


def fallbacks(selectors: Sequence[Selector]) -> list[Shown]:
    return [{"label_selector": as_given(one)} for one in selectors[1:]]


def standing(job: JobSettings, used: Resources) -> Shown:
    """Columns of a job that no job of Ray's has: what it may have, and has, beside the others."""
    quota = {name: from_units(units) for name, units in job.quota.items()}
    return {
        "priority": job.priority,
        "quota": quota or None,
        "quota_used": {name: from_units(used.get(name, 0)) for name in quota} or None,
    }


class Tables:
    """Rows of several nouns, which say more together: pids, addresses."""

    def __init__(self, rows: Sequence[AnyRow], epoch_ns: int) -> None:
        self._rows = rows
        self._epoch_ns = epoch_ns
        self._ips = {row.state.info.address.node_id: _ip(row) for row in of_kind(rows, NodeSeen)}
        self._processes: dict[WorkerId, ProcessSeen] = {}
        for row in of_kind(rows, ProcessSeen):
            known = self._processes.get(row.process.worker_id)
            # One that ended while it was asked for is there twice.
            if known is None or row.end_ns:
                self._processes[row.process.worker_id] = row

    def rows(self, noun: Noun) -> list[Shown]:
        """Of nouns that have no module of their own."""
        makers: dict[Noun, tuple[type[Row], Callable[[Any], Shown]]] = {
            Noun.NODES: (NodeSeen, self._node),
            Noun.JOBS: (JobSeen, self._job),
            Noun.ACTORS: (ActorSeen, self._actor),
            Noun.PLACEMENT_GROUPS: (GroupSeen, self._group),
            Noun.RUNTIME_ENVS: (EnvSeen, self._env),
            Noun.CLUSTER_EVENTS: (EventSeen, self._event),
        }
        if noun is Noun.WORKERS:
            return [self._worker(row) for row in self._processes.values()]
        if noun is Noun.METRICS:
            return self._metrics()
        if noun not in makers:
            return []
        kind, make = makers[noun]
        rows = of_kind(self._rows, kind)
        return [make(row) for row in rows if not getattr(row, "observer", False)]

    def ms(self, time_ns: int) -> int | None:
        """Unix time; None for what has not happened."""
        return (time_ns + self._epoch_ns) // 1_000_000 if time_ns else None

    def ip(self, node_id: NodeId) -> str:
        return self._ips.get(node_id, "")

    def pid(self, process: Address) -> int | None:
        known = self._processes.get(process.worker_id)
        return None if known is None else known.pid

    def _node(self, row: NodeSeen) -> Shown:
        state, info = row.state, row.state.info
        return {
            "node_id": info.address.node_id.hex(),
            "node_ip": _ip(row),
            "is_head_node": info.is_head,
            "state": _state_of(state),
            "state_message": state.death_reason or (state.drain.reason if state.drain else None),
            "node_name": info.name,
            "resources_total": _own(info.total) if state.alive else {},
            "labels": dict(info.labels),
            "start_time_ms": self.ms(state.start_ns),
            "end_time_ms": self.ms(state.end_ns) or 0,
        }

    def _metrics(self) -> list[Shown]:
        """What each process has counted, and what those that have ended have together, without a `worker_id`; last
        who these are."""
        kept = {one for row in of_kind(self._rows, MetricsKept) for one in row.workers}
        # One that ended while it was asked for is in the sum already.
        rows = [
            self._metric(row)
            for row in of_kind(self._rows, MetricSeen)
            if row.process.worker_id not in kept
        ]
        return [*rows, {"ended": [one.hex() for one in kept]}]

    def _metric(self, row: MetricSeen) -> Shown:
        return {
            "name": row.name,
            "kind": row.kind,
            "description": row.description,
            "job_id": row.job_id.hex(),
            "worker_id": "" if row.process.worker_id == NIL_WORKER else row.process.worker_id.hex(),
            "node_ip": self.ip(row.process.node_id),
            "numbers": row.numbers,
        }

    def _job(self, row: JobSeen) -> Shown:
        job_id = row.job_id.hex()
        pid = self.pid(row.driver)
        driver = {
            "id": job_id,
            "node_ip_address": self.ip(row.driver.node_id),
            "pid": "" if pid is None else str(pid),
        }
        return {
            "type": "DRIVER",
            "job_id": job_id,
            "submission_id": None,
            "driver_info": driver,
            "status": "SUCCEEDED" if row.finished else "RUNNING",
            "entrypoint": row.entrypoint,
            "message": None,
            "error_type": None,
            "start_time": self.ms(row.start_ns),
            "end_time": self.ms(row.end_ns) or 0,
            "metadata": dict(row.metadata),
            "runtime_env": json.loads(shown(row.runtime_env)),
            "driver_agent_http_address": None,
            "driver_node_id": row.driver.node_id.hex(),
            "driver_exit_code": None,
            **standing(job_of_env(row.runtime_env), row.quota_used),
        }

    def _actor(self, row: ActorSeen) -> Shown:
        process = row.process
        placed = process != NOWHERE
        return {
            "actor_id": row.actor_id.hex(),
            "class_name": row.class_name,
            "state": row.state,
            "job_id": job_of(row.actor_id),
            "name": row.name,
            "node_id": process.node_id.hex() if placed else None,
            "pid": (self.pid(process) or 0) if placed else 0,
            "ray_namespace": row.namespace,
            "serialized_runtime_env": shown(row.runtime_env),
            "required_resources": needed(row.need),
            "death_cause": self._death(row),
            "is_detached": row.detached,
            "placement_group_id": None if row.group_id is None else row.group_id.hex(),
            "repr_name": row.shown,
            "num_restarts": row.restarts,
            "num_restarts_due_to_lineage_reconstruction": 0,
            "num_restarts_due_to_node_preemption": 0,
            "call_site": None,
            "label_selector": selector(row.selectors),
            "fallback_strategy": fallbacks(row.selectors) or None,
        }

    def _death(self, row: ActorSeen) -> Shown | None:
        death = row.death
        if death is None:
            return None
        if death.init_failed:
            return {"creation_task_failure_context": {"formatted_exception_string": death.text}}
        return {
            "actor_died_error_context": {
                "error_message": death.text,
                "reason": death.reason or "UNSPECIFIED",
                "node_ip_address": self.ip(row.process.node_id),
                "pid": self.pid(row.process) or 0,
                "ray_namespace": row.namespace,
                "class_name": row.class_name,
                "actor_id": row.actor_id.hex(),
                "name": row.name,
                "never_started": row.process == NOWHERE,
            }
        }

    def _group(self, row: GroupSeen) -> Shown:
        info = row.info
        group_id = info.group_id.hex()
        bundles = [
            {
                "bundle_id": {"placement_group_id": group_id, "bundle_index": index},
                "unit_resources": floats(bundle),
                "node_id": "" if node_id == NIL_NODE else node_id.hex(),
                "label_selector": {},
            }
            for index, (bundle, node_id) in enumerate(zip(info.bundles, info.nodes, strict=True))
        ]
        return {
            "placement_group_id": group_id,
            "name": info.name,
            "creator_job_id": job_of(info.group_id),
            "state": str(info.state),
            "bundles": bundles,
            "is_detached": row.detached,
            "stats": {
                "end_to_end_creation_latency_us": str(info.waited_ns // 1000),
                "scheduling_attempt": info.attempts,
                "scheduling_state": info.progress,
            },
            "topology_strategy": {},
            "topology_assignments": {},
        }

    def _worker(self, row: ProcessSeen) -> Shown:
        return {
            "worker_id": row.process.worker_id.hex(),
            "is_alive": not row.end_ns,
            "worker_type": "DRIVER" if row.is_driver else "WORKER",
            "exit_type": str(row.ending) if row.ending is not Ending.NONE else None,
            "node_id": row.process.node_id.hex(),
            "ip": self.ip(row.process.node_id),
            "pid": row.pid,
            "exit_detail": row.detail or None,
            "worker_launch_time_ms": UNKNOWN_MS,
            "worker_launched_time_ms": UNKNOWN_MS,
            "start_time_ms": self.ms(row.start_ns),
            "end_time_ms": self.ms(row.end_ns) or 0,
            "debugger_port": None,
            "num_paused_threads": None,
        }

    def _env(self, row: EnvSeen) -> Shown:
        return {
            "runtime_env": json.loads(shown(row.runtime_env)),
            "success": row.ready,
            "creation_time_ms": row.set_up_ns / 1e6 if row.ready else None,
            "node_id": row.node_id.hex(),
            "ref_cnt": row.users,
            "error": row.problem or None,
        }

    def _event(self, row: EventSeen) -> Shown:
        return {
            "severity": row.severity,
            "time": str(self.ms(row.time_ns)),
            "source_type": row.source,
            "message": row.text,
            "event_id": f"{row.number:036x}",
            "custom_fields": dict(row.fields),
        }


def _own(total: Resources) -> dict[str, float]:
    """Without what the node offers for placement groups besides."""
    return {name: value for name, value in floats(total).items() if base_name(name)[0] == name}


def _state_of(state: NodeState) -> str:
    if not state.alive:
        return "DEAD"
    return "ALIVE" if state.drain is None else "DRAINING"


def _ip(row: NodeSeen) -> str:
    return str(node_table(row.state)["NodeManagerAddress"])

"""A run that is over, as if one looked at a moment of it: the same answers as a cluster's. Never reads its folder."""

from __future__ import annotations

from typing import Any

import msgspec

from raysim.report import explaining
from raysim.report.chrome_trace import chrome_trace
from raysim.report.page import end_of
from raysim.report.timeline import chart_data, height
from raysim.report.view import Attempt, Mark, View, view_of
from raysim.scenario.folder import KeptRun
from raysim.spec.explanation import Explanation
from raysim.spec.sample import Sample
from raysim.util.state.client import SCHEMAS, Page, put_in_order
from raysim.util.state.filters import do_filter
from raysim.util.state.options import (
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)
from raysim.util.state.summaries import ActorSummaries, ObjectSummaries, TaskSummaries

Row = dict[str, Any]

JOB: str = "01000000"
"""A run is one program."""


class PastRun:
    """A run, as if one had looked `at_s` after its first submission. Knows its tasks, nodes, and what went wrong."""

    def __init__(self, run: KeptRun, at_s: float | None = None, view: View | None = None) -> None:
        """`at_s`: None for when it was over."""
        self._run = run
        self._view = view or view_of(run.journal, run.time_scale, run.start_ns)
        self._end_s = end_of(run, self._view)
        self.at_s = self._end_s if at_s is None else at_s

    def at(self, at_s: float) -> PastRun:
        return PastRun(self._run, at_s, self._view)

    def about(self) -> Row:
        marks = [[mark.at_s, mark.kind, mark.text] for mark in self._view.marks]
        return {
            "kind": "run",
            "name": self._run.summary.name or "run",
            "end_s": self._end_s,
            "marks": marks,
        }

    def page(
        self, resource: StateResource, options: ListApiOptions, offset: int, order: str
    ) -> Page:
        schema = SCHEMAS[resource]
        rows = do_filter(self._rows(resource), options.filters or [], schema)
        if order:
            put_in_order(rows, order, schema)
        shown = rows[offset : offset + options.limit]
        columns = schema.list_columns(detail=options.detail)
        return Page(
            [schema(**{name: row.get(name) for name in columns}) for row in shown],
            len(rows),
            self._missing(resource),
        )

    def summary(self, resource: SummaryResource, options: SummaryApiOptions) -> Row:
        kind = StateResource(resource.value)
        rows = do_filter(self._rows(kind), options.filters or [], SCHEMAS[kind])
        found: TaskSummaries | ActorSummaries | ObjectSummaries
        if resource is SummaryResource.TASKS:
            found = TaskSummaries.to_summary_by_func_name(tasks=rows)
        elif resource is SummaryResource.ACTORS:
            found = ActorSummaries.to_summary(actors=rows)
        else:
            found = ObjectSummaries.to_summary(objects=rows)
        return {"cluster": msgspec.to_builtins(found)}

    def nodes(self) -> list[Row]:
        return [
            {
                "node_id": node.name,
                "hostname": node.name,
                "ip": "",
                "alive": node.lost_s is None or node.lost_s > self.at_s,
                "is_head": index == 0,
                "state_message": None,
                "labels": {},
                "start_time_ms": 0,
                "end_time_ms": 0 if node.lost_s is None else round(node.lost_s * 1000),
                "resources_total": {} if node.cpus is None else {"CPU": node.cpus},
                "object_store": {},
                "sample": None,
            }
            for index, node in enumerate(self._view.nodes)
        ]

    def used(self) -> dict[str, dict[str, float]]:
        total = sum(
            node.cpus or 0.0
            for node in self._view.nodes
            if node.lost_s is None or node.lost_s > self.at_s
        )
        running = sum(one.start_s <= self.at_s < one.end_s for one in self._view.attempts)
        return {"CPU": {"used": min(float(running), total), "total": total}}

    def chart(self) -> Row:
        data = chart_data(self._run.records, self._view, self._end_s)
        return {**data, "height": height(self._view)}

    def trace(self) -> bytes:
        return chrome_trace(self._view, self._run.summary.name)

    def explain(self, identity: str) -> Explanation:
        try:
            return explaining.explain(self._run, self._view, identity)
        except explaining.UnknownTaskError as error:
            raise FileNotFoundError(str(error)) from error

    def _missing(self, resource: StateResource) -> str:
        kept, there = len(self._view.attempts), self._run.journal.attempts
        if resource is not StateResource.TASKS or kept >= there:
            return ""
        return f"The first {kept} of {there} attempts are shown: the journal keeps no more."

    def measured(self) -> list[Row]:
        return []  # What a run's programs counted is not in its folder.

    def samples(self, seconds: int) -> dict[str, list[Sample]]:
        return {}

    def _rows(self, resource: StateResource) -> list[Row]:
        match resource:
            case StateResource.TASKS:
                return [
                    self._task(one) for one in self._view.attempts if one.submitted_s <= self.at_s
                ]
            case StateResource.NODES:
                return [
                    {
                        **row,
                        "node_name": row["hostname"],
                        "node_ip": "",
                        "is_head_node": row["is_head"],
                    }
                    | {"state": "ALIVE" if row["alive"] else "DEAD"}
                    for row in self.nodes()
                ]
            case StateResource.CLUSTER_EVENTS:
                return [
                    self._event(number, mark)
                    for number, mark in enumerate(self._view.marks)
                    if mark.at_s <= self.at_s
                ]
            case _:
                return []

    def _task(self, one: Attempt) -> Row:
        node = self._view.nodes[one.node].name if one.node >= 0 else None
        begun, ended = one.start_s <= self.at_s, one.end_s <= self.at_s
        state = "RUNNING" if begun else "PENDING_NODE_ASSIGNMENT"
        if ended:
            state = "FINISHED" if one.status == "finished" else "FAILED"
        return {
            "task_id": one.task,
            "attempt_number": one.number,
            "name": one.name,
            "state": state,
            "job_id": JOB,
            "actor_id": None,
            "type": "NORMAL_TASK",
            "func_or_class_name": one.name,
            "parent_task_id": "",
            "node_id": node if begun else None,
            "worker_id": one.worker if begun else None,
            "worker_pid": None,
            "error_type": one.status.upper() if state == "FAILED" else None,
            "error_message": one.reason if state == "FAILED" else None,
            "creation_time_ms": round(one.submitted_s * 1000),
            "start_time_ms": round(one.start_s * 1000) if begun else None,
            "end_time_ms": round(one.end_s * 1000) if ended else None,
        }

    def _event(self, number: int, mark: Mark) -> Row:
        return {
            "event_id": f"{number:08d}",
            "severity": "ERROR" if mark.kind in ("node lost", "object lost") else "WARNING",
            "time": str(round(mark.at_s * 1000)),
            "source_type": mark.kind.upper().replace(" ", "_"),
            "message": mark.text,
            "custom_fields": {"node": self._view.nodes[mark.node].name} if mark.node >= 0 else {},
        }

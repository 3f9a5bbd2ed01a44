"""Where answers come from, and the source that is a running cluster. Never a request; a run that is over: past_run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Protocol

import msgspec

import raysim
from raysim.dashboard.trend import SPAN_S, full_in, memory_trend
from raysim.dashboard.user_metrics import Remembered
from raysim.report.chrome_trace import chrome_trace
from raysim.report.timeline import chart_data, height
from raysim.report.view import Attempt, Mark, Node, View
from raysim.spec.explanation import Explanation
from raysim.spec.sample import FOLDER, PERIOD_S, Sample, file_name
from raysim.util.metrics import cluster_rows
from raysim.util.state.api import list_nodes
from raysim.util.state.client import Page, StateApiClient, connected
from raysim.util.state.explaining import UnknownIdError, explain
from raysim.util.state.logs import LogFile, LogReader
from raysim.util.state.options import (
    RAY_MAX_LIMIT_FROM_API_SERVER,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)

Row = dict[str, Any]


class BadMomentError(Exception):
    """What was asked of a past that nobody knows."""


class Source(Protocol):
    """All of it waits for its answer."""

    def at(self, at_s: float) -> Source:
        """The same at that moment. Raises BadMomentError where only now is known."""

    def about(self) -> Row:
        """What is looked at: `kind` (cluster, run), `name`; of a run its `end_s` and `marks`."""

    def page(
        self, resource: StateResource, options: ListApiOptions, offset: int, order: str
    ) -> Page:
        """As StateApiClient."""

    def summary(self, resource: SummaryResource, options: SummaryApiOptions) -> Row:
        """As StateApiClient, of the whole."""

    def nodes(self) -> list[Row]:
        """Each node: what it has, what of it is used, and its store."""

    def used(self) -> dict[str, dict[str, float]]:
        """Of each resource of the whole: `used`, `total`."""

    def chart(self) -> Row:
        """What the timeline is drawn from."""

    def trace(self) -> bytes:
        """The same as events of Chrome's tracing, which Perfetto shows."""

    def explain(self, identity: str) -> Explanation:
        """Why the thing of this id is as it is. Raises FileNotFoundError for what nobody knows."""

    def measured(self) -> list[Row]:
        """What programs count, and those that have ended: rows of `raysim.util.metrics.Rows`, summed."""

    def samples(self, seconds: int) -> dict[str, list[Sample]]:
        """What each node noted of itself in the last so many seconds at least, the oldest first, by its id."""


class Cluster:
    """The one that this process is connected to, as an observer: no row is of this connection."""

    def __init__(self) -> None:
        self._remembered = Remembered()

    def at(self, at_s: float) -> Source:
        raise BadMomentError("A cluster that runs is shown as it is now: leave out at=.")

    def about(self) -> Row:
        context = connected(None).context_info()
        return {"kind": "cluster", "name": context.gcs_address, "session": context.session_name}

    def page(
        self, resource: StateResource, options: ListApiOptions, offset: int, order: str
    ) -> Page:
        return StateApiClient().page(resource, options, offset, order)

    def summary(self, resource: SummaryResource, options: SummaryApiOptions) -> Row:
        return StateApiClient().summary(
            resource, options=options, raise_on_missing_output=False, _explain=True
        )

    def nodes(self) -> list[Row]:
        live = {node["NodeID"]: node for node in raysim.nodes()}
        latest = self.samples(SPAN_S)
        rows: list[Row] = []
        for node in list_nodes(detail=True, limit=RAY_MAX_LIMIT_FROM_API_SERVER):
            samples = latest.get(node.node_id, [])
            rows.append(
                {
                    "node_id": node.node_id,
                    "hostname": node.node_name,
                    "ip": node.node_ip,
                    "alive": node.state == "ALIVE",
                    "is_head": node.is_head_node,
                    "state_message": node.state_message,
                    "labels": node.labels,
                    "start_time_ms": node.start_time_ms,
                    "end_time_ms": node.end_time_ms,
                    "resources_total": node.resources_total,
                    "object_store": live.get(node.node_id, {}).get("ObjectStore", {}),
                    "sample": msgspec.structs.asdict(samples[-1]) if samples else None,
                    "memory_trend": memory_trend(samples),
                    "memory_full_in": full_in(samples),
                }
            )
        return sorted(rows, key=lambda row: (not row["alive"], not row["is_head"], row["hostname"]))

    def used(self) -> dict[str, dict[str, float]]:
        total, free = raysim.cluster_resources(), raysim.available_resources()
        return {
            name: {"used": quantity - free.get(name, 0), "total": quantity}
            for name, quantity in sorted(total.items())
            if ":" not in name and "_group_" not in name
        }

    def chart(self) -> Row:
        view = self._view()
        return {**chart_data(None, view, view.end_s), "height": height(view)}

    def trace(self) -> bytes:
        return chrome_trace(self._view(), "cluster")

    def explain(self, identity: str) -> Explanation:
        try:
            return explain(identity)
        except UnknownIdError as error:
            raise FileNotFoundError(str(error)) from error

    def _view(self) -> View:
        """Of the tasks that can still be asked for. Zero is the first submission."""
        with warnings.catch_warnings(record=True):
            options = ListApiOptions(limit=RAY_MAX_LIMIT_FROM_API_SERVER, detail=True)
            tasks = self.page(StateResource.TASKS, options, 0, "creation_time_ms").rows
        return view_of_tasks(tasks, self.nodes())

    def measured(self) -> list[Row]:
        return self._remembered.with_those_gone(cluster_rows())

    def samples(self, seconds: int) -> dict[str, list[Sample]]:
        """The head has them all."""
        logs = connected(None).logs()
        nodes = list_nodes(limit=RAY_MAX_LIMIT_FROM_API_SERVER)
        heads = [node.node_id for node in nodes if node.is_head_node and node.state == "ALIVE"]
        if not heads:
            return {}  # It is just about to come back.
        there, (head, *_) = set(logs.names(heads[0])), heads
        found = {}
        for node in nodes:
            name = f"{FOLDER}/{file_name(node.node_id)}"
            if name in there:
                lines = LogReader(LogFile(logs, head, name)).last(seconds // PERIOD_S + 1)
                found[node.node_id] = [
                    msgspec.json.decode(line, type=Sample) for line in b"".join(lines).splitlines()
                ]
        return found


def view_of_tasks(tasks: Sequence[Any], nodes: Sequence[Row]) -> View:
    """Of rows of the state API, which know times in ms."""
    places = {node["node_id"]: index for index, node in enumerate(nodes)}
    begun = [task for task in tasks if task.start_time_ms]
    zero = min((task.creation_time_ms or task.start_time_ms for task in begun), default=0)
    now = max((task.end_time_ms or task.start_time_ms for task in begun), default=zero)
    attempts = [
        Attempt(
            task=task.task_id,
            name=task.name,
            number=task.attempt_number,
            status={"FINISHED": "finished", "FAILED": "failed"}.get(task.state, "running"),
            submitted_s=((task.creation_time_ms or task.start_time_ms) - zero) / 1000,
            start_s=(task.start_time_ms - zero) / 1000,
            end_s=((task.end_time_ms or now) - zero) / 1000,
            node=places.get(task.node_id, -1),
            worker=str(task.worker_id or "")[:8],
            reason=task.error_message or "",
        )
        for task in begun
    ]
    known = [
        Node(
            node["hostname"],
            node["resources_total"].get("CPU"),
            None if node["alive"] else max(0.0, (node["end_time_ms"] - zero) / 1000),
        )
        for node in nodes
    ]
    marks = [
        Mark(node.lost_s, "node lost", node.name, index)
        for index, node in enumerate(known)
        if node.lost_s is not None
    ]
    return View(known, attempts, marks, (), (now - zero) / 1000)

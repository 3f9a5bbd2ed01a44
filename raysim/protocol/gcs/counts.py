"""What user code of processes that have ended has counted, as sums, so that no counter falls. Never gauges.

Kept by series, of which there are few, and not by process, of which there are ever more.
"""

from itertools import groupby
from typing import NamedTuple

from raysim.protocol.messages.state import MetricSeen, MetricsKept
from raysim.spec.address import Address
from raysim.spec.ids import NIL_WORKER, JobId, NodeId, WorkerId

SERIES_KEPT = 20_000
"""Numbers, of each those that were added to last: about 10 MB. Ours."""


class _Metric(NamedTuple):
    """By which rows are told apart."""

    node_id: NodeId
    job_id: JobId
    name: str
    kind: str


class _Series(NamedTuple):
    metric: _Metric
    suffix: str
    tags: tuple[tuple[str, str], ...]


class Counts:
    def __init__(self, remembered: int) -> None:
        """`remembered`: processes that are named."""
        self._remembered = remembered
        self._sums: dict[_Series, float] = {}
        """Those added to last at the end."""
        self._descriptions: dict[_Metric, str] = {}
        self._ended: dict[WorkerId, None] = {}

    def add(self, process: Address, metrics: list[MetricSeen]) -> None:
        if process.worker_id in self._ended:
            return  # Said twice.
        self._ended[process.worker_id] = None
        if len(self._ended) > self._remembered:
            del self._ended[next(iter(self._ended))]
        for row in metrics:
            metric = _Metric(process.node_id, row.job_id, row.name, row.kind)
            self._descriptions.setdefault(metric, row.description)
            for suffix, tags, value in row.numbers:
                series = _Series(metric, suffix, tuple(tags.items()))
                self._sums[series] = self._sums.pop(series, 0) + value
        self._forget()

    def rows(self) -> list[MetricSeen | MetricsKept]:
        """One of each metric, job and node, whose `process` names the node alone; last who is in them."""
        found: list[MetricSeen | MetricsKept] = []
        in_order = sorted(self._sums.items(), key=lambda item: item[0].metric)
        for metric, group in groupby(in_order, key=lambda item: item[0].metric):
            node_id, job_id, name, kind = metric
            numbers = [(series.suffix, dict(series.tags), value) for series, value in group]
            about = self._descriptions[metric]
            node = Address(node_id, NIL_WORKER)
            found.append(MetricSeen(node, job_id, name, kind, about, numbers))
        if self._ended:
            found.append(MetricsKept(list(self._ended)))
        return found

    def _forget(self) -> None:
        if len(self._sums) <= SERIES_KEPT:
            return
        while len(self._sums) > SERIES_KEPT:
            del self._sums[next(iter(self._sums))]
        left = {series.metric for series in self._sums}
        self._descriptions = {
            metric: text for metric, text in self._descriptions.items() if metric in left
        }

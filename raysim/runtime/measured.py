"""What the user code of one process has counted. Never the metrics that it counts with: see util.metrics.

Values are the process's, not the metric's: one that many tasks make anew goes on, and simulated processes, which share
modules, have their own.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from typing import NamedTuple

from raysim.protocol.messages.state import MetricSeen, Number
from raysim.spec.address import Address
from raysim.spec.ids import JobId

Tags = tuple[tuple[str, str], ...]
"""Sorted pairs: what tells the series of one metric apart."""


class About(NamedTuple):
    """A metric. Those of one name and kind are one, as the first describes it. `ends`: upper ones of a histogram's
    buckets, ascending."""

    name: str
    kind: str
    description: str = ""
    ends: tuple[float, ...] = ()


class _Observed:
    """Of one combination of tags: how many fell into each bucket, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum = 0.0


class _Values:
    __slots__ = ("about", "numbers", "observed")

    def __init__(self, about: About) -> None:
        self.about = about
        self.numbers: dict[Tags, float] = {}
        self.observed: dict[Tags, _Observed] = {}

    # As lists: other threads count meanwhile.

    def rows(self) -> list[Number]:
        suffix = "_total" if self.about.kind == "counter" else ""
        found: list[Number] = [(suffix, dict(tags), v) for tags, v in list(self.numbers.items())]
        ends = [*(str(float(end)) for end in self.about.ends), "+Inf"]
        for key, observed in list(self.observed.items()):
            tags, totals = dict(key), list(itertools.accumulate(observed.counts))
            found += [
                ("_bucket", {**tags, "le": end}, total)
                for end, total in zip(ends, totals, strict=True)
            ]
            found += [("_sum", tags, observed.sum), ("_count", tags, totals[-1])]
        return found


class Measured:
    """Of one process."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], _Values] = {}

    def add(self, about: About, tags: Tags, value: float) -> None:
        numbers = self._of(about).numbers
        numbers[tags] = numbers.get(tags, 0) + value

    def put(self, about: About, tags: Tags, value: float) -> None:
        self._of(about).numbers[tags] = value

    def observe(self, about: About, tags: Tags, value: float) -> None:
        values = self._of(about)
        ends = values.about.ends
        observed = values.observed.get(tags)
        if observed is None:
            observed = values.observed[tags] = _Observed(len(ends) + 1)
        observed.counts[bisect_left(ends, value)] += 1
        observed.sum += value

    def rows(self, process: Address, job_id: JobId) -> list[MetricSeen]:
        """`job_id`: for which the process works."""
        return [
            MetricSeen(
                process,
                job_id,
                values.about.name,
                values.about.kind,
                values.about.description,
                values.rows(),
            )
            for values in list(self._found.values())
        ]

    def _of(self, about: About) -> _Values:
        key = (about.name, about.kind)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = _Values(about)
        return found

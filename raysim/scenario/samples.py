"""What is measured of each task, and how it is spread. Never a figure of the run as a whole: see summary."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from math import fsum, isnan

import msgspec

from raysim.scenario.expression import at_rank
from raysim.scenario.figures import BOUND_S, SAMPLES
from raysim.scenario.task_records import Records


class Spread(msgspec.Struct, frozen=True):
    """A sample in a few numbers; percentiles by nearest rank."""

    count: int
    mean: float
    min: float
    p50: float
    p90: float
    p95: float
    p99: float
    max: float


def spread(values: Sequence[float]) -> Spread | None:
    """None of nothing."""
    if not values:
        return None
    ranked = sorted(values)
    p50, p90, p95, p99 = (at_rank(ranked, percent) for percent in (50, 90, 95, 99))
    mean = fsum(ranked) / len(ranked)
    return Spread(len(ranked), mean, ranked[0], p50, p90, p95, p99, ranked[-1])


def sample(name: str, records: Records) -> Sequence[float]:
    """The values of one of SAMPLES, one for each completed task; times are in seconds."""
    since: Iterable[float]
    until: Iterable[float] = records.end_s
    match name:
        case "slowdown":
            return _slowdowns(records)
        case "bounded_slowdown":
            return _bounded_slowdowns(records)
        case "scheduling_delay":
            if any(map(isnan, records.pushed_s)):
                return ()  # Some world does not say it.
            since, until = records.ready_s, records.pushed_s
        case "task_wait":
            since, until = records.ready_s, records.start_s
        case "task_run":
            since = records.start_s
        case "task_time":
            since = records.submitted_s
        case _:
            raise ValueError(f"{name!r} is not one of {', '.join(SAMPLES)}")
    pairs = zip(until, since, records.end_s, strict=True)
    return array("d", (to_s - from_s for to_s, from_s, end_s in pairs if end_s == end_s))


def _slowdowns(records: Records) -> Sequence[float]:
    rows = zip(records.submitted_s, records.start_s, records.end_s, strict=True)
    return array("d", ((end - came) / (end - start) for came, start, end in rows if end > start))


def _bounded_slowdowns(records: Records) -> Sequence[float]:
    rows = zip(records.submitted_s, records.start_s, records.end_s, strict=True)
    return array(
        "d",
        (
            max(1.0, (end - came) / max(end - start, BOUND_S))
            for came, start, end in rows
            if end == end
        ),
    )

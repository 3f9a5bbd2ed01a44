"""What programs count with `raysim.util.metrics`, as Prometheus reads it. Never what raysim counts: see metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from raysim.util.metrics import Rows, Sample, samples_of

MOST: Final = 1_000
"""Processes that were killed of which each is remembered; of those before them, their sum."""

MOST_SERIES: Final = 20_000
"""Numbers of that sum."""

Row = dict[str, Any]


class Remembered:
    """The last that each process said. One that was killed, or does not answer now, has not counted less since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, list[Row]] = {}
        """Of each process, the one that was heard of last at the end."""
        self._sum: list[Row] = []

    def with_those_gone(self, found: Rows) -> list[Row]:
        """Gauges of processes that live, and what all have counted that ever did: one row of each counter or histogram
        of a job on a node, so that what a process has counted stays in its series when it ends."""
        now: dict[str, list[Row]] = {}
        for row in found.rows:
            now.setdefault(row["worker_id"], []).append(row)
        of_ended = now.pop("", [])
        with self._lock:
            for process in [*now, *found.ended]:
                self._rows.pop(process, None)
            gone = [row for said in self._rows.values() for row in said if row["kind"] != "gauge"]
            known = [*self._sum, *gone, *of_ended]
            self._rows.update(now)
            while len(self._rows) > MOST + len(now):
                said = self._rows.pop(next(iter(self._rows)))
                counted = [row for row in said if row["kind"] != "gauge"]
                self._sum = _cut(together([*self._sum, *counted]))
        return together([*known, *(row for said in now.values() for row in said)])


def together(rows: Iterable[Row]) -> list[Row]:
    """Counters and histograms of several processes as one row for each metric, job and node; gauges as they are."""
    gauges: list[Row] = []
    sums: dict[tuple[str, ...], tuple[Row, dict[Any, float]]] = {}
    for row in rows:
        if row["kind"] == "gauge":
            gauges.append(row)
            continue
        key = tuple(row[one] for one in ("name", "kind", "job_id", "node_ip"))
        _, numbers = sums.setdefault(key, ({**row, "worker_id": ""}, {}))
        for suffix, tags, value in row["numbers"]:
            series = (suffix, tuple(tags.items()))
            numbers[series] = numbers.get(series, 0) + value
    return [
        *(
            {**row, "numbers": [(suffix, dict(tags), v) for (suffix, tags), v in numbers.items()]}
            for row, numbers in sums.values()
        ),
        *gauges,
    ]


def _cut(rows: list[Row]) -> list[Row]:
    """Without the first of them, where there are too many numbers."""
    left = MOST_SERIES
    for index in range(len(rows) - 1, -1, -1):
        left -= len(rows[index]["numbers"])
        if left < 0:
            return rows[index + 1 :]
    return rows


def exposition(rows: Iterable[Row]) -> str:
    """In the text format of Prometheus. Of a name with two kinds the first one counts."""
    kinds: dict[str, str] = {}
    groups: dict[str, list[str]] = {}
    for row in rows:
        if kinds.setdefault(row["name"], row["kind"]) != row["kind"]:
            continue
        lines = groups.setdefault(row["name"], [])
        samples = samples_of(row)
        if samples and not lines:
            family = _family(samples[0])
            lines.append(f"# HELP {family} {escaped(row['description'])}")
            lines.append(f"# TYPE {family} {row['kind']}")
        lines += [line(sample.name, sample.tags, sample.value) for sample in samples]
    return "".join(f"{one}\n" for lines in groups.values() for one in lines)


def _family(sample: Sample) -> str:
    return sample.name.removesuffix("_bucket") if sample.kind == "histogram" else sample.name


def line(name: str, labels: Mapping[str, str], value: float) -> str:
    said = ",".join(f'{label}="{_quoted(text)}"' for label, text in labels.items())
    return f"{name}{{{said}}} {value}" if said else f"{name} {value}"


def escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    """A label's value: a task's name may hold anything."""
    return escaped(text).replace('"', '\\"')

"""What programs count with `raysim.util.metrics`, as Prometheus reads it. Never what raysim counts: see metrics."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping
from typing import Any, Final

from raysim.util.metrics import Sample, samples_of

MOST: Final = 1_000
"""Processes that are remembered. As many as the GCS keeps of those that ended in good order."""

Row = dict[str, Any]


class Remembered:
    """The last that each process said. One that was killed, or does not answer now, has not counted less since."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rows: dict[str, dict[tuple[str, str], Row]] = {}
        """Of each process, the one that was heard of last at the end."""

    def with_those_gone(self, rows: Iterable[Row]) -> list[Row]:
        """These, and counters and histograms of processes that said something before."""
        now: dict[str, dict[tuple[str, str], Row]] = {}
        for row in rows:  # One that ends while it is asked is there twice, its own word last.
            now.setdefault(row["worker_id"], {})[row["name"], row["kind"]] = row
        with self._lock:
            gone = [
                row
                for process, said in self._rows.items()
                if process not in now
                for row in said.values()
                if row["kind"] != "gauge"
            ]
            for process, said in now.items():
                self._rows.pop(process, None)
                self._rows[process] = said
            while len(self._rows) > MOST:
                del self._rows[next(iter(self._rows))]
        return [*gone, *(row for said in now.values() for row in said.values())]


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

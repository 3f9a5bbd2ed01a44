"""What many runs came to, a row each, as a table that others read. Never runs one, never prints."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from raysim.scenario.figures import SAMPLES
from raysim.scenario.summary import Summary

CSV: Final = "runs.csv"
JSON: Final = "runs.json"

_NOT_FIGURES: Final = ("name", "samples", "expectations", "command")
_OF_SAMPLES: Final = ("mean", "p50", "p95", "p99")


class RunOutcome(msgspec.Struct, frozen=True):
    """One run of several; without a summary where it came to no end."""

    run: str
    """Its name: of its scenario, of its case in a sweep, or both."""
    status: int
    """0: as expected."""
    summary: Summary | None = None

    def json(self) -> str:
        """In one line."""
        return msgspec.json.encode(self).decode()


def write_outcomes(folder: Path, outcomes: Sequence[RunOutcome]) -> None:
    """As `runs.csv` and `runs.json` in this folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = msgspec.json.format(msgspec.json.encode(list(outcomes)), indent=2)
    (folder / JSON).write_bytes(packed + b"\n")
    with (folder / CSV).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        axes = _axes(outcomes)
        figures = _figures(axes)
        rows.writerow(["run", *axes, "status", *figures])
        for one in outcomes:
            values = _values(one.run)
            swept = (values.get(axis, "") for axis in axes)
            rows.writerow(
                [one.run, *swept, one.status, *(_shown(one.summary, name) for name in figures)]
            )


def _figures(axes: Sequence[str]) -> list[str]:
    """`makespan_s`, `mean(task_wait)`: as an expectation has them."""
    none = (*_NOT_FIGURES, *axes)
    plain = [name for name in Summary.__struct_fields__ if name not in none]
    return plain + [f"{of}({name})" for name in SAMPLES for of in _OF_SAMPLES]


def _shown(summary: Summary | None, figure: str) -> str:
    if summary is None:
        return ""
    of, _, name = figure.rstrip(")").rpartition("(")
    value = getattr(summary.samples.get(name), of, None) if of else getattr(summary, name)
    if value is None:
        return ""
    return f"{value:.9g}" if isinstance(value, float) else str(value)


def _axes(outcomes: Sequence[RunOutcome]) -> list[str]:
    """Fields that are swept, a column each."""
    return list(dict.fromkeys(axis for one in outcomes for axis in _values(one.run)))


def _values(run: str) -> dict[str, str]:
    """Of `quickstart/policy=spread,nodes=8`."""
    pairs = (part.partition("=") for part in run.rpartition("/")[2].split(","))
    return {axis: value for axis, sign, value in pairs if sign}

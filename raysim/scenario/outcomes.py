"""What many runs came to, a row each, as a table that others read. Never runs one, never prints."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import msgspec

from raysim.scenario.running import Run
from raysim.scenario.summary import Summary, sample

CSV: Final = "runs.csv"
JSON: Final = "runs.json"

_NOT_FIGURES: Final = ("expectations", "command")


class RunOutcome(msgspec.Struct, frozen=True):
    """One run of several; without a summary where it came to no end."""

    run: str
    """Its name: of its scenario, of its case in a sweep, or both."""
    status: int
    """0: as expected."""
    summary: Summary | None = None
    wait_s: float | None = None
    """Mean of `task_wait`."""
    p95_wait_s: float | None = None
    slowdown: float | None = None
    """Mean of `slowdown`."""

    def json(self) -> str:
        """In one line."""
        return msgspec.json.encode(self).decode()


def outcome_row(name: str, status: int, run: Run | None = None) -> RunOutcome:
    """The row of this run."""
    if run is None:
        return RunOutcome(name, status)
    waits = sorted(sample("task_wait", run.records, run.experiment.workflow))
    slowdowns = sample("slowdown", run.records, run.experiment.workflow)
    return RunOutcome(
        name,
        status,
        run.summary,
        fmean(waits) if waits else None,
        waits[-(-len(waits) * 95 // 100) - 1] if waits else None,
        fmean(slowdowns) if slowdowns else None,
    )


def write_outcomes(folder: Path, outcomes: Sequence[RunOutcome]) -> None:
    """As `runs.csv` and `runs.json` in this folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = msgspec.json.format(msgspec.json.encode(list(outcomes)), indent=2)
    (folder / JSON).write_bytes(packed + b"\n")
    with (folder / CSV).open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream)
        axes = _axes(outcomes)
        none = (*_NOT_FIGURES, *axes)
        figures = [name for name in Summary.__struct_fields__ if name not in none]
        rows.writerow(["run", *axes, "status", *figures, "wait_s", "p95_wait_s", "slowdown"])
        for one in outcomes:
            values = _values(one.run)
            rows.writerow(
                [
                    one.run,
                    *(values.get(axis, "") for axis in axes),
                    one.status,
                    *(_shown(getattr(one.summary, name, None)) for name in figures),
                    *map(_shown, (one.wait_s, one.p95_wait_s, one.slowdown)),
                ]
            )


def _shown(value: object) -> str:
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

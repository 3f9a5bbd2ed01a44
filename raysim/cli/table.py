"""Runs as lines of a table that grows while they end. Never computes a figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import click

from raysim.report.text import seconds
from raysim.scenario.outcomes import RunOutcome

_COLUMNS: Final = (
    *(("result", 8), ("tasks", 9), ("failed", 7), ("makespan", 10), ("mean wait", 10)),
    *(("used", 7), ("took", 8)),
)


class Table:
    """`names`: of all runs, so that the first line knows the widest."""

    def __init__(self, names: Sequence[str]) -> None:
        self._width = max(map(len, (*names, "run")))

    def head(self) -> str:
        return self._line("run", [name for name, _ in _COLUMNS])

    def row(self, outcome: RunOutcome) -> str:
        summary = outcome.summary
        word = "ok" if outcome.status == 0 else "FAILED"
        cells = [word, *[""] * (len(_COLUMNS) - 1)]
        if summary is not None:
            used = "" if summary.utilisation is None else f"{summary.utilisation:.1%}"
            waits = summary.samples.get("task_wait")
            cells = [
                *(word, str(summary.tasks), str(summary.failed), seconds(summary.makespan_s)),
                *(seconds(waits.mean if waits else None), used, seconds(summary.wall_s)),
            ]
        line = self._line(outcome.run, cells)
        return line if outcome.status == 0 else click.style(line, fg="red")

    def _line(self, name: str, cells: Sequence[str]) -> str:
        padded = [f"{cell:>{width}}" for cell, (_, width) in zip(cells, _COLUMNS, strict=True)]
        return "  ".join([f"{name:<{self._width}}", *padded])

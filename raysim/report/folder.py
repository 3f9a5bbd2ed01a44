"""A run's folder: summary, tasks and journal with the pictures of them. Never runs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from raysim.report.chrome_trace import chrome_trace
from raysim.report.page import page
from raysim.report.view import view_of
from raysim.scenario.folder import write_run
from raysim.scenario.running import Run

TIMELINE: Final = "timeline.json"
REPORT: Final = "report.html"


def write_report(run: Run, folder: Path, time_scale: float = 1.0) -> Path:
    """Write all of a run's files into this folder, which is made; the path of the page to look at.

    World times are divided by `time_scale`, as those of the run's records already are.
    """
    write_run(run, folder)
    view = view_of(run.journal, time_scale)
    (folder / TIMELINE).write_bytes(chrome_trace(view, run.experiment.title))
    report = folder / REPORT
    report.write_text(page(run, view), encoding="utf-8")
    return report

"""A run's folder: summary, tasks and journal with the pictures of them. Never runs anything."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from raysim.report.chrome_trace import chrome_trace
from raysim.report.page import end_of, page
from raysim.report.pictures import write_figures
from raysim.report.view import view_of
from raysim.scenario.folder import KeptRun, kept, write_run
from raysim.scenario.running import Run

TIMELINE: Final = "timeline.json"
REPORT: Final = "report.html"
FIGURES: Final = "figures"


def write_report(run: Run, folder: Path, time_scale: float = 1.0) -> Path:
    """Write all of a run's files into this folder, which is made; the path of the page to look at.

    World times are divided by `time_scale`, as those of the run's records already are.
    """
    done = kept(run, time_scale)
    write_run(done, folder)
    return write_pictures(done, folder)[0]


def write_pictures(run: KeptRun, folder: Path, figures: bool = False) -> list[Path]:
    """The page and the timeline, made of what is kept; `figures`: each picture as a file as well. Raises OSError."""
    view = view_of(run.journal, run.time_scale, run.start_ns)
    report, timeline = folder / REPORT, folder / TIMELINE
    report.write_text(page(run, view), encoding="utf-8")
    timeline.write_bytes(chrome_trace(view, run.summary.name))
    drawn = write_figures(run, view, end_of(run, view), folder / FIGURES) if figures else []
    return [report, timeline, *drawn]

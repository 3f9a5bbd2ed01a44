"""A run's summary as text for a terminal. Never prints it, never computes a figure."""

from __future__ import annotations

from collections.abc import Iterator
from math import isclose
from pathlib import Path

import click

from raysim.report.text import count, seconds
from raysim.scenario.running import Run
from raysim.scenario.summary import Summary
from raysim.spec.units import format_size

_LABEL_WIDTH = 14


def shown(run: Run, report: Path | None) -> str:
    """The heading, one line a figure, what was expected, and the line that runs it again."""
    summary = run.summary
    rows = [*_figures(summary), *_expectations(summary)]
    rows += [("note", note) for note in run.notes]
    rows.append(("again", summary.command))
    if report is not None:
        rows.append(("report", str(report)))
    lines = [f"  {label:<{_LABEL_WIDTH}}{text}" for label, text in rows]
    return "\n".join(["", _heading(run), *lines])


def _heading(run: Run) -> str:
    summary = run.summary
    cluster = ""
    if summary.nodes is not None and summary.cpus is not None:
        cluster = f", {count(summary.nodes, 'node')} with {count(summary.cpus, 'core')}"
    name = click.style(run.experiment.title, bold=True)
    return f"{name} on {summary.backend}{cluster}, seed {summary.seed}"


def _figures(summary: Summary) -> Iterator[tuple[str, str]]:
    edges = f", {count(summary.edges, 'edge')}" if summary.edges is not None else ""
    yield "tasks", f"{summary.tasks}{edges}"
    yield "failures", _failures(summary)
    if summary.makespan_s is not None:
        yield "makespan", f"{seconds(summary.makespan_s)}{_times_the_bound(summary)}"
    if summary.lower_bound_s is not None and summary.work_s is not None:
        yield "lower bound", _bound(summary.lower_bound_s, summary)
    wait = summary.samples.get("task_wait")
    if wait is not None:
        yield "wait", f"{seconds(wait.mean)} on average, {seconds(wait.p95)} at the 95th percentile"
    if summary.utilisation is not None:
        yield "utilisation", f"{summary.utilisation:.1%}"
    if summary.bytes_moved is not None:
        yield "bytes moved", format_size(summary.bytes_moved)
    yield "wall time", seconds(summary.wall_s)
    if summary.digest is not None:
        yield "digest", summary.digest


def _failures(summary: Summary) -> str:
    more = []
    if summary.retried:
        more.append(f"{summary.retried} executions started again")
    if summary.lost_objects:
        more.append(f"{count(summary.lost_objects, 'object')} lost for good")
    text = f"{summary.failed} ({', '.join(more)})" if more else str(summary.failed)
    return click.style(text, fg="red", bold=True) if summary.failed else text


def _bound(bound_s: float, summary: Summary) -> str:
    path_s, work_s, cpus = summary.critical_path_s or 0, summary.work_s or 0, summary.cpus or 1
    if not isclose(bound_s, max(path_s, work_s / cpus), rel_tol=1e-6):
        # Tasks of several cores, or that come late, or a cluster that grows.
        return f"{seconds(bound_s)}, of the critical path, the core-seconds and the arrivals"
    share = f"work {seconds(work_s)} / {cpus:g} cores"
    return f"{seconds(bound_s)} = max(critical path {seconds(path_s)}, {share})"


def _times_the_bound(summary: Summary) -> str:
    if not summary.lower_bound_s or summary.makespan_s is None:
        return ""
    return f", {summary.makespan_s / summary.lower_bound_s:.2f} times the lower bound"


def _expectations(summary: Summary) -> Iterator[tuple[str, str]]:
    for judgement in summary.expectations:
        if judgement.held:
            yield "expected", f"{judgement.text}: {click.style('holds', fg='green')}"
        else:
            wrong = click.style("does not hold", fg="red", bold=True)
            yield "expected", f"{judgement.text}: {wrong}: {judgement.because}"

"""The pictures of a run: for the page, and as files of their own. Never computes what they show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Final

from raysim.report import figures
from raysim.report.gantt import gantt_svg
from raysim.report.graph import MOST_DRAWN, drawing, realised_path
from raysim.report.graph_picture import graph_svg
from raysim.report.plots import alone, over_time, shares, strip
from raysim.report.tables import of_tasks
from raysim.report.text import seconds, short, tick
from raysim.report.view import View
from raysim.scenario.folder import KeptRun
from raysim.scenario.samples import sample

DISTRIBUTIONS: Final = {
    "task_wait": ("wait", tick),
    "task_time": ("turnaround", tick),
    "slowdown": ("slowdown", short),
}
"""Of samples: what the picture calls each, and how its values are written."""


def strips(run: KeptRun, end_s: float) -> str:
    """Curves over the timeline, which move with it."""
    return "".join(
        f'<div class="strip"><span class="most">{escape(short(most))}</span><span class="what">{escape(what)}</span>'
        f"{strip(steps, end_s, most, label)}</div>"
        for what, _, steps, most, label in _curves(run)
    )


def _curves(run: KeptRun) -> Iterator[tuple[str, str, figures.Steps, float, str]]:
    """What it is on the page and alone, the curve, the top of its scale, and what it says."""
    summary, records = run.summary, run.records
    resources: list[tuple[str, Sequence[float], float | None]] = [
        ("cores", records.cores, summary.cpus)
    ]
    if records.gpus is not None:
        resources.append(("GPUs", records.gpus, summary.gpus))
    for what, amounts, there in resources:
        busy = figures.in_use(records, amounts)
        most = max((amount for _, amount in busy), default=0.0)
        there = there or most or 1.0
        said = f"{what} in use over time: at most {most:g} of {there:g}"
        yield f"{what} busy", f"{what} in use", busy, there, said
    queue = figures.waiting(records)
    most_waiting = max((tasks for _, tasks in queue), default=0.0)
    said = f"Tasks that were ready and waited, over time: at most {most_waiting:g}"
    yield "tasks waiting", "tasks waiting", queue, most_waiting or 1.0, said


def distributions(run: KeptRun) -> str:
    """Wait, turnaround and slowdown, each as the share of tasks that had no more."""
    found = [
        f'<figure><figcaption>{escape(what)}</figcaption><div class="wide">{svg}</div></figure>'
        for what, svg in _distributions(run)
    ]
    return "".join(found) or '<p class="quiet">No task completed.</p>'


def _distributions(run: KeptRun) -> Iterator[tuple[str, str]]:
    for name, (what, written) in DISTRIBUTIONS.items():
        points = figures.distribution(sample(name, run.records))
        spread = run.summary.samples.get(name)
        if points and spread is not None:
            half, most = written(spread.p50), written(spread.p95)
            label = f"Share of tasks by {what}: half have at most {half}, 95 % at most {most}"
            yield what, shares(what, points, written, label)


def graph(run: KeptRun) -> str:
    """The workflow with the chain that its end waited for; nothing where no task waits for another."""
    if not run.parents:
        return ""
    path = realised_path(run.records, run.parents)
    ran_s = sum(record.ran.length_s for record in path if record.ran is not None)
    waited_s = (path[-1].ran.end_s if path and path[-1].ran is not None else 0.0) - ran_s
    grouped = " Each dot is all tasks of one name that are as deep." * (
        len(run.records) > MOST_DRAWN
    )
    return (
        '<section id="graph"><h2>The graph and its critical path</h2>'
        f"<p>The last task ended after a chain of {len(path)}, marked: they ran for {seconds(ran_s)} and "
        f"waited for {seconds(waited_s)} between them. The longest chain of runtimes alone is "
        f"{seconds(run.summary.critical_path_s)}.{grouped}</p>"
        f'<div class="wide" tabindex="0" role="region" aria-label="graph">{_graph_svg(run)}</div>'
        f"<details><summary>The chain, task by task</summary>{of_tasks(path)}</details></section>"
    )


def _graph_svg(run: KeptRun) -> str:
    assert run.parents is not None
    path = realised_path(run.records, run.parents)
    drawn = drawing(run.records, run.parents, path)
    number = {stage.name: at for at, stage in enumerate(figures.stages(run.records))}
    colour = {at: number[name] for at, name in enumerate(run.records.stages) if name in number}
    names = " → ".join(dict.fromkeys(record.name for record in path[:12]))
    label = f"Graph of {len(run.records)} tasks; its critical path: {names}"
    return graph_svg(drawn, colour, label)


def write_figures(run: KeptRun, view: View, end_s: float, folder: Path) -> list[Path]:
    """Each picture as an SVG of its own. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, svg in _figures(run, view, end_s):
        path = folder / f"{name.lower()}.svg"
        path.write_text(alone(svg), "utf-8")
        written.append(path)
    return written


def _figures(run: KeptRun, view: View, end_s: float) -> Iterator[tuple[str, str]]:
    yield "gantt", gantt_svg(run.records, view, end_s)
    for _, what, steps, most, label in _curves(run):
        yield what.replace(" ", "-"), over_time(what, steps, end_s, most, label)
    for what, svg in _distributions(run):
        yield what, svg
    if run.parents:
        yield "graph", _graph_svg(run)

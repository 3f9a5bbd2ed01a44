"""The words and tables of a report's page, as HTML. Never computes a figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import Final

from raysim.report import figures
from raysim.report.text import count, seconds, short
from raysim.report.view import View
from raysim.scenario.figures import FIGURES, SAMPLES
from raysim.scenario.samples import Spread
from raysim.scenario.summary import Summary
from raysim.scenario.task_records import Records, TaskRecord
from raysim.spec.units import format_size

SLOWEST: Final = 20
"""Rows of the table of slowest tasks."""

MOST_MARKS: Final = 200
"""Rows of the table of what went wrong."""

MOST_STAGES: Final = 100
"""Rows of the table of stages."""


def tiles(summary: Summary) -> Iterator[str]:
    """What most readers want to know first."""
    if summary.makespan_s is not None:
        bound = summary.lower_bound_s
        of_bound = f"{summary.makespan_s / bound:.2f} × the lower bound" if bound else ""
        yield _tile("makespan", seconds(summary.makespan_s), of_bound)
    edges = count(summary.edges, "edge") if summary.edges else ""
    yield _tile("tasks", f"{summary.tasks:,}", edges)
    again = f"{summary.retried} started again"
    yield _tile("failures", str(summary.failed), again, bad=bool(summary.failed))
    wait, slowdown = summary.samples.get("task_wait"), summary.samples.get("slowdown")
    if wait is not None:
        yield _tile("wait, 95 % below", seconds(wait.p95), f"{seconds(wait.mean)} on average")
    if slowdown is not None:
        yield _tile("slowdown, mean", f"{slowdown.mean:.3g}", f"95 % below {slowdown.p95:.3g}")
    if summary.utilisation is not None:
        yield _tile("utilisation", f"{summary.utilisation:.0%}", "of all cores")
    if summary.bytes_moved:
        local = f"{summary.locality:.0%} of reads local" if summary.locality is not None else ""
        yield _tile("bytes moved", format_size(summary.bytes_moved), local or "between nodes")
    if summary.cost is not None:
        yield _tile("cost", short(summary.cost), f"{summary.node_hours or 0:.4g} node-hours")


def _tile(label: str, value: str, more: str, bad: bool = False) -> str:
    kind = "tile bad" if bad else "tile"
    return (
        f'<div class="{kind}"><dt>{escape(label)}</dt><dd>{escape(value)}'
        f"<small>{escape(more)}</small></dd></div>"
    )


def expectations(summary: Summary) -> str:
    """A row for each; nothing where nothing was expected."""
    judged = summary.expectations
    if not judged:
        return ""
    rows = [
        (
            '<span class="held">✓ holds</span>'
            if judgement.held
            else '<b class="bad">✗ does not hold</b>',
            f"<code>{escape(judgement.text)}</code>",
            escape(judgement.because),
        )
        for judgement in judged
    ]
    made = table(("result", "expectation", "because"), rows)
    return f'<section id="expected"><h2>What was expected</h2>{made}</section>'


def legend(names: Sequence[str], odd: bool) -> str:
    """The colours of the timeline."""
    shown = [(f"c{at}", name) for at, name in enumerate(names[: figures.MOST_STAGES])]
    rest = names[figures.MOST_STAGES :]
    if rest:
        shown.append(("", ", ".join(rest) if len(rest) < 4 else f"{len(rest)} others"))
    if odd:
        shown.append(("lost", "lost, or done again"))
    return "".join(
        f'<li><i class="swatch {paint}"></i>{escape(name)}</li>' for paint, name in shown
    )


def samples(summary: Summary) -> str:
    """What has a value for each task, with its percentiles."""
    rows = [
        (
            f'<abbr title="{escape(SAMPLES[name].meaning)}">{escape(name)}</abbr>',
            *(_value(name, value) for value in _columns(spread)),
        )
        for name, spread in summary.samples.items()
    ]
    heads = ("of each task", "mean", "min", "p50", "p90", "p95", "p99", "max")
    return table(heads, rows, numbers=7)


def _columns(found: Spread) -> tuple[float, ...]:
    return (found.mean, found.min, found.p50, found.p90, found.p95, found.p99, found.max)


def _value(name: str, value: float) -> str:
    return seconds(value) if SAMPLES[name].unit == "s" else f"{value:.4g}"


def figures_of(summary: Summary) -> str:
    """Everything with one value, and what it means."""
    rows = []
    for name, metric in FIGURES.items():
        value: float | None = getattr(summary, name)
        if value is not None:
            shown = _figure(value, metric.unit)
            value_cell = f'<span class="short">{escape(shown)}</span>'
            rows.append((f"<code>{name}</code>", value_cell, _words(metric.meaning)))
    return table(("figure", "value", "what it is"), rows)


def _words(meaning: str) -> str:
    """With code as code."""
    parts = escape(meaning).split("`")
    return "".join(f"<code>{part}</code>" if at % 2 else part for at, part in enumerate(parts))


def _figure(value: float, unit: str) -> str:
    if unit == "s":
        return seconds(value)
    if unit == "bytes":
        return format_size(int(value))
    more = f" {unit}" if unit not in ("", "0 to 1") else ""
    return f"{value:.5g}{more}" if value % 1 else f"{value:.0f}{more}"


def stages(records: Records) -> str:
    """Where the time went, by the tasks' names."""
    found = figures.stages(records)
    rows = [
        (
            f'<i class="swatch c{index}"></i>{escape(group.name)}',
            str(group.tasks),
            seconds(group.total_s),
            seconds(group.mean_s),
            seconds(group.longest_s),
        )
        for index, group in enumerate(found[:MOST_STAGES])
    ]
    made = table(("task", "count", "total", "mean", "longest"), rows, numbers=4)
    return made + _rest(len(found) - MOST_STAGES, "more names are in tasks.csv.")


def slowest(records: Records) -> str:
    """The tasks that ran longest."""
    return of_tasks(figures.slowest(records, SLOWEST))


def of_tasks(records: Iterable[TaskRecord]) -> str:
    """A row for each that completed."""
    rows = [
        (
            escape(record.id),
            escape(record.node or ""),
            seconds(record.ran.start_s),
            seconds(record.ran.length_s),
            str(record.attempts),
        )
        for record in records
        if record.ran is not None
    ]
    return table(("task", "node", "began at", "ran for", "attempts"), rows, numbers=3)


def marks(view: View) -> str:
    """What went wrong, the earliest first."""
    if not view.marks:
        return '<p class="quiet">Nothing went wrong.</p>'
    rows = [
        (seconds(mark.at_s), escape(mark.kind), escape(mark.text))
        for mark in view.marks[:MOST_MARKS]
    ]
    rest = _rest(len(view.marks) - MOST_MARKS, "more are in the journal.")
    return table(("at", "what", "where and why"), rows) + rest


def _rest(number: int, what: str) -> str:
    return f'<p class="quiet">{number} {what}</p>' if number > 0 else ""


def table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], numbers: int = 0) -> str:
    """Cells are HTML already; the last `numbers` columns are set to the right."""
    names = list(heads)
    kinds = [""] * (len(names) - numbers) + [' class="number"'] * numbers
    head = "".join(
        f'<th scope="col"{kind}>{escape(name)}</th>'
        for kind, name in zip(kinds, names, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    return (
        '<div class="wide" tabindex="0" role="region" aria-label="table">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )

"""A run -> `report.html`: one file that needs no network. Never computes what it shows: see figures.

The page's own parts are in `assets`; what the run says goes into the places marked `<!--name-->`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from importlib.resources import files
from typing import Any

import msgspec

import raysim
from raysim.report import figures
from raysim.report.text import count, seconds
from raysim.report.view import Attempt, View, rows_of
from raysim.scenario.running import Run
from raysim.scenario.summary import Summary
from raysim.spec.units import format_size

MOST_BARS = 50_000
"""Of the chart: a page with more is slow to open. The shortest attempts are left out, and it says so."""

SLOWEST = 20
"""Rows of the table of slowest tasks."""

MOST_MARKS = 200
"""Rows of the table of what went wrong."""


def page(run: Run, view: View) -> str:
    """The whole page."""
    return _filled(
        _asset("page.html"),
        {
            "css": _asset("page.css"),
            "js": _asset("page.js"),
            "title": escape(run.experiment.title),
            "subtitle": escape(_subtitle(run.summary)),
            "tiles": "".join(_tiles(run.summary)),
            "expectations": _expectations(run),
            "left-out": _left_out(run, view),
            "stages": _stages(run),
            "slowest": _slowest(run),
            "marks": _marks(view),
            "command": escape(run.summary.command),
            "digest": escape(run.summary.digest or "none: real runs do not repeat"),
            "version": escape(raysim.__version__),
            "data": _script_data(chart_data(run, view)),
        },
    )


def chart_data(run: Run, view: View) -> dict[str, Any]:
    """What the page's script draws: rows by node, bars as short lists, cores in use."""
    names = [found.name for found in figures.stages(run.records)]
    number = {name: index for index, name in enumerate(names)}
    rows, bars = _rows_and_bars(view, number)
    end_s = max(view.end_s, run.summary.makespan_s or 0.0)
    return {
        "end": end_s,
        "cores": run.summary.cpus,
        "names": list(number),
        "colours": figures.MOST_STAGES,
        "nodes": [
            {"name": node.name, "rows": rows[index], "lost": node.lost_s}
            for index, node in enumerate(view.nodes)
        ],
        "bars": bars,
        "marks": [
            [mark.at_s, mark.kind, mark.text, mark.node]
            for mark in view.marks
            if mark.kind in ("fault", "node lost")
        ],
        "busy": [[_short(at_s), cores] for at_s, cores in figures.busy_cores(run.records)],
        "bound": run.summary.lower_bound_s,
    }


def _rows_and_bars(view: View, number: dict[str, int]) -> tuple[list[int], list[list[object]]]:
    """How many rows each node needs, and a bar for each attempt whose node is known."""
    by_node: list[list[Attempt]] = [[] for _ in view.nodes]
    for attempt in _drawn(view):
        by_node[attempt.node].append(attempt)
    counts: list[int] = []
    bars: list[list[object]] = []
    for node, attempts in enumerate(by_node):
        rows = rows_of(attempts)
        counts.append(max(rows, default=0) + 1)
        for row, attempt in zip(rows, attempts, strict=True):
            bars.append(_bar(node, row, attempt, number))
    return counts, bars


def _bar(node: int, row: int, attempt: Attempt, number: dict[str, int]) -> list[object]:
    name = number.setdefault(attempt.name, len(number))
    bar: list[object] = [node, row, name, _short(attempt.start_s), _short(attempt.end_s)]
    if attempt.status != "finished":
        bar += [attempt.status, attempt.reason]
    return bar


def _drawn(view: View) -> list[Attempt]:
    placed = [attempt for attempt in view.attempts if attempt.node >= 0]
    if len(placed) <= MOST_BARS:
        return placed
    placed.sort(key=lambda attempt: attempt.start_s - attempt.end_s)
    return sorted(placed[:MOST_BARS], key=lambda attempt: attempt.start_s)


def _left_out(run: Run, view: View) -> str:
    notes = []
    later = run.journal.attempts - len(view.attempts)
    if later > 0:
        notes.append(f"The {later} later executions are not drawn: the journal keeps no more.")
    placed = sum(attempt.node >= 0 for attempt in view.attempts)
    if placed > MOST_BARS:
        notes.append(f"The {placed - MOST_BARS} shortest executions are not drawn.")
    unplaced = len(view.attempts) - placed
    if unplaced:
        notes.append(f"{unplaced} executions are not drawn: they ended on no known node.")
    return f'<p class="quiet">{escape(" ".join(notes))}</p>' if notes else ""


def _subtitle(summary: Summary) -> str:
    parts = [f"on {summary.backend}"]
    if summary.nodes is not None and summary.cpus is not None:
        parts += [count(summary.nodes, "node"), count(summary.cpus, "core")]
    return ", ".join([*parts, f"seed {summary.seed}"])


def _tiles(summary: Summary) -> Iterator[str]:
    if summary.makespan_s is not None:
        bound = summary.lower_bound_s
        of_bound = f"{summary.makespan_s / bound:.2f} × the lower bound" if bound else ""
        yield _tile("makespan", seconds(summary.makespan_s), of_bound)
    if summary.lower_bound_s is not None:
        path = f"critical path {seconds(summary.critical_path_s)}"
        work = f"work {seconds(summary.work_s)}"
        yield _tile("lower bound", seconds(summary.lower_bound_s), f"{path}, {work}")
    if summary.utilisation is not None:
        yield _tile("utilisation", f"{summary.utilisation:.0%}", "of all cores")
    edges = f"{summary.edges} edges" if summary.edges is not None else ""
    yield _tile("tasks", str(summary.tasks), edges)
    again = f"{summary.retried} started again"
    yield _tile("failures", str(summary.failed), again, bad=bool(summary.failed))
    if summary.bytes_moved is not None:
        yield _tile("bytes moved", format_size(summary.bytes_moved), "between nodes")
    yield _tile("wall time", seconds(summary.wall_s), "of this run")


def _tile(label: str, value: str, more: str, bad: bool = False) -> str:
    kind = "tile bad" if bad else "tile"
    return (
        f'<div class="{kind}"><dt>{escape(label)}</dt><dd>{escape(value)}'
        f"<small>{escape(more)}</small></dd></div>"
    )


def _expectations(run: Run) -> str:
    judged = run.summary.expectations
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
    return f"<section><h2>What was expected</h2>{_table(('', 'expectation', 'because'), rows)}</section>"


def _stages(run: Run) -> str:
    found = figures.stages(run.records)
    rows = [
        (
            f'<i class="swatch" data-name="{index}"></i>{escape(group.name)}',
            str(group.tasks),
            seconds(group.total_s),
            seconds(group.mean_s),
            seconds(group.longest_s),
        )
        for index, group in enumerate(found)
    ]
    return _table(("task", "count", "total", "mean", "longest"), rows, numbers=4)


def _slowest(run: Run) -> str:
    rows = [
        (
            escape(record.id),
            escape(record.node or ""),
            seconds(record.ran.start_s),
            seconds(record.ran.length_s),
            str(record.attempts),
        )
        for record in figures.slowest(run.records, SLOWEST)
        if record.ran is not None
    ]
    return _table(("task", "node", "began at", "ran for", "attempts"), rows, numbers=3)


def _marks(view: View) -> str:
    if not view.marks:
        return '<p class="quiet">Nothing went wrong.</p>'
    rows = [
        (seconds(mark.at_s), escape(mark.kind), escape(mark.text))
        for mark in view.marks[:MOST_MARKS]
    ]
    rest = len(view.marks) - MOST_MARKS
    more = f'<p class="quiet">{rest} more are in the journal.</p>' if rest > 0 else ""
    return _table(("at", "what", "where and why"), rows) + more


def _table(heads: Iterable[str], rows: Iterable[tuple[str, ...]], numbers: int = 0) -> str:
    """Cells are HTML already; the last `numbers` columns are set to the right."""
    names = list(heads)
    kinds = [""] * (len(names) - numbers) + [' class="number"'] * numbers
    head = "".join(
        f"<th{kind}>{escape(name)}</th>" for kind, name in zip(kinds, names, strict=True)
    )
    body = "".join(
        f"<tr>{''.join(f'<td{kind}>{cell}</td>' for kind, cell in zip(kinds, row, strict=True))}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _short(at_s: float) -> float:
    """Microseconds are enough for a picture, and keep the page small."""
    return round(at_s, 6)


def _script_data(data: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")


def _asset(name: str) -> str:
    return (files("raysim.report") / "assets" / name).read_text(encoding="utf-8")


def _filled(template: str, parts: dict[str, str]) -> str:
    """The template with its parts; what a part says is never read as a mark itself."""
    pieces = template.split("<!--")
    filled = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("-->")
        filled += [parts[name], rest]
    return "".join(filled)

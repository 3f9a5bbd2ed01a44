"""The timeline as one SVG, for a paper. Never for the page, which draws it anew as one looks closer.

A bar for each execution where there are few; of many, how busy each node was, in columns of time.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from html import escape
from typing import Final

from raysim.report.figures import MOST_STAGES, stages
from raysim.report.plots import Axis, Frame, time_axis
from raysim.report.timeline import uncounted
from raysim.report.view import View
from raysim.scenario.task_records import Records

MOST_BARS: Final = 4_000
COLUMNS: Final = 240
"""Of time, where there are more bars."""

_LEVELS: Final = 8
"""Of how busy a node is."""

_WIDTH: Final = 900
_Bar = tuple[float, float, str, str]
"""From when to when, its class, and what it is."""


def gantt_svg(records: Records, view: View, end_s: float) -> str:
    """Nodes from top to bottom, time from left to right."""
    names = [node.name for node in view.nodes]
    height = max(120, min(900, len(names) * 26 + 70))
    up = Axis("node", 0.0, float(len(names) or 1), written=lambda _: "")
    frame = Frame(time_axis(end_s), up, _WIDTH, height)
    few = len(records) <= MOST_BARS
    body = [*_gone(view, frame)]
    body += _bars(records, view, frame) if few else _shades(records, view, frame)
    body += _faults(view, frame)
    body += _labels(names, frame)
    label = f"{len(records)} tasks on {len(names)} nodes over time"
    return frame.svg(label, "".join(body))


def _lane(frame: Frame, node: int) -> tuple[float, float]:
    """Top and height of a node's place; the first node is at the top."""
    top = frame.y(frame.up.high - node)
    return top, frame.y(frame.up.high - node - 1) - top


def _bars(records: Records, view: View, frame: Frame) -> Iterator[str]:
    for node, bars in enumerate(_by_node(records, view)):
        top, high = _lane(frame, node)
        bars.sort()
        rows = _rows(bars)
        each = high * 0.86 / (max(rows, default=0) + 1)
        for (start_s, end_s, kind, what), row in zip(bars, rows, strict=True):
            x0, x1 = frame.x(start_s), frame.x(end_s)
            box = _box(kind, x0, top + row * each, max(x1 - x0, 0.6), max(each * 0.9, 0.5))
            yield f"{box}<title>{escape(what)}</title></rect>"


def _by_node(records: Records, view: View) -> list[list[_Bar]]:
    place = {node.name: at for at, node in enumerate(view.nodes)}
    colour = {stage.name: at for at, stage in enumerate(stages(records)[:MOST_STAGES])}
    found: list[list[_Bar]] = [[] for _ in view.nodes]
    rows = zip(
        records.nodes(), records.start_s, records.end_s, records.stage, records.ids, strict=True
    )
    for node, start_s, end_s, stage_at, task in rows:
        if node is not None and node in place and end_s == end_s:
            number = colour.get(records.stages[stage_at])
            kind = "grey" if number is None else f"c{number}"
            found[place[node]].append((start_s, end_s, kind, task))
    for one in uncounted(view):
        if one.node >= 0:
            found[one.node].append((one.start_s, one.end_s, "lost", f"{one.name}: {one.status}"))
    return found


def _rows(bars: Sequence[_Bar]) -> list[int]:
    """The fewest rows in which none overlap."""
    free_at: list[float] = []
    rows: list[int] = []
    for start_s, end_s, _, _ in bars:
        row = next((at for at, free_s in enumerate(free_at) if free_s <= start_s), len(free_at))
        free_at[row : row + 1] = [end_s]
        rows.append(row)
    return rows


def _shades(records: Records, view: View, frame: Frame) -> Iterator[str]:
    width_s = frame.across.high / COLUMNS
    step = (frame.x(frame.across.high) - frame.x(0)) / COLUMNS
    for node, (busy, cpus) in enumerate(_busy(records, view, width_s)):
        top, high = _lane(frame, node)
        most = (cpus or max(busy, default=0.0) / width_s or 1.0) * width_s
        levels = [min(_LEVELS, round(core_s / most * _LEVELS)) for core_s in busy]
        for start, end, level in _runs(levels):
            if level:
                x0 = frame.x(0) + start * step
                box = _box("c0", x0, top, (end - start) * step, high * 0.92, level / _LEVELS)
                yield f"{box}</rect>"


def _runs(levels: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Columns that are alike in a row: from, to, how busy."""
    start = 0
    for at in range(1, len(levels) + 1):
        if at == len(levels) or levels[at] != levels[start]:
            yield start, at, levels[start]
            start = at


def _busy(
    records: Records, view: View, width_s: float
) -> Iterator[tuple[array[float], float | None]]:
    """Of each node the core-seconds in each column, and its cores."""
    place = {node.name: at for at, node in enumerate(view.nodes)}
    found = [array("d", bytes(8 * COLUMNS)) for _ in view.nodes]
    rows = zip(records.nodes(), records.start_s, records.end_s, records.cores, strict=True)
    for node, start_s, end_s, cores in rows:
        if node is None or node not in place or end_s != end_s:
            continue
        columns = found[place[node]]
        first = min(COLUMNS - 1, int(start_s / width_s))
        last = min(COLUMNS - 1, int(end_s / width_s))
        for column in range(first, last + 1):
            inside = min(end_s, (column + 1) * width_s) - max(start_s, column * width_s)
            columns[column] += inside * cores
    yield from ((busy, node.cpus) for busy, node in zip(found, view.nodes, strict=True))


def _gone(view: View, frame: Frame) -> Iterator[str]:
    for at, node in enumerate(view.nodes):
        if node.lost_s is not None:
            top, high = _lane(frame, at)
            x0 = frame.x(max(0.0, node.lost_s))
            width = frame.x(frame.across.high) - x0
            title = f"<title>{escape(node.name)} is lost</title>"
            yield f"{_box('gone', x0, top, width, high * 0.92)}{title}</rect>"


def _faults(view: View, frame: Frame) -> Iterator[str]:
    for mark in view.marks:
        if mark.kind == "fault":
            at = frame.x(mark.at_s)
            bottom = frame.y(0)
            line = f'<line class="fault" x1="{at:.1f}" x2="{at:.1f}" y1="14" y2="{bottom}">'
            yield f"{line}<title>{escape(mark.text)}</title></line>"


def _labels(names: Sequence[str], frame: Frame) -> Iterator[str]:
    every = max(1, len(names) * 14 // max(1, frame.height - 54))
    for node in range(0, len(names), every):
        top, high = _lane(frame, node)
        yield (
            f'<text x="52" y="{top + high / 2 + 4:.1f}" text-anchor="end">{escape(names[node][:9])}</text>'
        )


def _box(kind: str, x: float, y: float, width: float, height: float, opacity: float = 1) -> str:
    """Open, so that it may have a title."""
    faint = f' opacity="{opacity:.3g}"' if opacity < 1 else ""
    place = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return f'<rect class="{kind}" {place}{faint}>'

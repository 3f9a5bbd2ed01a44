"""A comparison of policies as a page, and in all its forms in a folder. Never runs anything."""

from __future__ import annotations

import math
from html import escape
from pathlib import Path
from typing import Final

from raysim.report.comparison import (
    GLANCE,
    about,
    as_csv,
    as_json,
    latex,
    markdown,
    overview,
    overview_heads,
    row_of,
    tables,
    title,
)
from raysim.report.comparison import verdict as verdict_of
from raysim.report.page import asset, filled, style
from raysim.report.tables import table
from raysim.scenario.comparison import Comparison, Line
from raysim.scenario.expression import parse_measure
from raysim.scenario.figures import FIGURES, SAMPLES

_HEADS: Final = (
    *("policy", "difference", "of the baseline", "95 % interval", "runs show", "mean"),
    "95 % interval",
)

_WIDTH: Final = 180
"""Of a picture of an interval, in pixels."""

_MARGIN: Final = 6


def write(comparison: Comparison, folder: Path) -> list[Path]:
    """Leave `comparison.{json,md,csv,tex,html}` there. Raises OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for suffix, made in (
        ("json", as_json(comparison)),
        ("md", markdown(comparison)),
        ("csv", as_csv(comparison)),
        ("tex", latex(comparison)),
        ("html", page(comparison)),
    ):
        path = folder / f"comparison.{suffix}"
        path.write_text(made, "utf-8")
        written.append(path)
    return written


def page(comparison: Comparison) -> str:
    """One file that needs no network: the tables, and each difference as a picture."""
    sections = []
    if len(glance := overview(comparison)) > 1:
        rows = [tuple(map(escape, row)) for row in glance]
        heads = overview_heads(comparison)
        how = f'<p class="quiet">{escape(GLANCE)}</p>'
        sections.append(f"<section><h2>All at a glance</h2>{how}{table(heads, rows)}</section>")
    for (scenario, measure), lines in tables(comparison):
        heading = f"<h2>{escape(title(scenario))}: <code>{escape(measure)}</code></h2>"
        sections.append(f"<section>{heading}{_meaning(measure)}{_table(lines)}</section>")
    how = about(comparison).partition("\n\n")[2].replace("**", "")
    parts = {"css": style(), "about": escape(how), "tables": "\n".join(sections)}
    return filled(asset("comparison.html"), parts)


def _meaning(measure: str) -> str:
    """Of the figures that it speaks of."""
    known = FIGURES | SAMPLES
    said = [
        f"<code>{name}</code>{f' ({known[name].unit})' if known[name].unit else ''}: "
        f"{escape(known[name].meaning).replace('`', '')}"
        for name in parse_measure(measure).names
    ]
    return f'<p class="quiet">{". ".join(said)}.</p>'


def _table(lines: list[Line]) -> str:
    bounds = [abs(value) for line in lines for value in _difference(line)]
    widest = max((value for value in bounds if math.isfinite(value)), default=0.0)
    rows = []
    for line in lines:
        name, mean, spread, moved, moved_spread, said = (escape(cell) for cell in row_of(line))
        verdict = f'<b class="{said}">{said}</b>' if line.shown else said
        rows.append((name, _picture(line, widest), moved, moved_spread, verdict, mean, spread))
    return table(_HEADS, rows)


def _difference(line: Line) -> tuple[float, ...]:
    """Its interval from the baseline: from, mean, to; empty for the baseline itself."""
    found = line.difference
    return () if found is None else (found.low, found.mean, found.high)


def _picture(line: Line, widest: float) -> str:
    """The difference's interval as a line and its mean as a dot, zero in the middle, on the table's scale."""
    drawn = _difference(line)
    label = "the baseline" if not drawn else f"difference {row_of(line)[3]}, {verdict_of(line)}"
    middle, half = _WIDTH / 2, _WIDTH / 2 - _MARGIN
    parts = [f'<line class="zero" x1="{middle}" x2="{middle}" y1="0" y2="20"/>']
    if drawn:
        low, at, high = (
            middle + max(-1.0, min(1.0, value / (widest or 1.0))) * half for value in drawn
        )
        parts.append(f'<line x1="{low:.1f}" x2="{high:.1f}" y1="10" y2="10"/>')
        parts.append(f'<circle cx="{at:.1f}" cy="10" r="4"/>')
    kind = verdict_of(line) if line.shown else "none"
    head = (
        f'<svg class="{kind}" width="{_WIDTH}" height="20" role="img" aria-label="{escape(label)}">'
    )
    return f"{head}{''.join(parts)}</svg>"

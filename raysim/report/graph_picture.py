"""A workflow's graph as SVG, the path that the end waited for marked. Never decides what stands where: see graph."""

from __future__ import annotations

from collections import Counter
from html import escape
from math import sqrt

from raysim.report.figures import MOST_STAGES
from raysim.report.graph import Drawing

_STEPS = (74, 160)
"""Pixels between two depths, at least and at most."""

_WIDTH = 1040
_MOST_HEIGHT = 420
_MARGIN = 46


def graph_svg(drawn: Drawing, colour: dict[int, int], label: str) -> str:
    """`colour`: of a stage, which one it has on the page."""
    deepest = max((dot.depth for dot in drawn.dots), default=0)
    rows = Counter(dot.depth for dot in drawn.dots)
    height = min(_MOST_HEIGHT, max(120, max(rows.values(), default=1) * 34))
    step = max(_STEPS[0], min(_STEPS[1], (_WIDTH - 2 * _MARGIN) // max(1, deepest)))
    width = 2 * _MARGIN + deepest * step
    places = [
        (_MARGIN + dot.depth * step, height * (dot.row + 0.5) / rows[dot.depth])
        for dot in drawn.dots
    ]
    body: list[str] = []
    for critical in (False, True):  # Those that matter lie above.
        for edge in drawn.edges:
            if edge.critical is critical:
                (x0, y0), (x1, y1) = places[edge.source], places[edge.target]
                bend = (x1 - x0) / 2
                kind = "edge critical" if critical else "edge"
                curve = f"C{x0 + bend:.0f} {y0:.1f} {x1 - bend:.0f} {y1:.1f}"
                body.append(f'<path class="{kind}" d="M{x0} {y0:.1f}{curve} {x1} {y1:.1f}"/>')
    for dot, (x, y) in zip(drawn.dots, places, strict=True):
        number = colour.get(dot.stage, MOST_STAGES)
        paint = f"c{number}" if number < MOST_STAGES else "grey"
        radius = min(13.0, 4 + sqrt(dot.tasks), max(2.0, height / rows[dot.depth] / 2))
        group = ' class="critical"' if dot.critical else ""
        body.append(
            f'<g{group}><circle class="{paint}" cx="{x}" cy="{y:.1f}" r="{radius:.1f}">'
            f"<title>{escape(dot.label)}</title></circle></g>"
        )
        if rows[dot.depth] <= _NAMED:
            fits = step // 7
            name = dot.name if len(dot.name) <= fits else f"{dot.name[: fits - 1]}…"
            place = f'x="{x}" y="{y + radius + 13:.1f}" text-anchor="middle"'
            body.append(f"<text {place}>{escape(name)}</text>")
    return (
        f'<svg class="plot" role="img" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'aria-label="{escape(label)}">{"".join(body)}</svg>'
    )


_NAMED = 6
"""Dots of one depth that have room for their names."""

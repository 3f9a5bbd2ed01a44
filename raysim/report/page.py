"""A run -> `report.html`: one file that needs no network. Never computes what it shows: see figures, timeline, graph.

The page's own parts are in `assets`; what the run says goes into the places marked `<!--name-->`.
"""

from __future__ import annotations

from html import escape
from importlib.resources import files

import msgspec

import raysim
from raysim.report import tables
from raysim.report.pictures import distributions, graph, strips
from raysim.report.text import count, seconds
from raysim.report.timeline import chart_data, height
from raysim.report.view import View
from raysim.scenario.folder import KeptRun
from raysim.scenario.summary import Summary


def page(run: KeptRun, view: View) -> str:
    """The whole page."""
    summary = run.summary
    end_s = end_of(run, view)
    data = chart_data(run.records, view, end_s)
    return filled(
        asset("page.html"),
        {
            "css": style() + asset("plot.css"),
            "js": asset("page.js"),
            "title": escape(summary.name or "run"),
            "subtitle": escape(_subtitle(summary)),
            "tiles": "".join(tables.tiles(summary)),
            "expectations": tables.expectations(summary),
            "timeline": timeline(
                tables.legend(data["names"], bool(data["odd"])), strips(run, end_s), height(view)
            ),
            "left-out": _left_out(run, view),
            "distributions": distributions(run),
            "graph": graph(run),
            "measured": tables.samples(summary),
            "figures": tables.figures_of(summary),
            "stages": tables.stages(run.records),
            "slowest": tables.slowest(run.records),
            "marks": tables.marks(view),
            "command": escape(summary.command),
            "digest": escape(summary.digest or "none: real runs do not repeat"),
            "version": escape(raysim.__version__),
            "data": _script_data(data),
        },
    )


def timeline(legend: str, strips: str, height: int) -> str:
    """The place that the page's script draws the timeline in."""
    parts = {"legend": legend, "strips": strips, "height": str(height)}
    return filled(asset("timeline.html"), parts)


def end_of(run: KeptRun, view: View) -> float:
    """When the last thing that is drawn ended, in seconds from the first submission."""
    ends = (end_s for end_s in run.records.end_s if end_s == end_s)
    return max(view.end_s, run.summary.makespan_s or 0.0, max(ends, default=0.0))


def _left_out(run: KeptRun, view: View) -> str:
    notes = []
    if run.journal.attempts > len(view.attempts) and run.summary.retried:
        notes.append(
            f"Of executions that were retried only those among the first {len(view.attempts)} are drawn: "
            "the journal keeps no more."
        )
    unplaced = sum(attempt.node < 0 for attempt in view.attempts)
    if unplaced:
        notes.append(f"{unplaced} executions are not drawn: they ended on no known node.")
    return f'<p class="quiet">{escape(" ".join(notes))}</p>' if notes else ""


def _subtitle(summary: Summary) -> str:
    parts = [f"on {summary.backend}"]
    if summary.nodes is not None and summary.cpus is not None:
        parts += [count(summary.nodes, "node"), count(summary.cpus, "core")]
    if summary.makespan_s is not None:
        parts.append(f"ended after {seconds(summary.makespan_s)}")
    return ", ".join([*parts, f"seed {summary.seed}"])


def _script_data(data: object) -> str:
    """JSON that cannot end the script element that it stands in."""
    return msgspec.json.encode(data).decode().replace("<", "\\u003c")


def style() -> str:
    """Of every page: light or dark, as its reader has it, or as `data-theme` of the page says."""
    light, dark = asset("light.css"), asset("dark.css")
    return (
        f":root {{ color-scheme: light dark;\n{light}}}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{\n{dark}}} }}\n"
        f":root[data-theme=dark] {{ color-scheme: dark;\n{dark}}}\n"
        f":root[data-theme=light] {{ color-scheme: light; }}\n"
    ) + asset("page.css")


def asset(name: str) -> str:
    """A part of the page that is the same for all runs."""
    return (files("raysim.report") / "assets" / name).read_text(encoding="utf-8")


def filled(template: str, parts: dict[str, str]) -> str:
    """The template with its parts; what a part says is never read as a mark itself."""
    pieces = template.split("<!--")
    found = [pieces[0]]
    for piece in pieces[1:]:
        name, _, rest = piece.partition("-->")
        found += [parts[name], rest]
    return "".join(found)

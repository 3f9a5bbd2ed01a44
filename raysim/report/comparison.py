"""A comparison of policies as a table: text, Markdown, CSV, LaTeX, JSON, and a page. Never runs anything."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from html import escape
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any, Final

import msgspec

import raysim
from raysim.scenario.comparison import Comparison, Line
from raysim.scenario.statistics import LEVEL, Interval

_HEADS: Final = ("policy", "mean", "95 % interval", "from the baseline", "95 % interval", "")

_COLUMNS: Final = (
    *("scenario", "measure", "policy", "runs", "mean", "low", "high"),
    *("difference", "difference_low", "difference_high", "relative", "shown"),
)

_TOO_FEW: Final = "too few runs"

_WIDTH: Final = 220
"""Of a picture of an interval, in pixels."""


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


def markdown(comparison: Comparison) -> str:
    """A table for each scenario and measure, and how it is to be read."""
    parts = [_about(comparison)]
    for (scenario, measure), lines in _tables(comparison):
        parts += [f"## {_title(scenario)}: {measure}", _markdown_table(lines)]
    return "\n\n".join(parts) + "\n"


def as_csv(comparison: Comparison) -> str:
    """A row for each line; empty where there is nothing to say."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for line in comparison.lines():
        mean, other = _bounds(line.mean), _bounds(line.difference)
        relative = "" if line.relative is None else repr(line.relative)
        shown = "" if line.difference is None else str(line.shown).lower()
        row = (line.scenario, line.measure, line.policy, line.runs, *mean, *other, relative, shown)
        writer.writerow(row)
    return out.getvalue()


def as_json(comparison: Comparison) -> str:
    """The plan, the lines, and every run's values, from which another can be compared with this."""
    whole = {
        "raysim": raysim.__version__,
        "level": LEVEL,
        "plan": comparison.plan,
        "lines": [
            {**msgspec.to_builtins(line), "shown": line.shown} for line in comparison.lines()
        ],
        "outcomes": comparison.outcomes,
    }
    return msgspec.json.format(msgspec.json.encode(whole), indent=1).decode() + "\n"


def latex(comparison: Comparison) -> str:
    """A tabular for each scenario and measure; needs booktabs."""
    parts = [f"% raysim {raysim.__version__}: {comparison.plan.seeds} seeds a policy, paired"]
    for (scenario, measure), lines in _tables(comparison):
        rows = [" & ".join(map(_tex, _row(line))) + r" \\" for line in lines]
        parts.append(
            "\n".join(
                [
                    f"% {scenario}: {measure}",
                    r"\begin{tabular}{lrrrrl}",
                    r"\toprule",
                    " & ".join(map(_tex, _HEADS)) + r" \\",
                    r"\midrule",
                    *rows,
                    r"\bottomrule",
                    r"\end{tabular}",
                ]
            )
        )
    return "\n\n".join(parts) + "\n"


def page(comparison: Comparison) -> str:
    """One file that needs no network: the tables, and each interval as a picture."""
    parts = []
    for (scenario, measure), lines in _tables(comparison):
        parts.append(f"<h2>{escape(_title(scenario))}: {escape(measure)}</h2>")
        parts.append(_html_table(lines))
    asset = files("raysim.report") / "assets" / "comparison.html"
    filled = asset.read_text("utf-8")
    about = _about(comparison).partition("\n\n")[2].replace("**", "")
    for name, text in (("about", escape(about)), ("tables", "\n".join(parts))):
        filled = filled.replace(f"<!--{name}-->", text)
    return filled


def _about(comparison: Comparison) -> str:
    plan = comparison.plan
    warm = (
        f" Tasks that came in the first {plan.warm_up_s:g} s are not counted."
        if plan.warm_up_s
        else ""
    )
    return (
        "# Policies compared\n\n"
        f"{plan.seeds} seeds a policy (from {plan.first}); the same seed is the same tasks for all. Differences are "
        f"from **{plan.policies[0]}**, run by run, with bootstrap intervals of {LEVEL:.0%} each: where one has zero "
        f"in it, no difference is shown.{warm}"
    )


def _tables(comparison: Comparison) -> Iterator[tuple[tuple[str, str], list[Line]]]:
    by_table = groupby(comparison.lines(), key=lambda line: (line.scenario, line.measure))
    for key, lines in by_table:
        yield key, list(lines)


def _title(scenario: str) -> str:
    return Path(scenario).stem


def _markdown_table(lines: list[Line]) -> str:
    rows = [_row(line) for line in lines]
    head = f"| {' | '.join(_HEADS)} |\n|---|---:|---:|---:|---:|---|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def _row(line: Line) -> tuple[str, ...]:
    if line.mean is None:
        return (line.policy, "none", "", "", "", "no run has a value")
    mean, spread = _number(line.mean.mean), _spread(line.mean)
    if line.difference is None:
        return (line.policy, mean, spread, "", "", "the baseline" if line.runs else "")
    share = "" if line.relative is None else f"{line.relative:+.1%}"
    moved = share or f"{line.difference.mean:+.4g}"
    return (line.policy, mean, spread, moved, _relative_spread(line), _verdict(line))


def _verdict(line: Line) -> str:
    if line.difference is None or not line.shown:
        return "no difference shown"
    return "more" if line.difference.mean > 0 else "less"


def _relative_spread(line: Line) -> str:
    found = line.difference
    if found is None:
        return ""
    if not line.relative or not found.mean:
        return _spread(found)
    scale = line.relative / found.mean
    low, high = sorted((found.low * scale, found.high * scale))
    return f"{low:+.1%} to {high:+.1%}" if math.isfinite(low) else _TOO_FEW


def _spread(found: Interval) -> str:
    if not math.isfinite(found.low):
        return _TOO_FEW
    return f"{_number(found.low)} to {_number(found.high)}"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e5 else f"{value:,.0f}"


def _bounds(found: Interval | None) -> tuple[Any, ...]:
    return ("", "", "") if found is None else (found.mean, found.low, found.high)


def _tex(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "%_&#$" else sign for sign in text)


def _html_table(lines: list[Line]) -> str:
    heads = "".join(f"<th scope=col>{escape(head)}</th>" for head in (*_HEADS, "picture"))
    low = min((line.mean.low for line in lines if line.mean and _finite(line.mean)), default=0.0)
    high = max((line.mean.high for line in lines if line.mean and _finite(line.mean)), default=1.0)
    rows = []
    for line in lines:
        name, *cells = (escape(cell) for cell in _row(line))
        kind = f" class={_verdict(line)}" if line.shown else ""
        marked = "".join(f"<td>{cell}</td>" for cell in cells)
        picture = _picture(line.mean, low, high)
        rows.append(f"<tr{kind}><th scope=row>{name}</th>{marked}<td>{picture}</td></tr>")
    return (
        f"<div><table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _picture(found: Interval | None, low: float, high: float) -> str:
    """The interval as a line and its mean as a dot, on the scale of the table."""
    if found is None or not _finite(found):
        return ""
    span = high - low or 1.0
    left, at, right = (
        8 + (value - low) / span * (_WIDTH - 16) for value in (found.low, found.mean, found.high)
    )
    label = f"{_number(found.mean)}, from {_spread(found)}"
    return (
        f'<svg width="{_WIDTH}" height="16" role="img" aria-label="{escape(label)}">'
        f'<line x1="{left:.1f}" x2="{right:.1f}" y1="8" y2="8"/><circle cx="{at:.1f}" cy="8" r="4"/></svg>'
    )


def _finite(found: Interval) -> bool:
    return math.isfinite(found.low) and math.isfinite(found.high)

"""A comparison of policies as a table: Markdown, CSV, LaTeX, JSON. Never runs anything. Its page: comparison_page."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
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

SAME: Final = "~"

GLANCE: Final = f"Differences from the baseline that the runs show; {SAME}: they show none. The intervals are below."


def markdown(comparison: Comparison) -> str:
    """A table for each scenario and measure, and how it is to be read."""
    parts = [about(comparison)]
    if len(glance := overview(comparison)) > 1:
        heads = overview_heads(comparison)
        rule = "|---" * 3 + "|---:" * (len(heads) - 3) + "|"
        rows = [f"| {' | '.join(row)} |" for row in (heads, *glance)]
        parts += [f"## All at a glance\n\n{GLANCE}", "\n".join([rows[0], rule, *rows[1:]])]
    for (scenario, measure), lines in tables(comparison):
        parts += [f"## {title(scenario)}: {measure}", _markdown_table(lines)]
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
    for (scenario, measure), lines in tables(comparison):
        rows = [" & ".join(map(_tex, row_of(line))) + r" \\" for line in lines]
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


def about(comparison: Comparison) -> str:
    """A heading, and how the tables are to be read."""
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


def tables(comparison: Comparison) -> Iterator[tuple[tuple[str, str], list[Line]]]:
    """The lines of each scenario and measure."""
    by_table = groupby(comparison.lines(), key=lambda line: (line.scenario, line.measure))
    for key, lines in by_table:
        yield key, list(lines)


def overview_heads(comparison: Comparison) -> tuple[str, ...]:
    baseline, *others = comparison.plan.policies
    return ("scenario", "measure", f"mean of {baseline}", *others)


def overview(comparison: Comparison) -> list[tuple[str, ...]]:
    """Of each scenario and measure the baseline's mean, and what each other policy changes where runs show it."""
    rows = []
    for (scenario, measure), (baseline, *others) in tables(comparison):
        mean = "none" if baseline.mean is None else _number(baseline.mean.mean)
        changes = (row_of(line)[3] if line.shown else SAME for line in others)
        rows.append((title(scenario), measure, mean, *changes))
    return rows


def title(scenario: str) -> str:
    """As readers know it."""
    return Path(scenario).stem


def _markdown_table(lines: list[Line]) -> str:
    rows = [row_of(line) for line in lines]
    head = f"| {' | '.join(_HEADS)} |\n|---|---:|---:|---:|---:|---|"
    return "\n".join([head, *(f"| {' | '.join(row)} |" for row in rows)])


def row_of(line: Line) -> tuple[str, ...]:
    """Policy, mean, its interval, difference, its interval, verdict."""
    if line.mean is None:
        return (line.policy, "none", "", "", "", "no run has a value")
    mean, spread = _number(line.mean.mean), _spread(line.mean)
    if line.difference is None:
        return (line.policy, mean, spread, "", "", "the baseline" if line.runs else "")
    share = "" if line.relative is None else _share(line.relative)
    moved = share or f"{line.difference.mean:+.4g}"
    return (line.policy, mean, spread, moved, _relative_spread(line), verdict(line))


def verdict(line: Line) -> str:
    """What the runs show."""
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
    return f"{_share(low)} to {_share(high)}" if math.isfinite(low) else _TOO_FEW


def _share(value: float) -> str:
    """In percent; what is small keeps a digit, as a difference that is shown is not zero."""
    return f"{value * 100:+.1g}%" if 0 < abs(value) < 0.0005 else f"{value:+.1%}"


def _spread(found: Interval) -> str:
    if not math.isfinite(found.low):
        return _TOO_FEW
    return f"{_number(found.low)} to {_number(found.high)}"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:,.0f}"


def _bounds(found: Interval | None) -> tuple[Any, ...]:
    return ("", "", "") if found is None else (found.mean, found.low, found.high)


def _tex(text: str) -> str:
    return "".join(f"\\{sign}" if sign in "%_&#$" else sign for sign in text)

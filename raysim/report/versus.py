"""Two runs or comparisons side by side: Markdown, CSV, JSON. Never computes a difference: see scenario.versus."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator
from itertools import groupby
from typing import Final

import msgspec

from raysim.scenario.comparison import MEASURES
from raysim.scenario.statistics import LEVEL
from raysim.scenario.versus import Side, Versus

_NOT_OF_A_WORLD: Final = "wall_s"
"""Differs from run to run, and says nothing of what was simulated."""

_COLUMNS: Final = (
    "of",
    "figure",
    "one",
    "other",
    "difference",
    "low",
    "high",
    "relative",
    "differs",
)


def markdown(found: Versus, everything: bool = False) -> str:
    """What differs, of many runs in the usual measures; `everything`: what does not, and of all figures."""
    many = len({_subject(side) for side in found.sides}) > 1
    parts = [f"# {found.one} and {found.other}"]
    for subject, every in _by_subject(found):
        sides = [side for side in every if everything or not many or side.of[1] in MEASURES]
        told = [side for side in sides if everything or _differs(side)]
        title = f"## {subject}" if subject else "## Figures"
        if not told:
            parts.append(f"{title}\n\nNo difference shown in {len(sides)} figures.")
            continue
        rows = "\n".join(_row(side) for side in told)
        head = "| figure | first | second | difference | |\n|---|---:|---:|---:|---|"
        same = len(sides) - len(told)
        more = f"\n\n{same} other figures show no difference." if same else ""
        parts.append(f"{title}\n\n{head}\n{rows}{more}")
    for noun, names in ((found.one, found.only_one), (found.other, found.only_other)):
        if names:
            parts.append(f"Only in {noun}: {', '.join(names)}.")
    if found.same:
        named = ", ".join(name for name in found.same if name)
        parts.append(
            f"Equal digests, so the same run event by event{': ' if named else ''}{named}."
        )
    return "\n\n".join(parts) + "\n"


def as_csv(found: Versus) -> str:
    """A row for each figure."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for side in found.sides:
        low, high = (side.difference.low, side.difference.high) if side.difference else (None, None)
        values = (side.one, side.other, side.change, low, high, side.relative)
        shown = ("" if value is None else repr(value) for value in values)
        writer.writerow((_subject(side), side.of[1], *shown, str(side.shown).lower()))
    return out.getvalue()


def as_json(found: Versus) -> str:
    return msgspec.json.format(msgspec.json.encode(found), indent=1).decode() + "\n"


def _by_subject(found: Versus) -> Iterator[tuple[str, list[Side]]]:
    ranked = sorted(found.sides, key=_subject)  # Stable: figures stay in their order.
    for subject, sides in groupby(ranked, key=_subject):
        yield subject, list(sides)


def _subject(side: Side) -> str:
    return side.of[0] if len(side.of) == 2 else f"{side.of[0]}, {side.of[2]}"


def _differs(side: Side) -> bool:
    return side.shown and side.of[1] != _NOT_OF_A_WORLD


def _row(side: Side) -> str:
    relative = "" if side.relative is None else f" ({side.relative:+.1%})"
    change = "" if side.change is None else f"{side.change:+.4g}{relative}"
    cells = (side.of[1], _number(side.one), _number(side.other), change, _surely(side))
    return f"| {' | '.join(cells)} |"


def _surely(side: Side) -> str:
    found = side.difference
    if found is None:
        return ""
    if not math.isfinite(found.low):
        return "too few seeds to tell"
    if not found.excludes_zero:
        return "no difference shown"
    return f"{LEVEL:.0%} interval {found.low:+.4g} to {found.high:+.4g}"


def _number(value: float | None) -> str:
    return "none" if value is None else f"{value:.6g}"

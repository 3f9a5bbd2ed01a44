"""What was measured as one table of ratios, in Markdown and as JSON. Never measures."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bench.lines import OURS, Bar, Line, Unit
from bench.turns import Rounds, Values


class Verdict(NamedTuple):
    """Of one bar."""

    bar: Bar
    reached: float | None
    """A ratio, or the value itself. None: the rival was not measured."""
    met: bool | None


class Row(NamedTuple):
    line: Line
    values: dict[str, Rounds]
    """Contender -> value of each round."""
    ratios: dict[str, Rounds]
    """Rival -> how many times as good `cluster` was, in each round."""
    verdicts: tuple[Verdict, ...]


def rows(lines: Sequence[Line], values: Values) -> list[Row]:
    """Of the lines that somebody was measured on."""
    made = (row(line, values) for line in lines)
    return [each for each in made if each.values]


def row(line: Line, values: Values) -> Row:
    of_line = {name: found[line.name] for name, found in values.items() if line.name in found}
    ours = of_line.get(OURS, {})
    ratios = {
        name: compared(line.unit, ours, theirs)
        for name, theirs in of_line.items()
        if name != OURS and ours
    }
    return Row(line, of_line, ratios, tuple(judged(line, bar, ours, ratios) for bar in line.bars))


def compared(unit: Unit, ours: Rounds, theirs: Rounds) -> Rounds:
    """Neighbours in time: on a machine that others use rates drift, ratios do not. Above 1 is better."""
    better, worse = (ours, theirs) if unit.higher_is_better else (theirs, ours)
    return {number: better[number] / worse[number] for number in better if worse.get(number)}


def judged(line: Line, bar: Bar, ours: Rounds, ratios: Mapping[str, Rounds]) -> Verdict:
    found = ours if bar.rival is None else ratios.get(bar.rival)
    if not found:
        return Verdict(bar, None, None)
    reached = median(found)
    at_least = bar.rival is not None or line.unit.higher_is_better
    return Verdict(bar, reached, reached >= bar.value if at_least else reached <= bar.value)


def markdown(table: Sequence[Row], contenders: Sequence[str]) -> str:
    """Ratios and bars of the lines, then every contender's values, then what sizes cost."""
    compared = [row for row in table if row.line.size is None]
    sized = [row for row in table if row.line.size is not None]
    parts = []
    if compared:
        parts += [_ratios(compared, [name for name in contenders if name != OURS])]
        parts += [_values(compared, contenders)]
    if sized:
        parts += [_values(sized, [OURS])]
    return "\n\n".join(parts)


def told_in_short(table: Sequence[Row]) -> str:
    """How many bars were met, and which were not."""
    verdicts = [(row.line, verdict) for row in table for verdict in row.verdicts]
    if not verdicts:
        return ""
    met = sum(1 for _, verdict in verdicts if verdict.met)
    missed = [
        f"{line.name} ({_reached(line, verdict)} of {bar_text(line, verdict.bar)})"
        for line, verdict in verdicts
        if verdict.met is False
    ]
    unknown = sum(1 for _, verdict in verdicts if verdict.met is None)
    text = f"Of {len(verdicts)} bars {met} are met"
    text += f", {unknown} were not measured" if unknown else ""
    return f"{text}. Not met: {', '.join(missed)}." if missed else f"{text}."


def of_cpu(line: Line) -> Line:
    """The same line, of which the processors' time is told."""
    return line._replace(unit=Unit.CPU, bars=())


def markdown_of_cpu(table: Sequence[Row], contenders: Sequence[str]) -> str:
    """What each thing done costs the processors: on a busy machine, the better comparison."""
    if not table:
        return ""
    rivals = [name for name in contenders if any(name in row.ratios for row in table)]
    heads = [
        "CPU of all processes for each",
        OURS,
        *rivals,
        *(f"against {name}" for name in rivals),
    ]
    lines = [
        [
            row.line.name,
            *(shown(row.values.get(name), row.line.unit) for name in (OURS, *rivals)),
            *(_ratio(row.ratios.get(name)) for name in rivals),
        ]
        for row in table
    ]
    return _table(heads, lines)


def _ratios(table: Sequence[Row], rivals: Sequence[str]) -> str:
    heads = ["line", OURS, *(f"against {name}" for name in rivals), "bar", "reached", "met"]
    lines = [
        [
            row.line.name,
            shown(row.values.get(OURS), row.line.unit),
            *(_ratio(row.ratios.get(name)) for name in rivals),
            ", ".join(bar_text(row.line, verdict.bar) for verdict in row.verdicts),
            ", ".join(_reached(row.line, verdict) for verdict in row.verdicts),
            ", ".join(_met(verdict) for verdict in row.verdicts),
        ]
        for row in table
    ]
    return _table(heads, lines)


def _values(table: Sequence[Row], contenders: Sequence[str]) -> str:
    lines = [
        [row.line.name, *(shown(row.values.get(name), row.line.unit) for name in contenders)]
        for row in table
    ]
    return _table(["median (± half of the range)", *contenders], lines)


def _table(heads: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [heads, ["---"] * len(heads), *lines])


def median(rounds: Rounds) -> float:
    return statistics.median(rounds.values())


def shown(rounds: Rounds | None, unit: Unit) -> str:
    if not rounds:
        return "-"
    middle, values = median(rounds), rounds.values()
    text = f"{middle:,.0f}" if abs(middle) >= 1000 else f"{middle:.3g}"
    several = len(values) > 1 and middle
    spread = f" (±{(max(values) - min(values)) / 2 / middle:.0%})" if several else ""
    return f"{text} {unit.value}{spread}"


def _ratio(ratios: Rounds | None) -> str:
    return f"{median(ratios):.3g}x" if ratios else "-"


def bar_text(line: Line, bar: Bar) -> str:
    return (
        str(bar)
        if bar.rival
        else f"{'≥' if line.unit.higher_is_better else '≤'} {bar} {line.unit.value}"
    )


def _reached(line: Line, verdict: Verdict) -> str:
    if verdict.reached is None:
        return "-"
    return f"{verdict.reached:.3g}{'x' if verdict.bar.rival else ' ' + line.unit.value}"


def _met(verdict: Verdict) -> str:
    return {None: "not measured", True: "yes", False: "**no**"}[verdict.met]


def as_json(table: Sequence[Row]) -> list[dict[str, Any]]:
    return [
        {
            "line": row.line.name,
            "group": row.line.group,
            "unit": row.line.unit.value,
            "higher_is_better": row.line.unit.higher_is_better,
            "size": row.line.size,
            "values": {
                name: {"median": median(found), "rounds": found}
                for name, found in row.values.items()
            },
            "ratios": {
                name: {"median": median(found), "rounds": found}
                for name, found in row.ratios.items()
                if found
            },
            "bars": [
                {
                    "rival": verdict.bar.rival,
                    "value": verdict.bar.value,
                    "reached": verdict.reached,
                    "met": verdict.met,
                }
                for verdict in row.verdicts
            ],
        }
        for row in table
    ]

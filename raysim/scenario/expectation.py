"""What must hold at a run's end: `makespan_s < 2m`. Never says what a figure is: see expression, figures."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence

import msgspec

from raysim.scenario.expression import (
    Figure,
    check_part,
    evaluate,
    is_missing,
    names_in,
    parse,
)


class Expectation(msgspec.Struct, frozen=True):
    """One thing that must hold, as it was written."""

    text: str

    @property
    def names(self) -> list[str]:
        """The figures that it speaks of."""
        return names_in(parse(self.text))

    def judge(self, figures: Mapping[str, Figure]) -> Judgement:
        """Whether it holds for these figures; one that has no value here cannot hold."""
        tree = parse(self.text)
        used = {name: figures.get(name) for name in names_in(tree)}
        missing = [name for name, value in used.items() if is_missing(value)]
        if missing:
            return Judgement(self.text, False, f"{', '.join(missing)} has no value in this run")
        try:
            held = bool(evaluate(tree, figures))
        except ZeroDivisionError:
            return Judgement(self.text, False, "it divides by zero")
        except TypeError as error:
            return Judgement(self.text, False, str(error))
        shown = ", ".join(f"{name} = {_shown(value)}" for name, value in used.items())
        return Judgement(self.text, held, shown)


class Judgement(msgspec.Struct, frozen=True):
    """An expectation after a run: did it hold, and the values that it spoke of."""

    text: str
    held: bool
    because: str


def parse_expectation(text: str) -> Expectation:
    """The expectation in this text. Raises ValueError that says what is wrong in it."""
    _check(parse(text), text)
    return Expectation(text)


def _check(tree: ast.expr, text: str) -> None:
    """Refuse whatever is outside the grammar, and any name that no figure has."""
    if not isinstance(tree, (ast.Compare, ast.BoolOp, ast.UnaryOp)):
        raise ValueError(f"{text!r} compares nothing; write it as `failed == 0`")
    check_part(tree, text)


def _shown(value: Figure) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return f"{len(value)} values from {min(value):.6g} to {max(value):.6g}"
    return str(value)

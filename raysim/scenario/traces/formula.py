"""A quantity of a row, reckoned from its columns: `50ms + 25ms * GeneratedTokens`. Never reads a file."""

from __future__ import annotations

import ast
from functools import cache

import msgspec

from raysim.scenario.expression import evaluate, names_in, parse


class Formula(msgspec.Struct, frozen=True):
    """As it was written. Durations count in seconds."""

    text: str

    @property
    def columns(self) -> list[str]:
        """That it speaks of."""
        return names_in(_tree(self.text))

    def of(self, numbers: dict[str, float]) -> float:
        """Of a row with these numbers in its columns. Raises ZeroDivisionError."""
        return evaluate(_tree(self.text), numbers)


def parse_formula(text: str) -> Formula:
    """Numbers with units, columns, `+ - * /` and brackets. Raises ValueError that says what is wrong."""
    _check(_tree(text), text)
    return Formula(text)


@cache
def _tree(text: str) -> ast.expr:
    """Once for all rows."""
    return parse(text, "a formula")


def _check(node: ast.expr, text: str) -> None:
    match node:
        case ast.UnaryOp(op=ast.USub(), operand=part):
            _check(part, text)
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            _check(left, text)
            _check(right, text)
        case ast.Constant(value=value) if type(value) in (int, float):
            pass
        case ast.Name():
            pass
        case _:
            shown = ast.unparse(node)
            raise ValueError(
                f"`{shown}` in {text!r} is not part of a formula: that has numbers, columns, + - * / and brackets"
            )

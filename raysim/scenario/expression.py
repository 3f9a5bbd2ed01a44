"""Expressions over the figures of a run: `p95(task_wait) / 2`. Never runs code: a small grammar, by hand.

Figures, numbers, `+ - * /`, brackets, comparisons, `and`, `or`, `not`, and `min max mean p50 p90 p95 p99` of a
figure that has many values. Numbers may carry a unit: a duration counts in seconds, a size in bytes, a
percentage as a share.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeAlias

import msgspec

from raysim.scenario.figures import FIGURES, SAMPLES
from raysim.scenario.problems import nearest
from raysim.spec.units import BYTES, NANOSECONDS, parse_duration, parse_size

Figure: TypeAlias = float | int | str | Sequence[float] | None

_UNITS: Final = "|".join(sorted({*NANOSECONDS, *BYTES, "%"}, key=len, reverse=True))
_QUANTITY: Final = re.compile(
    rf"(?<![\w.])(\d+(?:\.\d+)?(?:{_UNITS})(?:\d+(?:\.\d+)?(?:{_UNITS}))*)(?![\w%])"
)
_ARITHMETIC: Final[dict[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: Final[dict[type[ast.cmpop], Callable[[float, float], bool]]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that `percent` of the sorted values do not exceed (nearest rank)."""
    return at_rank(sorted(values), percent)


def at_rank(ranked: Sequence[float], percent: float) -> float:
    """The same of values that are sorted already."""
    rank = -(-len(ranked) * percent // 100)
    return ranked[max(int(rank) - 1, 0)]


FUNCTIONS: Final[dict[str, Callable[[Sequence[float]], float]]] = {
    "min": min,
    "max": max,
    "mean": lambda values: sum(values) / len(values),
    "p50": lambda values: percentile(values, 50),
    "p90": lambda values: percentile(values, 90),
    "p95": lambda values: percentile(values, 95),
    "p99": lambda values: percentile(values, 99),
}


class Measure(msgspec.Struct, frozen=True):
    """A quantity of a run, as it was written: `makespan_s`, `p95(task_wait)`."""

    text: str

    @property
    def names(self) -> list[str]:
        """The figures that it speaks of."""
        return names_in(parse(self.text))

    def value(self, figures: Mapping[str, Figure]) -> float | None:
        """None where a figure has no value in this run, or where it divides by zero."""
        tree = parse(self.text)
        if any(is_missing(figures.get(name)) for name in names_in(tree)):
            return None
        try:
            return float(evaluate(tree, figures))
        except ZeroDivisionError:
            return None


def parse_measure(text: str) -> Measure:
    """The quantity in this text. Raises ValueError that says what is wrong in it."""
    tree = parse(text)
    if isinstance(tree, (ast.Compare, ast.BoolOp)) or not names_in(tree):
        raise ValueError(f"{text!r} is not a quantity of a run; write it as p95(task_wait)")
    check_part(tree, text)
    return Measure(text)


def parse(text: str, noun: str = "an expectation") -> ast.expr:
    """Its tree, unchecked. `noun`: what it should be. Raises ValueError for what is no expression at all."""
    try:
        return ast.parse(_QUANTITY.sub(_in_base_unit, text).strip(), mode="eval").body
    except (SyntaxError, ValueError) as error:
        reason = _reason(text) or (error.msg if isinstance(error, SyntaxError) else str(error))
        raise ValueError(f"{text!r} is not {noun}: {reason}") from None


def _reason(text: str) -> str | None:
    """What is wrong more often than anything that Python would say; None: something else."""
    if re.search(r"[^=!<>]=[^=]", text):
        return "equality is written as =="
    for quantity in re.findall(r"(?<![\w.])\d[\d.]*[A-Za-z]+(?![\w%])", text):
        try:
            parse_duration(quantity)
        except ValueError as error:
            return str(error)
    return None


def _in_base_unit(match: re.Match[str]) -> str:
    quantity = match[1]
    if quantity.endswith("%"):
        return repr(float(quantity[:-1]) / 100)
    if quantity.lstrip("0123456789.") in BYTES:
        return str(parse_size(quantity))
    return repr(parse_duration(quantity) / NANOSECONDS["s"])


def check_part(node: ast.expr, text: str) -> None:
    """Raises ValueError for what is outside the grammar, and for any name that no figure has."""
    match node:
        case ast.BoolOp(values=parts):
            pass
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=part):
            parts = [part]
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
            parts = [left, right]
        case ast.Compare(left=left, ops=ops, comparators=others) if all(
            type(op) in _COMPARISONS for op in ops
        ):
            parts = [left, *others]
        case ast.Constant(value=value) if type(value) in (int, float):
            parts = []
        case ast.Name(id=name):
            _check_name(name, FIGURES, "figure", text)
            parts = []
        case ast.Call(func=ast.Name(id=function), args=[ast.Name(id=name)], keywords=[]):
            _check_name(function, FUNCTIONS, "function", text)
            _check_name(name, SAMPLES, "figure with many values", text)
            parts = []
        case _:
            shown = ast.unparse(node)
            raise ValueError(f"`{shown}` in {text!r} is not part of what an expectation may say")
    for part in parts:
        check_part(part, text)


def _check_name(name: str, known: Mapping[str, object], noun: str, text: str) -> None:
    if name in known:
        return
    if noun == "figure" and name in SAMPLES:
        raise ValueError(f"{name!r} in {text!r} has many values; did you mean p95({name})?")
    meant = nearest(name, known)
    hint = f"did you mean {meant}?" if meant else f"known are {', '.join(known)}"
    raise ValueError(f"unknown {noun} {name!r} in {text!r}; {hint}")


def names_in(tree: ast.expr) -> list[str]:
    """The figures that it speaks of, each once."""
    names = (node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
    return [name for name in dict.fromkeys(names) if name not in FUNCTIONS]


def evaluate(node: ast.expr, figures: Mapping[str, Figure]) -> float:
    """Of a checked tree. Raises ZeroDivisionError, and TypeError where a figure is of another kind."""
    match node:
        case ast.BoolOp(op=op, values=parts):
            held = (bool(evaluate(part, figures)) for part in parts)
            return all(held) if isinstance(op, ast.And) else any(held)
        case ast.UnaryOp(op=ast.Not(), operand=part):
            return not evaluate(part, figures)
        case ast.UnaryOp(op=ast.USub(), operand=part):
            return -evaluate(part, figures)
        case ast.BinOp(left=left, op=op, right=right):
            return _ARITHMETIC[type(op)](evaluate(left, figures), evaluate(right, figures))
        case ast.Compare(left=left, ops=ops, comparators=others):
            values = [evaluate(part, figures) for part in (left, *others)]
            return all(
                _COMPARISONS[type(op)](values[nth], values[nth + 1]) for nth, op in enumerate(ops)
            )
        case ast.Constant(value=int() | float() as value):
            return value
        case ast.Name(id=name):
            return _number(name, figures[name])
        case ast.Call(func=ast.Name(id=function), args=[ast.Name(id=name)]):
            return FUNCTIONS[function](_sample(name, figures[name]))
    raise AssertionError(f"unchecked expression {ast.unparse(node)}")


def is_missing(value: Figure) -> bool:
    """Whether this run has no such figure."""
    return value is None or (isinstance(value, Sequence) and not len(value))


def _number(name: str, value: Figure) -> float:
    if isinstance(value, (int, float)):
        return value
    raise TypeError(f"{name} is {value!r}, not a number")


def _sample(name: str, value: Figure) -> Sequence[float]:
    if isinstance(value, Sequence) and not isinstance(value, str):
        return value
    raise TypeError(f"{name} is {value!r}, not a list of values")

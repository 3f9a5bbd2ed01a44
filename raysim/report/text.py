"""Figures as text, the same in a terminal and on a page. Never rounds what is compared."""

from __future__ import annotations

from raysim.spec.units import NANOSECONDS, format_duration

_HOUR_S = 3600


def seconds(value: float | None) -> str:
    """Seconds as a person compares them: four figures where they are seconds; nothing for None."""
    if value is None:
        return ""
    if not value:
        return "0 s"
    if 1 <= value < _HOUR_S:
        return f"{value:.4g} s"
    return format_duration(round(value * NANOSECONDS["s"]))


def count(number: float, noun: str) -> str:
    """`1 node`, `4 nodes`."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"


def short(value: float) -> str:
    """A number on an axis: `0`, `2.5`, `1200`, `3M`."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.4g}M"
    return f"{value:.6g}"


def tick(at_s: float) -> str:
    """A moment on an axis: `0s`, `20s`, `1m30s`."""
    return format_duration(round(at_s * NANOSECONDS["s"])) if at_s else "0s"

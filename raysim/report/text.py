"""Figures as text, the same in a terminal and on a page. Never rounds what is compared."""

from __future__ import annotations

from raysim.spec.units import NANOSECONDS, format_duration

_HOUR_S = 3600


def seconds(value: float | None) -> str:
    """Seconds as a person compares them: four figures where they are seconds; nothing for None."""
    if value is None:
        return ""
    if 1 <= value < _HOUR_S:
        return f"{value:.4g} s"
    return format_duration(round(value * NANOSECONDS["s"]))


def count(number: float, noun: str) -> str:
    """`1 node`, `4 nodes`."""
    return f"{number:g} {noun}{'' if number == 1 else 's'}"

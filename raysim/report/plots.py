"""Curves as SVG, on a page and alone. Never computes them: see figures.

Colours come from classes, which `assets/plot.css` gives: a page follows its reader's light or dark.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from html import escape
from importlib.resources import files
from typing import Final, NamedTuple

from raysim.report.figures import Steps
from raysim.report.text import short, tick

WIDTH: Final = 640
HEIGHT: Final = 260
_LEFT: Final = 58
_RIGHT: Final = 16
_TOP: Final = 14
_BOTTOM: Final = 40

STRIP_WIDTH: Final = 10_000
STRIP_HEIGHT: Final = 100
"""Of a curve that is stretched to its place, in its own units."""


class Axis(NamedTuple):
    """From what to what values go, and how they are written."""

    name: str
    low: float
    high: float
    logarithmic: bool = False
    written: Callable[[float], str] = short

    def share(self, value: float) -> float:
        """Where it lies, 0 to 1."""
        if self.logarithmic:
            low, high = math.log(self.low), math.log(self.high)
            return (math.log(max(value, self.low)) - low) / (high - low or 1)
        return (value - self.low) / (self.high - self.low or 1)

    def ticks(self, most: int) -> list[float]:
        """Round values within it."""
        if self.logarithmic:
            return _powers(self.low, self.high, most)
        rough = (self.high - self.low) / max(most, 1) or 1.0
        base: float = 10 ** math.floor(math.log10(rough))
        step = next(base * n for n in (1, 2, 2.5, 5, 10) if base * n >= rough * 0.999)
        first = math.ceil(self.low / step - 1e-9)
        last = math.floor(self.high / step + 1e-9)
        return [step * number for number in range(first, last + 1)]


def _powers(low: float, high: float, most: int) -> list[float]:
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    every = max(1, -(-(last - first + 1) // most))
    return [10.0**power for power in range(first, last + 1, every)]


def time_axis(end_s: float) -> Axis:
    """Of a run, from its first submission on."""
    return Axis("time", 0.0, end_s or 1.0, written=tick)


class Frame:
    """A plot's place for curves, with its axes."""

    def __init__(self, across: Axis, up: Axis, width: int = WIDTH, height: int = HEIGHT) -> None:
        self.across = across
        self.up = up
        self.width = width
        self.height = height

    def x(self, value: float) -> float:
        return _LEFT + self.across.share(value) * (self.width - _LEFT - _RIGHT)

    def y(self, value: float) -> float:
        return self.height - _BOTTOM - self.up.share(value) * (self.height - _TOP - _BOTTOM)

    def svg(self, label: str, body: str) -> str:
        """The whole picture; `label` is what it says, for whoever does not see it."""
        parts = "".join([*self._up_ticks(), *self._across_ticks(), body])
        return (
            f'<svg class="plot" role="img" viewBox="0 0 {self.width} {self.height}" '
            f'width="{self.width}" height="{self.height}" aria-label="{escape(label)}">{parts}</svg>'
        )

    def _across_ticks(self) -> Iterator[str]:
        bottom = self.height - _BOTTOM
        for value in self.across.ticks(self.width // 75):
            at = self.x(value)
            yield f'<line class="grid" x1="{at:.1f}" x2="{at:.1f}" y1="{_TOP}" y2="{bottom}"/>'
            text = escape(self.across.written(value))
            yield f'<text x="{at:.1f}" y="{bottom + 16}" text-anchor="middle">{text}</text>'
        middle = (_LEFT + self.width - _RIGHT) / 2
        name = escape(self.across.name)
        yield f'<text class="name" x="{middle}" y="{self.height - 6}" text-anchor="middle">{name}</text>'

    def _up_ticks(self) -> Iterator[str]:
        right = self.width - _RIGHT
        for value in self.up.ticks(4):
            at = self.y(value)
            yield f'<line class="grid" x1="{_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}"/>'
            text = escape(self.up.written(value))
            yield f'<text x="{_LEFT - 6}" y="{at + 4:.1f}" text-anchor="end">{text}</text>'


def over_time(name: str, steps: Steps, end_s: float, most: float, label: str) -> str:
    """How many, over the whole run: a picture of its own."""
    frame = Frame(time_axis(end_s), Axis(name, 0.0, most or 1.0))
    points = [(frame.x(at_s), frame.y(value)) for at_s, value in steps]
    base, end = frame.y(0), frame.x(end_s)
    line = _stairs(points, frame.x(0), base, end)
    return frame.svg(
        label, f'<path class="area" d="{line}V{base:.1f}Z"/><path class="line" d="{line}"/>'
    )


def strip(steps: Steps, end_s: float, most: float, label: str) -> str:
    """The same without axes, to be stretched and moved in step with the timeline."""
    scale_x, scale_y = STRIP_WIDTH / (end_s or 1.0), STRIP_HEIGHT / (most or 1.0)
    points = [(at_s * scale_x, STRIP_HEIGHT - value * scale_y) for at_s, value in steps]
    line = _stairs(points, 0.0, STRIP_HEIGHT, STRIP_WIDTH)
    return (
        f'<svg class="strip" role="img" viewBox="0 0 {STRIP_WIDTH} {STRIP_HEIGHT}" '
        f'preserveAspectRatio="none" aria-label="{escape(label)}">'
        f'<path class="area" d="{line}V{STRIP_HEIGHT}Z"/><path class="line" d="{line}"/></svg>'
    )


def _stairs(points: Sequence[tuple[float, float]], left: float, base: float, right: float) -> str:
    steps = "".join(f"H{x:.1f}V{y:.1f}" for x, y in points)
    return f"M{left:.1f} {base:.1f}{steps}H{right:.1f}"


def shares(name: str, points: Steps, written: Callable[[float], str], label: str) -> str:
    """A distribution: the share of all that are no larger than each value."""
    low, high = points[0][0], points[-1][0]
    positive = next((value for value, _ in points if value > 0), 0.0)
    wide = positive > 0 and high / positive > _WIDE
    across = (
        Axis(name, max(positive, high * 1e-7), high, True, written)
        if wide
        else Axis(name, low, high if high > low else low + (abs(low) or 1.0), False, written)
    )
    up = Axis("share", 0.0, 1.0, written=lambda share: f"{share:.0%}")
    frame = Frame(across, up, _NARROW, 220)
    drawn = [(frame.x(value), frame.y(share)) for value, share in points]
    line = _stairs(drawn, drawn[0][0], frame.y(0), frame.width - _RIGHT)
    return frame.svg(label, f'<path class="line" d="{line}"/>')


_NARROW: Final = 370
"""Three fit side by side."""

_WIDE: Final = 100
"""Times that the largest value may be the least: above, the scale is logarithmic."""


def alone(svg: str) -> str:
    """A picture for a file of its own."""
    style = (files("raysim.report") / "assets" / "plot.css").read_text("utf-8")
    head, _, rest = svg.partition(">")
    start = head.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{start}><style>{style}</style>{rest}\n"

"""When tasks come: `poisson(rate=10/s)`, `bursty(...)`, `diurnal(...)`. Never says what they do: see distributions.

Sources: the two-state Markov-modulated Poisson process of Fischer and Meier-Hellstern, "The Markov-modulated Poisson
process (MMPP) cookbook", Performance Evaluation 1993; thinning by Lewis and Shedler, 1979.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol, runtime_checkable

from raysim.scenario.distributions import made, number
from raysim.spec.units import NANOSECONDS, parse_duration

_RATE: Final = re.compile(r"\s*(\d+(?:\.\d+)?)\s*/\s*([a-z]+)\s*")


@runtime_checkable
class Arrivals(Protocol):
    """Moments in seconds from the start, in their order, without end."""

    def moments(self, rng: Random) -> Iterator[float]:
        """The same for the same generator."""


@dataclass(frozen=True)
class Regular:
    """One after the other, at equal distances. `rate`: per second."""

    rate: float

    def moments(self, rng: Random) -> Iterator[float]:
        number = 0
        while True:
            yield number / self.rate
            number += 1


@dataclass(frozen=True)
class Poisson:
    """Independent of each other. `rate`: per second."""

    rate: float

    def moments(self, rng: Random) -> Iterator[float]:
        at = 0.0
        while True:
            at += _gap(self.rate, rng)
            yield at


@dataclass(frozen=True)
class Bursty:
    """A Poisson process that is `burst` times as fast now and then (MMPP with two states).

    `rate`: per second, in the mean; `share`: of the time in bursts; `lasting`: seconds of a burst, in the mean.
    """

    rate: float
    burst: float = 10.0
    share: float = 0.1
    lasting: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.share < 1:
            raise ValueError(f"share={self.share:g} is not between 0 and 1")
        if self.burst < 1:
            raise ValueError(f"burst={self.burst:g} is slower than the rest")

    def moments(self, rng: Random) -> Iterator[float]:
        quiet = self.rate / (1 - self.share + self.share * self.burst)
        quiet_s = self.lasting * (1 - self.share) / self.share
        at, bursting = 0.0, rng.random() < self.share
        while True:
            end = at + _gap(1 / (self.lasting if bursting else quiet_s), rng)
            rate = quiet * self.burst if bursting else quiet
            at += _gap(rate, rng)
            while at < end:
                yield at
                at += _gap(rate, rng)
            at, bursting = end, not bursting


@dataclass(frozen=True)
class Diurnal:
    """A Poisson process whose rate goes up and down as a sine, from its mean upwards at the start.

    `rate`: per second, in the mean; `swing`: of the rate, up and down, 0 to 1; `period`: seconds.
    """

    rate: float
    swing: float = 0.8
    period: float = 86_400.0

    def __post_init__(self) -> None:
        if not 0 <= self.swing <= 1:
            raise ValueError(f"swing={self.swing:g} is not between 0 and 1")

    def moments(self, rng: Random) -> Iterator[float]:
        at = 0.0
        while True:
            at += _gap(self.rate * (1 + self.swing), rng)
            wave = 1 + self.swing * math.sin(2 * math.pi * at / self.period)
            if rng.random() * (1 + self.swing) < wave:
                yield at


KINDS: Final[Mapping[str, Callable[..., Arrivals]]] = {
    "regular": Regular,
    "poisson": Poisson,
    "bursty": Bursty,
    "diurnal": Diurnal,
}


def parse_arrivals(text: str) -> Arrivals:
    """The process in a text such as `poisson(rate=10/s)`.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    return made(text, "process of arrivals", KINDS, _read, "poisson(rate=10/s)")


def parse_rate(text: str) -> float:
    """Per second, of `10/s` or `0.5/m`. Raises ValueError."""
    written = _RATE.fullmatch(text)
    if written is None or written[2] not in NANOSECONDS or not float(written[1]):
        raise ValueError(f"{text!r} is not a rate above 0; write it as 10/s or 0.5/m")
    return float(written[1]) / (NANOSECONDS[written[2]] / NANOSECONDS["s"])


def _seconds(text: str) -> float:
    seconds = parse_duration(text) / NANOSECONDS["s"]
    if not seconds:
        raise ValueError(f"{text!r} is no time at all")
    return seconds


def _read(name: str, text: str) -> float:
    if name == "rate":
        return parse_rate(text)
    return _seconds(text) if name in ("lasting", "period") else number(name, text)


def _gap(rate: float, rng: Random) -> float:
    """Seconds until the next one of a Poisson process."""
    return -math.log1p(-rng.random()) / rate

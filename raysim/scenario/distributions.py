"""Random quantities as people write them: `exponential(mean=2s)`, `pareto(mean=2s)`. Never draws by itself.

Each is given by its mean where it has one, so that the load of a workload can be read from its file. Samples come by
inversion or from `random.Random`: the same generator gives the same values everywhere.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final, Protocol, TypeVar, runtime_checkable

from raysim.spec.call_text import hint, parse_call
from raysim.spec.units import parse_share

_Made = TypeVar("_Made")


@runtime_checkable
class Distribution(Protocol):
    """Values in the unit in which the parameters were given."""

    @property
    def mean(self) -> float:
        """Of many samples."""

    def sample(self, rng: Random) -> float:
        """One value, never negative."""


@dataclass(frozen=True)
class Constant:
    value: float

    @property
    def mean(self) -> float:
        return self.value

    def sample(self, rng: Random) -> float:
        return self.value


@dataclass(frozen=True)
class Uniform:
    low: float
    high: float

    def __post_init__(self) -> None:
        if self.low > self.high:
            raise ValueError("low is more than high")

    @property
    def mean(self) -> float:
        return (self.low + self.high) / 2

    def sample(self, rng: Random) -> float:
        return rng.uniform(self.low, self.high)


@dataclass(frozen=True)
class Exponential:
    mean: float

    def sample(self, rng: Random) -> float:
        return -self.mean * math.log1p(-rng.random())


@dataclass(frozen=True)
class Lognormal:
    """`sigma`: of the logarithm; at 1 the squared coefficient of variation is 1.7, at 2 it is 54."""

    mean: float
    sigma: float = 1.0

    def sample(self, rng: Random) -> float:
        return self.mean * math.exp(self.sigma * rng.gauss(0, 1) - self.sigma**2 / 2)


@dataclass(frozen=True)
class Pareto:
    """`alpha`: of the tail, more than 1, or there is no mean; up to 2 there is no variance."""

    mean: float
    alpha: float = 1.5

    def __post_init__(self) -> None:
        if self.alpha <= 1:
            raise ValueError(f"alpha={self.alpha:g} has no mean; it has to be more than 1")

    def sample(self, rng: Random) -> float:
        least = self.mean * (self.alpha - 1) / self.alpha
        return least * float((1 - rng.random()) ** (-1 / self.alpha))


@dataclass(frozen=True)
class Weibull:
    """`shape`: below 1 a long tail, at 1 exponential, above it a peak."""

    mean: float
    shape: float = 0.5

    def __post_init__(self) -> None:
        if self.shape <= 0:
            raise ValueError(f"shape={self.shape:g} has to be more than 0")

    def sample(self, rng: Random) -> float:
        scale = self.mean / math.gamma(1 + 1 / self.shape)
        return scale * float((-math.log1p(-rng.random())) ** (1 / self.shape))


@dataclass(frozen=True)
class Hyperexponential:
    """Two exponential phases with balanced means. `cv2`: squared coefficient of variation, at least 1."""

    mean: float
    cv2: float = 4.0

    def __post_init__(self) -> None:
        if self.cv2 < 1:
            raise ValueError(f"cv2={self.cv2:g} is less than an exponential has; it is at least 1")

    def sample(self, rng: Random) -> float:
        often = (1 + math.sqrt((self.cv2 - 1) / (self.cv2 + 1))) / 2
        share = often if rng.random() < often else 1 - often
        return -self.mean / (2 * share) * math.log1p(-rng.random())


@dataclass(frozen=True)
class Empirical:
    """Each of these values as likely."""

    values: Sequence[float]

    @property
    def mean(self) -> float:
        return math.fsum(self.values) / len(self.values)

    def sample(self, rng: Random) -> float:
        return rng.choice(self.values)


KINDS: Final[Mapping[str, Callable[..., Distribution]]] = {
    "constant": Constant,
    "uniform": Uniform,
    "exponential": Exponential,
    "lognormal": Lognormal,
    "pareto": Pareto,
    "weibull": Weibull,
    "hyperexponential": Hyperexponential,
    "empirical": Empirical,
}

_QUANTITIES: Final = {"value", "low", "high", "mean"}
"""Parameters with a unit; the others are plain numbers."""


def parse_distribution(text: str, parse: Callable[[str], float], example: str) -> Distribution:
    """The distribution in a text such as `exponential(mean=2s)`; `parse` reads the quantities in it.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    return made(text, "distribution", KINDS, lambda name, value: _read(name, value, parse), example)


def made(
    text: str,
    noun: str,
    kinds: Mapping[str, Callable[..., _Made]],
    read: Callable[[str, str], object],
    example: str,
) -> _Made:
    """What the text says, of one of these dataclasses; `read` takes an argument's name and value. Raises ValueError."""
    call = parse_call(text, noun, example)
    kind = kinds.get(call.name)
    if kind is None:
        raise ValueError(f"unknown {noun} {call.name!r}{hint(call.name, kinds)}")
    known = inspect.signature(kind).parameters
    for name in call.arguments:
        if name not in known:
            raise ValueError(f"{call.name} has no argument {name!r}{hint(name, known)}")
    required = [name for name, one in known.items() if one.default is one.empty]
    missing = [f"{name}=..." for name in required if name not in call.arguments]
    if missing:
        raise ValueError(f"{text!r} does not say all: {call.name} needs {', '.join(missing)}")
    given = {name: read(name, value) for name, value in call.arguments.items()}
    try:
        return kind(**given)
    except ValueError as error:
        raise ValueError(f"{text!r}: {error}") from None


def _read(name: str, text: str, parse: Callable[[str], float]) -> object:
    if name == "values":
        return tuple(parse(one) for one in text.split("+"))
    return parse(text) if name in _QUANTITIES else number(name, text)


def number(name: str, text: str) -> float:
    """A plain number, or a percentage as a share. Raises ValueError."""
    value = parse_share(text)
    if not math.isfinite(value):
        raise ValueError(f"{name} is a number, not {text!r}")
    return value

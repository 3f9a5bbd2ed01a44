"""Every choice of a run as a draw with a label: made, written down, played again, edited. Never draws unseeded.

Each label has a stream of its own, forked from the seed, so that one more draw under one label shifts
none under another. That is what makes a tape worth editing: a choice that is changed, or taken out,
leaves all choices under other labels as they were.

A draw is a whole number from 0 to n - 1, and 0 is the simplest choice: nothing goes wrong, the first
of several, no wait. Whoever shrinks a run makes draws smaller and streams shorter.
"""

from collections.abc import Mapping
from hashlib import blake2b
from random import Random
from typing import Any, Final, Protocol, TypeVar

import msgspec

UNIT: Final = 1 << 53
"""A draw in [0, 1) is one of so many numbers: all that a float of Python's `random` can be."""

T = TypeVar("T")


class Tape(Protocol):
    """Where choices come from."""

    def draw(self, label: str, n: int) -> int:
        """A number from 0 to n - 1; `n` is at least 1."""

    def unit(self, label: str) -> float:
        """A number in [0, 1), of which there are UNIT."""


def fork(seed: int, label: str) -> int:
    """A 128-bit number that only the seed and the label decide."""
    key = str(seed).encode()[:64]
    digest = blake2b(label.encode(), digest_size=16, key=key).digest()
    return int.from_bytes(digest, "big")


class SeededTape:
    """Draws from the seed: the same numbers as `random.Random(fork(seed, label))` would give."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._streams: dict[str, Random] = {}

    def draw(self, label: str, n: int) -> int:
        # What `randrange(n)` comes to after it has looked at what it was given, which takes as long again.
        stream: Any = self._streams.get(label) or self._stream(
            label
        )  # Typeshed lacks `_randbelow`.
        drawn: int = stream._randbelow(n)
        return drawn

    def unit(self, label: str) -> float:
        return (self._streams.get(label) or self._stream(label)).random()

    def _stream(self, label: str) -> Random:
        stream = self._streams[label] = Random(fork(self.seed, label))
        return stream


class Recording(msgspec.Struct, frozen=True):
    """What was drawn in a run: under each label, in order."""

    seed: int
    draws: dict[str, list[int]] = {}
    simplest_after: bool = False
    """What follows the end of a label's draws: always 0, or the seed's own draws from their beginning."""

    def replaced(self, label: str, index: int, value: int) -> "Recording":
        """The same with another number in one place. Out of range, it counts as the nearest that is in it."""
        values = list(self.draws[label])
        values[index] = value
        return self.with_stream(label, values)

    def cut(self, label: str, length: int) -> "Recording":
        """The same without the draws of this label from `length` on."""
        return self.with_stream(label, self.draws[label][:length])

    def without(self, label: str, index: int, count: int = 1) -> "Recording":
        """The same without `count` draws of this label; those behind move up."""
        values = self.draws[label]
        return self.with_stream(label, values[:index] + values[index + count :])

    def with_stream(self, label: str, values: list[int]) -> "Recording":
        return msgspec.structs.replace(self, draws={**self.draws, label: values})

    def simplest(self) -> "Recording":
        """The same, and past the end of what is given the simplest choice always."""
        return msgspec.structs.replace(self, simplest_after=True)

    def tape(self) -> "ReplayedTape":
        return ReplayedTape(self)

    @property
    def length(self) -> int:
        return sum(map(len, self.draws.values()))


class Recorder:
    """Hands on the draws of another tape and writes them down."""

    def __init__(self, tape: Tape, seed: int) -> None:
        self._tape = tape
        self._seed = seed
        self._draws: dict[str, list[int]] = {}

    def draw(self, label: str, n: int) -> int:
        value = self._tape.draw(label, n)
        self._note(label, value)
        return value

    def unit(self, label: str) -> float:
        value = self._tape.unit(label)
        self._note(label, int(value * UNIT))
        return value

    def _note(self, label: str, value: int) -> None:
        found = self._draws.get(label)
        if found is None:
            self._draws[label] = [value]
        else:
            found.append(value)

    def recording(self) -> Recording:
        """So far."""
        return Recording(self._seed, {label: list(values) for label, values in self._draws.items()})


class ReplayedTape:
    """Gives what a recording holds; past its end, the simplest, or draws of the seed."""

    def __init__(self, recording: Recording) -> None:
        self._recording = recording
        self._places: dict[str, int] = {}
        self._rest = SeededTape(recording.seed)

    def draw(self, label: str, n: int) -> int:
        value = self._next(label)
        if value is None:
            return 0 if self._recording.simplest_after else self._rest.draw(label, n)
        # A value that was edited, or drawn where there was more to choose from.
        return min(max(value, 0), n - 1)

    def unit(self, label: str) -> float:
        value = self._next(label)
        if value is None:
            return 0.0 if self._recording.simplest_after else self._rest.unit(label)
        return min(max(value, 0), UNIT - 1) / UNIT

    def _next(self, label: str) -> int | None:
        values = self._recording.draws.get(label, ())
        place = self._places.get(label, 0)
        if place >= len(values):
            return None
        self._places[label] = place + 1
        return values[place]


class TapedRandom(Random):
    """Python's `Random` with all its methods, on the draws of one label."""

    def __init__(self, tape: Tape, label: str) -> None:
        self._tape = tape
        self._label = label
        super().__init__(0)

    def random(self) -> float:
        return self._tape.unit(self._label)

    def getrandbits(self, k: int, /) -> int:
        return self._tape.draw(self._label, 1 << k)

    def _randbelow(self, n: int) -> int:
        return self._tape.draw(self._label, n)

    def seed(self, *args: Any, **kwargs: Any) -> None:
        """A tape has no state that could be set."""

    def getstate(self) -> Any:
        raise NotImplementedError(f"the draws of {self._label!r} are on a tape, which has no state")

    def setstate(self, state: Any) -> None:
        raise NotImplementedError(f"the draws of {self._label!r} are on a tape, which has no state")


class Draws:
    """What is drawn under one label, in words of what is chosen. The first of each is the simplest."""

    __slots__ = ("_label", "_tape")

    def __init__(self, tape: Tape, label: str) -> None:
        self._tape = tape
        self._label = label

    def below(self, n: int) -> int:
        return self._tape.draw(self._label, n)

    def between(self, low: int, high: int) -> int:
        """Both included."""
        return low + self._tape.draw(self._label, high - low + 1)

    def chance(self, share: float) -> bool:
        """True in so many of the cases; the simplest is False."""
        return self._tape.unit(self._label) >= 1 - share

    def one_of(self, choices: "list[T] | tuple[T, ...]") -> T:
        return choices[self._tape.draw(self._label, len(choices))]

    def weighted(self, weights: Mapping[T, int]) -> T:
        place = self._tape.draw(self._label, sum(weights.values()))
        for choice, weight in weights.items():
            place -= weight
            if place < 0:
                return choice
        raise AssertionError(f"no choice among {weights}")

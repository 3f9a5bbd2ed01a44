"""Whether a thread looks again and again for a while before it sleeps. Never looks, and reads no clock.

A thread that keeps its core while it waits saves its own wake-up, and has the processes that it waits for
wake each other on one core: between two idle cores each wake-up costs several times as much. Where all
cores have work it only takes time from those that it waits for. Which of the two is so shows in how long
waits take: one that spins has to be shorter than half of those that sleep. It is a miss if it is not, and
each miss doubles how many waits sleep until the next one that spins.
"""

from typing import Final

LONGEST_NS: Final = 250_000
"""Waits that take longer are slept through: a wake-up counts for little then."""

REST: Final = 256
"""Waits that sleep between two that spin, at most: what spinning costs where it is wrong is then 1 % or less."""

LOOK_AGAIN: Final = 32
"""Waits that spin in a row, until one sleeps all the same, to be compared with."""

_STEP: Final = 8
"""By which part of itself the median of those that sleep follows each of them."""


class Spinning:
    def __init__(self) -> None:
        self._usual_ns = 0
        """Half of the waits that sleep are shorter."""
        self._rest = _STEP
        """Waits that sleep after each one that spins."""
        self._left = self._rest
        """Of these."""
        self._streak = 0

    def limit_ns(self) -> int:
        """Before each wait: for how long to spin; 0: sleep at once."""
        if self._left:
            self._left -= 1
            return 0
        return self._usual_ns - self._usual_ns // _STEP if self._usual_ns < LONGEST_NS else 0

    def slept(self, lasted_ns: int) -> None:
        usual = self._usual_ns
        if not usual:
            self._usual_ns = lasted_ns
        elif lasted_ns > usual:
            self._usual_ns = min(usual + usual // _STEP + 1, lasted_ns)
        else:
            self._usual_ns = max(usual - usual // _STEP - 1, lasted_ns)

    def hit(self) -> None:
        """What it waited for came in time."""
        self._rest //= 2
        self._streak += 1
        self._left = self._rest
        if self._streak >= LOOK_AGAIN:
            self._streak = 0
            self._left = max(self._left, 1)

    def missed(self) -> None:
        self._streak = 0
        self._rest = self._left = min(REST, max(1, 2 * self._rest))

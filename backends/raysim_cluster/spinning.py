"""Whether a thread looks again and again for a while before it sleeps. Never looks, and reads no clock.

A thread that keeps its core while it waits saves its own wake-up, and has the processes that it waits for
wake each other on one core: between two idle cores each wake-up costs several times as much. Where all
cores have work it only takes time from those that it waits for. There are two ways to find out which is so.
`SpinUnlessInVain` sees whether it helped. `SpinOrSleep` compares how long waits take, for those that end in time
either way: one that spins has to be shorter than most of those that sleep. It is a miss if it is not, and
some misses in a row double how many waits sleep until the next one that spins.
"""

from typing import Final

FOR_RESULT_NS: Final = 250_000
"""Who waits for the result of a pass sleeps where that takes longer: a wake-up counts for little then."""

FOR_TURN_NS: Final = 30_000
"""An actor sleeps where its next turn takes longer: it is one of several then, and one that spins is enough. Measured:
20 us where there is one actor, 45 us where there are three."""

TRIES: Final = 3
"""Waits in a row that spin in vain, until one sleeps again: the first ones find the processes where they slept before,
and are no shorter for that."""

REST: Final = 512
"""Waits that sleep between two such rows, at most: what spinning costs where it is wrong is then 1 % or less."""

LOOK_AGAIN: Final = 32
"""Waits that spin in a row, until one sleeps all the same, to be compared with."""

_STEP: Final = 8
"""By which part of itself the median of those that sleep follows each of them."""

MOST_SKIPPED: Final = 256
"""Waits that sleep at once after spinning was in vain again and again."""


class SpinUnlessInVain:
    """Whether spinning is worth while: in vain, it is left out twice as often; not in vain, half as often."""

    __slots__ = ("_left", "_skipped")

    def __init__(self) -> None:
        self._skipped = 0
        self._left = 0

    def tries(self) -> bool:
        """Before each wait."""
        if self._left:
            self._left -= 1
            return False
        return True

    def hit(self) -> None:
        self._skipped >>= 1
        self._left = self._skipped

    def missed(self) -> None:
        self._skipped = self._left = min(max(1, 2 * self._skipped), MOST_SKIPPED)


class SpinOrSleep:
    """Whether spinning makes waits shorter than sleeping does."""

    def __init__(self, longest_ns: int) -> None:
        """`longest_ns`: what takes longer asleep is not spun for."""
        self._longest_ns = longest_ns
        self._usual_ns = 0
        """Half of the waits that sleep are shorter."""
        self._rest = _STEP
        """Waits that sleep after each one that spins."""
        self._left = self._rest
        """Of these."""
        self._streak = 0
        """Waits that spun and were short, since one that was not."""
        self._missed = 0
        """Of the tries under way."""

    def limit_ns(self) -> int:
        """Before each wait: for how long to spin; 0: sleep at once."""
        if self._left:
            self._left -= 1
            return 0
        usual = self._usual_ns
        return usual - usual // _STEP if usual < self._longest_ns else 0

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
        self._missed = 0
        self._rest //= 2
        self._streak += 1
        self._left = self._rest
        if self._streak >= LOOK_AGAIN:
            self._streak = 0
            self._left = max(self._left, 1)

    def missed(self) -> None:
        self._streak = 0
        self._missed += 1
        if self._missed == TRIES:
            self._missed = 0
            self._rest = self._left = min(REST, max(1, 2 * self._rest))

"""Labelled random streams forked from one seed, or from a tape. Never shared: a draw from one shifts no other."""

from random import Random

from raysim.tape import Draws, SeededTape, Tape, TapedRandom, fork


class Streams:
    """The only source of chance in a run: the same seed and label give the same draws."""

    def __init__(self, seed: int, tape: Tape | None = None) -> None:
        self.seed = seed
        self._given = tape
        self.tape: Tape = SeededTape(seed) if tape is None else tape
        self._streams: dict[str, Random] = {}

    def stream(self, label: str) -> Random:
        """The stream of this label; the same object each time. Without a tape it costs what a Random costs."""
        found = self._streams.get(label)
        if found is None:
            given = self._given
            found = Random(self.number(label)) if given is None else TapedRandom(given, label)
            self._streams[label] = found
        return found

    def own(self, label: str) -> Random:
        """One for user code, which may seed it: never on the tape."""
        return Random(self.number(label))

    def draws(self, label: str) -> Draws:
        """Choices of the simulator itself. Not to be mixed with `stream` of the same label."""
        return Draws(self.tape, label)

    def number(self, label: str) -> int:
        """A 128-bit number that only the seed and the label decide."""
        return fork(self.seed, label)

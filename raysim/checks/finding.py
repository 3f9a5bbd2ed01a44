"""What a check has to say: which invariant is broken, by what. Never how it is found: see the other modules here."""

from __future__ import annotations

import re

import msgspec

_IDS = re.compile(r"\b[0-9a-f]{6,}\b")
_NUMBERS = re.compile(r"\d+(\.\d+)?")


class Finding(msgspec.Struct, frozen=True):
    """One invariant that does not hold, at one moment of a run."""

    invariant: str
    """Its short name: `resources-conserved`."""
    text: str
    """With the values, for people."""
    at_ns: int = 0
    """On the run's clock."""
    cause: str = ""
    """What findings of one bug have in common; empty: the text without its numbers and ids."""

    def group(self) -> str:
        """Equal for findings that look like one bug."""
        return f"{self.invariant}: {self.cause or without_values(self.text)}"

    def __str__(self) -> str:
        return f"[{self.invariant}] at {self.at_ns / 1e9:.6f} s: {self.text}"


def without_values(text: str) -> str:
    """The first line, with every id and number replaced."""
    first = text.strip().partition("\n")[0]
    return _NUMBERS.sub("N", _IDS.sub("ID", first))[:200]


class BrokenInvariantError(AssertionError):
    """Ends a run at the moment when an invariant broke. Raised by no program."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(str(finding))
        self.finding = finding

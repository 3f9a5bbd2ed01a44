"""What is wrong with an input, where, and the nearest right word. Never decides what is right."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import NamedTuple


class Place(NamedTuple):
    """A position in a text file, both counted from one as editors do."""

    line: int
    column: int


class Problem(NamedTuple):
    """One mistake: its file, its place where it has one, what is wrong, and what was meant."""

    file: str
    place: Place | None
    what: str
    meant: str | None = None

    def __str__(self) -> str:
        where = f"{self.file}:{self.place.line}:{self.place.column}" if self.place else self.file
        hint = f"; did you mean {self.meant}?" if self.meant else ""
        return f"{where}: {self.what}{hint}"


class ScenarioError(Exception):
    """An input file that cannot be run: every problem found in it, in the order of its lines."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: list[Problem] = sorted(
            problems, key=lambda problem: (problem.file, problem.place or Place(0, 0))
        )
        assert self.problems, "a ScenarioError needs at least one problem"
        super().__init__("\n".join(map(str, self.problems)))


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, whatever its case; None where nothing is close."""
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(_fold(name), name)
    close = get_close_matches(_fold(word), folded, n=1, cutoff=0.6)
    return folded[close[0]] if close else None


def listing(words: Sequence[str]) -> str:
    """`a`, `a or b`, `a, b or c`."""
    if len(words) < 2:
        return "".join(words)
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _fold(word: str) -> str:
    return word.lower().replace("-", "_").replace(" ", "_")

"""A failing run, told to a person: seed, profile, faults that struck, the first difference, one line to replay it.

Never runs anything: it reads outcomes.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator
from itertools import zip_longest
from typing import Final

import msgspec

from raysim.journal import FaultInjected, Journal, NodeJoined, Note
from raysim.testing.notes import tell
from raysim.testing.simulation import Outcome


class Told(msgspec.Struct, frozen=True):
    """One note as a line."""

    at_ns: int
    who: str
    text: str
    fault: bool
    aside: bool
    """Not to be compared."""

    def __str__(self) -> str:
        return f"{self.at_ns / 1e9:11.6f} s  {self.who}: {self.text}"


def told(journal: Journal) -> Iterator[Told]:
    """The notes of a run, in order."""
    for at_ns, who, kind, what in journal.records:
        if kind == "note" and isinstance(what, Note):
            aside = isinstance(what, FaultInjected | NodeJoined)
            yield Told(at_ns, who, tell(what), isinstance(what, FaultInjected), aside)


_NOT_OF_THE_SEED: Final = (
    "The same run, once more, did not fail: it depends on something besides its seed, such as a global that",
    "an earlier run changed, a file, or the machine's clock.",
)


class Difference(msgspec.Struct, frozen=True):
    """Where two runs begin to tell of different things, whenever those happened."""

    place: int
    failing: Told | None
    """None: this run has ended."""
    passing: Told | None


def first_difference(failing: Journal, passing: Journal) -> Difference | None:
    """None: nowhere."""
    pairs = zip_longest(_comparable(failing), _comparable(passing))
    for place, (mine, other) in enumerate(pairs):
        if mine is None or other is None or (mine.who, mine.text) != (other.who, other.text):
            return Difference(place, mine, other)
    return None


def _comparable(journal: Journal) -> list[Told]:
    """Without faults, which are told of anyway, and the nodes that join: their order means little."""
    return [one for one in told(journal) if not one.aside]


def nearest(failing: Outcome, passing: list[Outcome]) -> Outcome | None:
    """Of the runs that pass, the one that goes the same way longest; the first of several."""

    def length(one: Outcome) -> float:
        found = first_difference(failing.journal, one.journal)
        return math.inf if found is None else found.place

    return max(passing, key=length, default=None)


def report(
    outcome: Outcome,
    *,
    again: list[str],
    passed: int = 0,
    shrunk: Outcome | None = None,
    passing: Outcome | None = None,
    fails_again: bool = True,
) -> str:
    """What is shown below the error of a failing test. `shrunk`: the simplest run that fails like it."""
    before = f", after {passed} that passed" if passed else ""
    lines = ["", f"raysim: it fails with seed {outcome.seed}{before}."]
    shrunk = shrunk or outcome
    if shrunk.profile == outcome.profile:
        lines += ["", "The run:"]
    else:
        parts = len(outcome.profile.faults), len(shrunk.profile.faults)
        of = f" ({parts[1]} of {parts[0]} faults)" if parts[0] else ""
        lines += ["", f"The simplest run found that fails like it{of}:"]
    lines += _indented(str(shrunk.profile).splitlines())
    strikes = [str(one) for one in told(shrunk.journal) if one.fault]
    lines += ["", "Faults that struck:" if strikes else "No fault struck.", *_indented(strikes)]
    if passing is not None:
        lines += _difference(shrunk, passing)
    if not fails_again:
        lines += ["", *_NOT_OF_THE_SEED]
    return "\n".join([*lines, "", *again])


def _difference(failing: Outcome, passing: Outcome) -> list[str]:
    found = first_difference(failing.journal, passing.journal)
    if found is None:
        return []
    both = found.failing, found.passing
    mine, other = ("           (it has ended)" if one is None else str(one) for one in both)
    return [
        "",
        f"The first difference from {_which(failing, passing)}:",
        f"  fails:  {mine}",
        f"  passes: {other}",
    ]


def _which(failing: Outcome, passing: Outcome) -> str:
    if failing.seed != passing.seed:
        return f"the run with seed {passing.seed}, which passes"
    gone = [fault for fault in failing.profile.faults if fault not in passing.profile.faults]
    if gone:
        return f"the same run without {gone[0]}, which passes"
    if failing.profile.order != passing.profile.order:
        return f"the same run in the order {passing.profile.order}, which passes"
    return "the same run on a simpler cluster, which passes"


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def again(test: str, what: str) -> list[str]:
    """What to do next. `what`: a seed, or the file of a failure, which other commands read as well."""
    lines = ["Replay it:", "  " + shlex.join(["pytest", test, "--raysim-replay", what])]
    if not what.isdigit():
        lines += ["What led to it:", "  " + shlex.join(["raysim", "why", what])]
    return lines

"""Where two runs part: the first record that is not the same. Never says which of them is right."""

from __future__ import annotations

from itertools import zip_longest
from typing import NamedTuple

from raysim.journal import Journal, Record
from raysim.testing.why import Link

SHOWN = 6
"""Records before the first that differs."""


class Parting(NamedTuple):
    """`before`: the last records that both runs have."""

    before: list[Link]
    one: Link | None
    other: Link | None

    def __str__(self) -> str:
        lines = ["Both runs:", *(f"  {link}" for link in self.before)] if self.before else []
        lines += ["Then the first:", f"  {self.one or 'has ended'}"]
        lines += ["and the second:", f"  {self.other or 'has ended'}"]
        return "\n".join(lines)


def first_difference(one: Journal, other: Journal) -> Parting | None:
    """None where both wrote the same."""
    for number, (left, right) in enumerate(zip_longest(one.records, other.records)):
        if left != right:
            before = one.records[max(0, number - SHOWN) : number]
            links = [Link(number - len(before) + at, record) for at, record in enumerate(before)]
            return Parting(links, _link(number, left), _link(number, right))
    return None


def _link(number: int, record: Record | None) -> Link | None:
    return None if record is None else Link(number, record)

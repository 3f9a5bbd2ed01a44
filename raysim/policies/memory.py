"""Which worker ends when a node's memory runs out. Never measures memory, never ends one.

Ray's policy, "group by owner" (`worker_killing_policy_group_by_owner.cc`): of the owners of what runs, first
those whose work may run again, then the one with most workers, then the one that got its last worker last;
of its workers the newest. So the work of many makes way for that of few, and what has run longest is kept.
"""

from collections.abc import Sequence

import msgspec


class Candidate(msgspec.Struct, frozen=True):
    """A worker that runs something."""

    token: int
    owner: bytes
    """Who has it."""
    retriable: bool
    """What it runs may run again."""
    since_ns: int
    """When it was given away."""


class Verdict(msgspec.Struct, frozen=True):
    token: int
    final: bool
    """It was its owner's last: what it runs would only run out of memory again, and fails instead."""


def choose(candidates: Sequence[Candidate]) -> Verdict | None:
    """None where nobody runs anything."""
    groups: dict[tuple[bytes, int], list[Candidate]] = {}
    for one in candidates:
        # What may not run again stands alone: it shares no fate with others.
        groups.setdefault((one.owner, -1 if one.retriable else one.token), []).append(one)
    if not groups:
        return None
    group = min(groups.values(), key=_rank)
    newest = max(group, key=lambda one: (one.since_ns, one.token))
    return Verdict(newest.token, final=len(group) == 1 or not newest.retriable)


def _rank(group: list[Candidate]) -> tuple[bool, int, int]:
    return not group[0].retriable, -len(group), -max(one.since_ns for one in group)

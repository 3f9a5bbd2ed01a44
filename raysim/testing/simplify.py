"""Makes the profile of a failing run simpler while it fails in the same way. Never changes a choice of the run itself.

Every label of a tape has a stream of its own, so a run without one of its faults, or in plain order, is
otherwise the run that it was. For shrinking of all choices see `raysim shrink`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import msgspec

from raysim.checks.finding import without_values
from raysim.faults import Order
from raysim.faults.swarm import Profile
from raysim.testing.simulation import Outcome

TRIES: Final = 40
"""Runs that may be spent on it. Ours: for most tests less than a second."""


def same_failure(one: Outcome, other: Outcome) -> bool:
    """Whether two runs fail, and with one kind of error and one text but for numbers in it."""
    if one.error is None or other.error is None:
        return False
    return _kind(one.error) == _kind(other.error)


def _kind(error: BaseException) -> tuple[str, str]:
    return type(error).__name__, without_values(str(error))


def simplify(
    failing: Outcome, run: Callable[[Profile], Outcome], tries: int = TRIES
) -> tuple[Outcome, list[Outcome]]:
    """The simplest failing outcome found, and those met on the way that pass."""
    passing: list[Outcome] = []
    left = tries
    changed = True
    while changed:
        changed = False
        for simpler in _simpler(failing.profile):
            if not left:
                return failing, passing
            left -= 1
            outcome = run(simpler)
            if same_failure(failing, outcome):
                failing, changed = outcome, True
                break
            if outcome.error is None:
                passing.append(outcome)
    return failing, passing


def _simpler(profile: Profile) -> Iterator[Profile]:
    """Each with one thing less, the largest first."""
    replace = msgspec.structs.replace
    faults = profile.faults
    if len(faults) > 2:
        half = len(faults) // 2
        yield replace(profile, faults=faults[:half])
        yield replace(profile, faults=faults[half:])
    if profile.knobs:
        yield replace(profile, knobs={})
    if profile.buggify is not None:
        yield replace(profile, buggify=None)
    if profile.object_store_memory is not None:
        yield replace(profile, object_store_memory=None)
    if profile.labels:
        yield replace(profile, labels=())
    if profile.quota is not None:
        yield replace(profile, quota=None)
    if profile.network:
        yield replace(profile, network={})
    if profile.connection_resets:
        yield replace(profile, connection_resets=False)
    if profile.order != Order():
        yield replace(profile, order=Order())
    for index in range(len(faults)):
        yield replace(profile, faults=faults[:index] + faults[index + 1 :])

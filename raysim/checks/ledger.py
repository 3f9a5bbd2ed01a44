"""Which invariants hold when, and who looks: at steps of a run, at rest, and when nothing is referred to. Never mends.

The ledger reads the roles of all processes between two events of the simulator, where no handler is
half done. It is no part of the run: it draws nothing, sends nothing, and no event is there for its sake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias

from raysim.checks import actors, leases, objects, quotas, resources, stores, tasks, views
from raysim.checks.cluster import Cluster
from raysim.checks.finding import BrokenInvariantError, Finding
from raysim.journal import Record

Check: TypeAlias = Callable[[Cluster], Iterator[Finding]]

STEPS: Final[tuple[Check, ...]] = (
    resources.conserved,
    resources.never_negative,
    quotas.within,
    leases.lent_once,
    leases.idle_is_idle,
    leases.placed,
    leases.asked_of_the_living,
    actors.one_incarnation,
    actors.made_again_at_once,
    objects.counts,
    stores.places_used_once,
    stores.spilled_accounted,
)
"""Hold between any two events."""

AT_REST: Final[tuple[Check, ...]] = (
    *STEPS,
    tasks.none_open,
    leases.owners_live,
    leases.none_waits,
    objects.none_freed_early,
    objects.borrowers_live,
    objects.located,
    objects.pins_live,
    actors.known,
    actors.bundles,
    views.members,
    views.resources,
)
"""Hold when a healed cluster has nothing to do, whatever its programs still refer to."""

EMPTY: Final[tuple[Check, ...]] = (
    *AT_REST,
    objects.none_left,
    stores.none_on_disk,
    actors.none_left,
    resources.all_returned,
)
"""Hold when its programs, besides, refer to nothing."""

IN_JOURNAL: Final = (tasks.end_once, tasks.incarnations_grow)
"""Hold over the notes of a whole run."""

LOOK_EVERY: Final = 64
"""Events between two looks at a run under way. Measured: 5 % of a campaign's time; every 16, 20 %."""


def findings(cluster: Cluster, checks: Iterable[Check]) -> list[Finding]:
    return [finding for check in checks for finding in check(cluster)]


def in_journal(records: list[Record]) -> list[Finding]:
    return [finding for check in IN_JOURNAL for finding in check(records)]


class Ledger:
    """Looks at one simulated world."""

    def __init__(self, world: Any) -> None:
        self._world = world
        self.looks = 0

    def watch(self, every: int = LOOK_EVERY) -> None:
        """From now on, look after so many events; what is broken raises BrokenInvariantError in the driver."""
        self._world.watch(every, self._look)

    def at(self, checks: Iterable[Check]) -> list[Finding]:
        """What is broken now."""
        return findings(Cluster.of(self._world), checks)

    def _look(self) -> None:
        self.looks += 1
        found = self.at(STEPS)
        if found:
            raise BrokenInvariantError(found[0])

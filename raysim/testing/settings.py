"""What one simulated test asks for, and the profile that a run gets of it. Never runs anything.

No fault strikes unless it is asked for. What may differ between two runs of a real cluster without a fault
differs here too: the order of what happens at one time, and the latency of the network.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, Final

import msgspec

from raysim.faults import Fault, Order, parse_fault, parse_order
from raysim.faults.buggify import Buggified
from raysim.faults.kinds import BY_NAME
from raysim.faults.swarm import SECOND, Budget, Profile, Swarm, sample
from raysim.tape import Tape

GROUPS: Final[dict[str, tuple[str, ...]]] = {
    "crashes": (
        "kill_worker", "kill_actor", "crash_constructor", "worker_out_of_memory", "kill_node", "restart_node",
        "kill_raylet",
    ),
    "pauses": (
        "pause_node", "pause_raylet", "pause_worker", "pause_actor", "slow_node", "slow_start",
    ),
    "network": (
        "delay", "bandwidth", "loss", "duplication", "reordering", "fail_rpc", "partition", "isolate",
    ),
    "gcs": ("restart_gcs", "pause_gcs", "lose_gcs_commit", "tear_gcs_commit"),
    "clocks": ("clock_skew", "clock_jump"),
    "disks": ("fill_disk", "slow_disk", "lose_spilled", "corrupt_spilled"),
}  # fmt: skip
"""Kinds of fault under one word."""

ALL: Final = "all"

BUDGET: Final = Budget(faults=4, node_losses=1, worker_losses=2)
"""What strikes a run that says no more than which kinds: a task with Ray's three retries survives it. Ours."""

FaultsAsked = None | str | Swarm | Sequence["str | Fault"]


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """What `simulate` was given, checked."""

    faults: tuple[Fault, ...] = ()
    """In each run, at their moments."""
    swarm: Swarm = Swarm()
    """What is drawn for each run."""
    network: dict[str, Any] | None = None
    """Changes to the costs of the network; None: drawn."""
    order: Order | None = None
    """Of events of one instant; None: drawn."""
    within_s: float = 600.0
    """Virtual seconds in which a run must have ended, counted from the moment when faults stop."""

    def profile(self, tape: Tape) -> Profile:
        """Of one run. Draws in any case: what is given shifts no other choice."""
        drawn = sample(tape, self.swarm)
        return msgspec.structs.replace(
            drawn,
            network=drawn.network if self.network is None else self.network,
            order=drawn.order if self.order is None else self.order,
            faults=(*self.faults, *drawn.faults),
        )

    def limits(self) -> dict[str, int]:
        """When faults stop, and how long after that a run may last: options of the simulated world."""
        within_ns = round(self.within_s * 1e9)
        # Faults that were given by hand strike when they say, in all the time that there is.
        heal_ns = within_ns if self.faults else self.swarm.window_ns
        return {"heal_ns": heal_ns, "converge_ns": within_ns}


def settings_of(
    *,
    nodes: int | None = None,
    num_cpus: int | None = None,
    faults: FaultsAsked = None,
    network: dict[str, Any] | None = None,
    order: str | Order | None = None,
    buggify: bool = False,
    within: float = 600.0,
) -> Settings:
    """Raises ValueError for a fault, a group of faults or an order that there is not."""
    given, swarm = _faults(faults, buggify)
    counts = (swarm.nodes if nodes is None else (nodes, nodes), swarm.cpus)
    if num_cpus is not None:
        counts = (counts[0], (num_cpus, num_cpus))
    if counts[0][0] < 1:
        raise ValueError(f"nodes={nodes}: a cluster has at least one node")
    return Settings(
        faults=given,
        swarm=msgspec.structs.replace(swarm, nodes=counts[0], cpus=counts[1]),
        network=network,
        order=parse_order(order) if isinstance(order, str) else order,
        within_s=within,
    )


def _faults(asked: FaultsAsked, buggify: bool) -> tuple[tuple[Fault, ...], Swarm]:
    """Those that strike in each run, and what is drawn besides."""
    if isinstance(asked, Swarm):
        return (), asked
    given: tuple[Fault, ...] = ()
    kinds: tuple[str, ...] = ()
    if isinstance(asked, str):
        kinds = kinds_of(asked)
    elif asked is not None:
        given = tuple(parse_fault(one) if isinstance(one, str) else one for one in asked)
    swarm = Swarm(
        nodes=(4, 4),
        cpus=(2, 2),
        window_ns=10 * SECOND,
        budget=msgspec.structs.replace(BUDGET, faults=BUDGET.faults if kinds else 0, kinds=kinds),
        kinds_on=0.6,
        knobs_changed=0.0,
        buggify=Buggified() if buggify else None,
        small_stores=False,
    )
    return given, swarm


def kinds_of(words: str) -> tuple[str, ...]:
    """The kinds of fault that words such as `crashes`, `all` or `crashes + delay` name. Raises ValueError."""
    kinds: list[str] = []
    for word in filter(None, map(str.strip, words.split("+"))):
        if word == ALL:
            kinds += [kind for group in GROUPS.values() for kind in group]
        elif word in GROUPS:
            kinds += GROUPS[word]
        elif word in BY_NAME:
            kinds.append(word)
        else:
            known = [ALL, *GROUPS, *BY_NAME]
            close = get_close_matches(word, known, n=1)
            meant = f"did you mean {close[0]!r}?" if close else f"groups are {', '.join(GROUPS)}"
            raise ValueError(f"faults={words!r}: there is no {word!r}; {meant}")
    return tuple(dict.fromkeys(kinds))

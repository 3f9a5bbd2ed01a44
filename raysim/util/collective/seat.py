"""A process's seat at the hub of a group: taken, kept, given up. Never an operation."""

from typing import Any

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle
from raysim.api.objects import cancel, get
from raysim.exceptions import GetTimeoutError, RayActorError
from raysim.util.collective.hub import Hub

ANSWER_S = 60
"""Seconds within which the hub, which may have to be started first, answers what depends on no rank."""

GROUPS_BEFORE = 10
"""So many groups of the same name, one after the other, a rank sees end before its own is formed. Ours."""


class Seat:
    """Whoever has one keeps the hub alive, until it leaves or dies."""

    def __init__(self, hub: ActorHandle) -> None:
        self.hub = hub
        self.stay = hub.stay.remote()

    def leave(self) -> None:
        """The others go on without; what waits for this rank fails."""
        cancel(self.stay)


def new_hub(world_size: int, **options: Any) -> ActorHandle:
    """Detached: not even its maker's end is its own."""
    calls = max(1000, 8 * world_size)  # Ray: 1000. Each rank has a few at once, most of which wait.
    given = {"lifetime": "detached", "num_cpus": 0, "max_concurrency": calls, **options}
    return ActorClass(Hub, {}).options(**given).remote(world_size)


def hold(hub: ActorHandle) -> Seat:
    """For who makes a group for others."""
    seat = Seat(hub)
    hub.hold.options(num_returns=0).remote([seat.stay])
    return seat


def take(hub: ActorHandle, world_size: int, rank: int) -> Seat:
    """As this rank. It may have to wait for the seat: see `meet`."""
    seat = Seat(hub)
    hub.join.options(num_returns=0).remote(rank, world_size, [seat.stay])
    return seat


def taken(hub: ActorHandle, world_size: int, rank: int) -> Seat:
    """As this rank of a group that somebody has made, in which this seat is free."""
    seat = take(hub, world_size, rank)
    get(hub.joined.remote([seat.stay]), timeout=ANSWER_S)
    return seat


def meet(name: str, world_size: int, rank: int, timeout_s: float) -> Seat:
    """As this rank, once all are there.

    Raises RuntimeError, which names those that are missing, where they do not come within `timeout_s`.
    """
    ended: Exception | None = None
    for _ in range(GROUPS_BEFORE):
        hub = new_hub(world_size, name=f"raysim.collective.{name}", get_if_exists=True)
        seat = take(hub, world_size, rank)
        try:
            if _formed(seat, name, rank, timeout_s):
                return seat
        except RayActorError as error:  # An earlier group's, which has just ended.
            ended = error
    raise RuntimeError(
        f"Rank {rank} could not join the group {name!r}: {GROUPS_BEFORE} groups of this name ended "
        f"before it was in one."
    ) from ended


def _formed(seat: Seat, name: str, rank: int, timeout_s: float) -> bool:
    hub, stay = seat.hub, [seat.stay]
    get(hub.__ray_ready__.remote(), timeout=ANSWER_S)
    try:
        return bool(get(hub.formed.remote(stay), timeout=timeout_s))
    except GetTimeoutError:
        why = get(hub.waits_for.remote(stay), timeout=ANSWER_S)
        seat.leave()
        raise RuntimeError(
            f"init_collective_group of group {name!r} timed out on rank {rank} after {timeout_s:g} s; "
            f"{why}."
        ) from None

"""Which groups a process is in: joined by itself, or as their maker said. Never an operation."""

from collections.abc import Sequence
from weakref import WeakKeyDictionary

import msgspec

from raysim.api.handles import ActorHandle
from raysim.api.objects import get
from raysim.api.session import connected
from raysim.util.collective.backend_registry import add_at_start, is_available, registered
from raysim.util.collective.collective_group.base_collective_group import BaseGroup
from raysim.util.collective.group import GlooGroup
from raysim.util.collective.seat import hold, new_hub
from raysim.util.collective.types import UNSET_TIMEOUT_MS, Backend

add_at_start(Backend.GLOO, GlooGroup)


class _Declared(msgspec.Struct):
    """A group that somebody else has put this process into, of a backend that it may not know yet."""

    backend: str
    world_size: int
    rank: int


class _Memberships:
    """Of one process."""

    def __init__(self) -> None:
        self.groups: dict[str, BaseGroup] = {}
        self.declared: dict[str, _Declared] = {}
        self.made: dict[str, None] = {}
        """Groups that this process made for others."""


_memberships: WeakKeyDictionary[object, _Memberships] = WeakKeyDictionary()
"""By process: simulated ones share this module."""


def _here() -> _Memberships:
    return _memberships.setdefault(connected(), _Memberships())


def init_collective_group(
    world_size: int,
    rank: int,
    backend: str = Backend.GLOO,
    group_name: str = "default",
    gloo_timeout: int = UNSET_TIMEOUT_MS,
) -> None:
    """Make this process the rank `rank` of a group; each member calls it, and waits for all the others.

    A group of the same name that its ranks are about to leave is waited for as well.
    `gloo_timeout`: milliseconds that this, and each operation, waits (RuntimeError then).
    Raises ValueError for a backend that is not there and for a rank outside of the group,
    RuntimeError where this process is in the group already.
    """
    name = Backend(backend)
    _check(world_size, [rank], group_name)
    _join(name, world_size, rank, group_name, gloo_timeout, None)


def create_collective_group(
    actors: Sequence[ActorHandle],
    world_size: int,
    ranks: Sequence[int],
    backend: str = Backend.GLOO,
    group_name: str = "default",
    gloo_timeout: int = UNSET_TIMEOUT_MS,
) -> None:
    """Make these actors a group, `ranks[i]` being that of `actors[i]`: called by who has made them.

    Each of them joins before the calls that are submitted to it from now on; with a backend that a
    program has registered, when it first uses the group, for it may register that later. Raises as
    `init_collective_group`, and ValueError where actors and ranks do not match.
    """
    name = Backend(backend)
    if len(actors) != len(ranks) or len(actors) != world_size:
        raise ValueError(
            f"There must be world_size={world_size} actors and ranks, but there are {len(actors)} "
            f"and {len(ranks)}."
        )
    _check(world_size, ranks, group_name)
    if not is_available(name):
        registered(name)
        raise RuntimeError(f"Backend {name} is registered but not available in this process.")
    made = _here().made
    if group_name in made:
        raise RuntimeError(f"Trying to initialize the group {group_name!r} twice.")
    made[group_name] = None
    if name != Backend.GLOO:
        _tell(actors, ranks, name, group_name, gloo_timeout, None)
        return
    hub = new_hub(world_size)
    seat = hold(hub)  # Until each of them has its own.
    try:
        _tell(actors, ranks, name, group_name, gloo_timeout, hub)
    finally:
        seat.leave()


def _tell(
    actors: Sequence[ActorHandle],
    ranks: Sequence[int],
    backend: str,
    name: str,
    timeout_ms: int,
    hub: ActorHandle | None,
) -> None:
    size = len(actors)
    get(
        [
            actor.__ray_call__.remote(_joined, backend, size, rank, name, timeout_ms, hub)
            for actor, rank in zip(actors, ranks, strict=True)
        ]
    )


def _joined(
    _: object,
    backend: str,
    size: int,
    rank: int,
    name: str,
    timeout_ms: int,
    hub: ActorHandle | None,
) -> None:
    """In the actor."""
    if hub is None:
        _here().declared[name] = _Declared(backend, size, rank)
    else:
        _join(backend, size, rank, name, timeout_ms, hub)


def _join(
    backend: str, size: int, rank: int, name: str, timeout_ms: int, hub: ActorHandle | None
) -> None:
    here = _here()
    if name in here.groups:
        raise RuntimeError(f"Trying to initialize the group {name!r} twice in one process.")
    if backend == Backend.GLOO:
        here.groups[name] = GlooGroup(size, rank, name, timeout_ms, hub)
        return
    made = registered(backend)
    if not made.check_backend_availability():
        raise RuntimeError(f"Backend {backend} is registered but not available in this process.")
    here.groups[name] = made(size, rank, name)
    here.declared.pop(name, None)


def _check(world_size: int, ranks: Sequence[int], group_name: str) -> None:
    if not group_name:
        raise ValueError("The group's name must not be empty.")
    if world_size <= 0:
        raise ValueError(f"world_size must be at least 1, but it is {world_size}.")
    wrong = [rank for rank in ranks if not 0 <= rank < world_size]
    if wrong or len(set(ranks)) != len(ranks):
        raise ValueError(
            f"Ranks must be different numbers from 0 to {world_size - 1}, but they are "
            f"{list(ranks)}."
        )


def destroy_collective_group(group_name: str = "default") -> None:
    """Leave the group; or end it, where this process created it for others. Harmless without one."""
    here = _here()
    here.declared.pop(group_name, None)
    group = here.groups.pop(group_name, None)
    if group is not None:
        group.destroy_group()
    here.made.pop(group_name, None)


def is_group_initialized(group_name: str = "default") -> bool:
    """Whether this process is in the group."""
    return group_name in _here().groups


def get_rank(group_name: str = "default") -> int:
    """Of this process in the group; -1 when it is not in it."""
    group = _here().groups.get(group_name)
    return -1 if group is None else group.rank


def get_collective_group_size(group_name: str = "default") -> int:
    """How many ranks the group has; -1 when this process is not in it."""
    group = _here().groups.get(group_name)
    return -1 if group is None else group.world_size


def get_group_handle(group_name: str = "default") -> BaseGroup:
    """Raises RuntimeError when this process is not in the group."""
    here = _here()
    declared = here.declared.get(group_name)
    if declared is not None and group_name not in here.groups:
        _join(
            declared.backend, declared.world_size, declared.rank, group_name, UNSET_TIMEOUT_MS, None
        )
    group = here.groups.get(group_name)
    if group is None:
        raise RuntimeError(
            f"The collective group {group_name!r} is not initialized in this process. Call "
            "init_collective_group() in it, or create_collective_group() with its actor."
        )
    return group


def gloo_available() -> bool:
    return is_available(Backend.GLOO)


def nccl_available() -> bool:
    return is_available(Backend.NCCL)


def is_backend_available(backend: str) -> bool:
    return is_available(backend)

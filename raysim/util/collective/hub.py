"""Where the ranks of a group meet: an actor that passes parcels on. Never looks into one."""

import asyncio
from typing import Any

Key = tuple[str | int, ...]
"""Of one operation: what all who take part in it call it."""


class _Meeting:
    def __init__(self, members: int) -> None:
        self.members = members
        self.parcels: dict[int, Any] = {}
        self.complete = asyncio.Event()
        self.left = 0


class Hub:
    """One for a group; large values go from rank to rank, and only their references through here."""

    def __init__(self, world_size: int) -> None:
        self._world_size = world_size
        self._ranks: set[int] = set()
        self._meetings: dict[Key, _Meeting] = {}
        self._delivering = 0
        """Meetings that are complete, and not left by all."""
        self._delivered = asyncio.Event()
        self._delivered.set()

    async def join(self, rank: int, world_size: int) -> None:
        """Raises ValueError where that is another group of the same name."""
        if world_size != self._world_size:
            raise ValueError(
                f"The group has world_size={self._world_size}, but rank {rank} says {world_size}. "
                "Give each group a name of its own, or destroy the old one first."
            )
        if rank in self._ranks:
            raise ValueError(f"Rank {rank} is taken already by another process of this group.")
        self._ranks.add(rank)

    async def meet(
        self, key: Key, members: int, member: int, parcel: Any, wants: bool
    ) -> list[Any]:
        """The parcels of all members, in order, when all are there; none for who wants none."""
        meeting = self._meetings.get(key)
        if meeting is None:
            meeting = self._meetings[key] = _Meeting(members)
        meeting.parcels[member] = parcel
        if len(meeting.parcels) == members:
            meeting.complete.set()
            self._delivering += 1
            self._delivered.clear()
        await meeting.complete.wait()
        meeting.left += 1
        if meeting.left == members:
            del self._meetings[key]
            self._delivering -= 1
            if not self._delivering:
                self._delivered.set()
        return [meeting.parcels[one] for one in sorted(meeting.parcels)] if wants else []

    async def give(self, key: Key, parcel: Any) -> None:
        """Half of a meeting of two: does not wait for who takes."""
        meeting = self._meetings.setdefault(key, _Meeting(1))
        meeting.parcels[0] = parcel
        meeting.complete.set()

    async def take(self, key: Key) -> Any:
        meeting = self._meetings.setdefault(key, _Meeting(1))
        await meeting.complete.wait()
        del self._meetings[key]
        return meeting.parcels[0]

    async def present(self, key: Key) -> list[int]:
        """Who came already."""
        meeting = self._meetings.get(key)
        return sorted(meeting.parcels) if meeting is not None else []

    async def delivered(self) -> None:
        """When all who have met have been answered."""
        await self._delivered.wait()

"""Where the ranks of a group meet: an actor that passes parcels on. Never looks into one.

It belongs to no rank, for the one that made it may go before the others: it ends when the last has left or
died. Each rank has a call of `stay` here. It cancels the call when it leaves; when it dies, the hub, which
waits for what the call returns, learns that as any borrower of a value whose owner is lost.
"""

import asyncio
from collections.abc import Callable
from typing import Any

from raysim.api.context import get_runtime_context
from raysim.api.ending import exit_actor
from raysim.api.handles import kill
from raysim.exceptions import RayError, TaskCancelledError
from raysim.runtime.object_ref import ObjectRef

Letter = tuple[int, int, int]
"""From this rank, to this one, the how manieth."""

UNUSED_S = 60
"""So many seconds a hub waits for somebody to come: its maker may have died before. Ours."""


class RankGoneError(Exception):
    """What is waited for cannot come: that rank is in the group no more."""


class _Meeting:
    def __init__(self) -> None:
        self.parcels: dict[int, Any] = {}
        self.absent: int | None = None
        """A rank that is gone, and did not come before."""
        self.over = asyncio.Event()
        self.told = 0


class Hub:
    """One for a group; large values go from rank to rank, and only their references through here."""

    def __init__(self, world_size: int) -> None:
        self._world_size = world_size
        self._ranks: dict[int, ObjectRef] = {}
        """Who is in the group, each with what its `stay` returns."""
        self._makers = 0
        self._formed = False
        self._over = False
        self._news = asyncio.Event()
        self._gone: dict[int, str] = {}
        """Ranks of the formed group that are in it no more, and what became of them."""
        self._meetings: dict[int, _Meeting] = {}
        self._letters: dict[Letter, _Meeting] = {}
        me = get_runtime_context().current_actor
        self._unused = asyncio.get_running_loop().call_later(UNUSED_S, kill, me)

    # --- who is in the group ------------------------------------------------------------------

    async def stay(self) -> None:
        """For as long as the caller does."""
        await self._until(lambda: self._over)

    async def join(self, rank: int, world_size: int, stay: list[ObjectRef]) -> None:
        """Until the caller's `stay` ends.

        Who has no room here waits for it, or for the end of this group: then a later one of the same name
        was meant.
        """
        self._unused.cancel()
        leaving = self._end_of(stay[0])
        await self._until(lambda: leaving.done() or self._over or self._has_room(rank, world_size))
        if leaving.done() or self._over:
            leaving.cancel()
            return
        self._ranks[rank] = stay[0]
        self._formed = len(self._ranks) == self._world_size
        self._tell()
        why = await leaving
        del self._ranks[rank]
        if self._formed:
            self._gone[rank] = f"rank {rank} {why}"
            self._give_up(rank)
        self._end_if_empty()

    async def hold(self, stay: list[ObjectRef]) -> None:
        """Until the `stay` of the caller ends, who makes the group for others and is no rank."""
        self._unused.cancel()
        self._makers += 1
        await self._end_of(stay[0])
        self._makers -= 1
        self._end_if_empty()

    async def joined(self, stay: list[ObjectRef]) -> None:
        """Once the caller has."""
        mine = stay[0]
        await self._until(lambda: self._over or mine in self._ranks.values())

    async def formed(self, stay: list[ObjectRef]) -> bool:
        """Once all ranks have joined. False: this group has ended, and the caller was not in it."""
        mine = stay[0]
        await self._until(lambda: self._over or (self._formed and mine in self._ranks.values()))
        return not self._over

    async def waits_for(self, stay: list[ObjectRef]) -> str:
        """Of a caller that is in no formed group."""
        if stay[0] in self._ranks.values():
            return f"missing: ranks {self._others(self._ranks)}"
        return (
            f"a group of this name with world_size={self._world_size} has the ranks "
            f"{sorted(self._ranks)}. Each of them must leave it with destroy_collective_group() first"
        )

    def _has_room(self, rank: int, world_size: int) -> bool:
        return not self._formed and rank not in self._ranks and world_size == self._world_size

    def _end_of(self, stay: ObjectRef) -> asyncio.Future[str]:
        """What becomes of its owner."""
        end = asyncio.ensure_future(_left_or_died(stay))
        end.add_done_callback(lambda _: self._tell())
        return end

    def _end_if_empty(self) -> None:
        self._over = not self._ranks and not self._makers
        self._tell()
        if self._over:
            exit_actor()

    async def _until(self, true: Callable[[], bool]) -> None:
        while not true():
            await self._news.wait()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    # --- what they pass on --------------------------------------------------------------------

    async def meet(self, number: int, rank: int, parcel: Any, wants: bool) -> list[Any]:
        """The parcels of all ranks, in order, when all are there; none for who wants none."""
        meeting = self._meetings.setdefault(number, _Meeting())
        meeting.parcels[rank] = parcel
        if len(meeting.parcels) == self._world_size:
            meeting.over.set()
        for gone in self._gone:
            self._without(meeting, gone)
        await meeting.over.wait()
        meeting.told += 1
        if meeting.told == len(meeting.parcels):
            del self._meetings[number]
        self._check(meeting)
        return [meeting.parcels[one] for one in sorted(meeting.parcels)] if wants else []

    async def missing(self, number: int) -> list[int]:
        """Who did not come yet."""
        meeting = self._meetings.get(number)
        return self._others(() if meeting is None else meeting.parcels)

    async def give(self, letter: Letter, parcel: Any) -> None:
        """Does not wait for who takes. Raises RankGoneError where nobody will."""
        gone = self._gone.get(letter[1])
        if gone is not None:
            raise RankGoneError(gone)
        meeting = self._letters.setdefault(letter, _Meeting())
        meeting.parcels[letter[0]] = parcel
        meeting.over.set()

    async def take(self, letter: Letter) -> Any:
        sender = letter[0]
        meeting = self._letters.setdefault(letter, _Meeting())
        if sender in self._gone:
            self._without(meeting, sender)
        await meeting.over.wait()
        del self._letters[letter]
        self._check(meeting)
        return meeting.parcels[sender]

    def _give_up(self, gone: int) -> None:
        """What waits for a rank that does not come any more."""
        for meeting in self._meetings.values():
            self._without(meeting, gone)
        for (sender, _, _), letter in self._letters.items():
            if sender == gone:
                self._without(letter, gone)

    def _without(self, meeting: _Meeting, gone: int) -> None:
        if not meeting.over.is_set() and gone not in meeting.parcels:
            meeting.absent = gone
            meeting.over.set()

    def _check(self, meeting: _Meeting) -> None:
        if meeting.absent is not None:
            raise RankGoneError(self._gone[meeting.absent])

    def _others(self, here: Any) -> list[int]:
        return [rank for rank in range(self._world_size) if rank not in here]


async def _left_or_died(stay: ObjectRef) -> str:
    try:
        await stay
    except TaskCancelledError:
        return "has left the group"
    except RayError as error:
        return f"died: {error}"
    return "has left the group"

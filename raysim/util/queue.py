"""Queue: first in, first out, between any processes of a program; an actor holds it. Never persistent.

`Empty` and `Full` are the standard library's, in a class of their own, as in Ray.
"""

import asyncio
import queue
from collections.abc import Iterable
from typing import Any

from raysim.api.actors import ActorClass
from raysim.api.handles import ActorHandle, kill
from raysim.api.objects import get, wait

GRACE_PERIOD_S = 5
"""Seconds that `shutdown` gives the actor to finish its calls. Ray: `Queue.shutdown`."""


class Empty(queue.Empty):
    """There was nothing to get."""


class Full(queue.Full):
    """There was no room."""


class Queue:
    """A queue of at most `maxsize` items (0: without limit). Pickled, it is the same queue.

    `actor_options`: options of the actor that holds it (`{"name": "jobs", "num_cpus": 0}`).
    """

    def __init__(self, maxsize: int = 0, actor_options: dict[str, Any] | None = None) -> None:
        self.maxsize = maxsize
        self.actor: ActorHandle | None = (
            ActorClass(_QueueActor, {}).options(**(actor_options or {})).remote(maxsize)
        )

    @property
    def _held(self) -> ActorHandle:
        if self.actor is None:
            raise AttributeError("The queue was shut down: it has no actor any more.")
        return self.actor

    def __len__(self) -> int:
        return self.size()

    def size(self) -> int:
        """Items in it now."""
        return int(get(self._held.qsize.remote()))

    def qsize(self) -> int:
        return self.size()

    def empty(self) -> bool:
        return bool(get(self._held.empty.remote()))

    def full(self) -> bool:
        return bool(get(self._held.full.remote()))

    def put(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """Add an item, waiting for room: for ever, or `timeout` seconds.

        Raises Full when there is no room (at once where `block` is false), ValueError for a
        negative timeout.
        """
        if block:
            get(self._held.put.remote(item, _seconds(timeout)))
        else:
            self._now(self._held.put_nowait.remote(item))

    async def put_async(self, item: Any, block: bool = True, timeout: float | None = None) -> None:
        """`put` for coroutines."""
        if block:
            await self._held.put.remote(item, _seconds(timeout))
        else:
            _checked(await self._held.put_nowait.remote(item))

    def get(self, block: bool = True, timeout: float | None = None) -> Any:
        """Take the oldest item, waiting for one: for ever, or `timeout` seconds.

        Raises Empty when there is none (at once where `block` is false), ValueError for a
        negative timeout.
        """
        if block:
            return get(self._held.get.remote(_seconds(timeout)))
        return self._now(self._held.get_nowait.remote())

    async def get_async(self, block: bool = True, timeout: float | None = None) -> Any:
        """`get` for coroutines."""
        if block:
            return await self._held.get.remote(_seconds(timeout))
        return _checked(await self._held.get_nowait.remote())

    def put_nowait(self, item: Any) -> None:
        self.put(item, block=False)

    def get_nowait(self) -> Any:
        return self.get(block=False)

    def put_nowait_batch(self, items: Iterable[Any]) -> None:
        """Add all items, or none: raises Full when there is no room for all of them."""
        if not isinstance(items, Iterable):
            raise TypeError(f"items must be an iterable, but it is {type(items).__name__}.")
        self._now(self._held.put_nowait_batch.remote(list(items)))

    def get_nowait_batch(self, num_items: int) -> list[Any]:
        """Take so many items at once: raises Empty when there are fewer."""
        if not isinstance(num_items, int):
            raise TypeError(f"num_items must be an int, but it is {type(num_items).__name__}.")
        if num_items < 0:
            raise ValueError(f"num_items must be at least 0, but it is {num_items}.")
        taken: list[Any] = self._now(self._held.get_nowait_batch.remote(num_items))
        return taken

    def shutdown(self, force: bool = False, grace_period_s: float = GRACE_PERIOD_S) -> None:
        """End the actor, with everything in it; calls that wait then fail with RayActorError.

        It may finish its calls first, for `grace_period_s` seconds; with `force` it may not.
        """
        actor, self.actor = self.actor, None
        if actor is None:
            return
        if not force:
            wait([actor.__ray_terminate__.remote()], timeout=grace_period_s)
        kill(actor)

    def _now(self, ref: Any) -> Any:
        return _checked(get(ref))


def _seconds(timeout: float | None) -> float | None:
    if timeout is not None and timeout < 0:
        raise ValueError(f"'timeout' must be a non-negative number, but it is {timeout}.")
    return timeout


class _Refused:
    """What a call that does not wait answers instead of raising: there is no traceback to show."""

    def __init__(self, error: type[Exception], why: str) -> None:
        self.error = error
        self.why = why


def _checked(answer: Any) -> Any:
    if isinstance(answer, _Refused):
        raise answer.error(answer.why)
    return answer


class _QueueActor:
    """Holds the items. One coroutine at a time runs, and each call is one step unless it waits."""

    def __init__(self, maxsize: int) -> None:
        self._items: asyncio.Queue[Any] = asyncio.Queue(maxsize)

    async def qsize(self) -> int:
        return self._items.qsize()

    async def empty(self) -> bool:
        return self._items.empty()

    async def full(self) -> bool:
        return self._items.full()

    async def put(self, item: Any, timeout: float | None) -> None:
        try:
            await asyncio.wait_for(self._items.put(item), timeout)
        except TimeoutError:
            raise Full(f"No room within {timeout} s") from None

    async def get(self, timeout: float | None) -> Any:
        try:
            return await asyncio.wait_for(self._items.get(), timeout)
        except TimeoutError:
            raise Empty(f"No item within {timeout} s") from None

    async def put_nowait(self, item: Any) -> Any:
        return self._put_all([item])

    async def get_nowait(self) -> Any:
        taken = self._take(1)
        return taken if isinstance(taken, _Refused) else taken[0]

    async def put_nowait_batch(self, items: list[Any]) -> Any:
        return self._put_all(items)

    async def get_nowait_batch(self, num_items: int) -> Any:
        return self._take(num_items)

    def _put_all(self, items: list[Any]) -> _Refused | None:
        has, most = self._items.qsize(), self._items.maxsize
        if most > 0 and has + len(items) > most:
            return _Refused(Full, f"{len(items)} more do not fit: {has} of {most} are there")
        for item in items:
            self._items.put_nowait(item)
        return None

    def _take(self, number: int) -> list[Any] | _Refused:
        has = self._items.qsize()
        if number > has:
            return _Refused(Empty, f"{number} were asked for, but there are {has}")
        return [self._items.get_nowait() for _ in range(number)]

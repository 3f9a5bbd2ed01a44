"""ActorPool: a number of equal actors that share the work. Never creates or ends one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from raysim.api.handles import ActorHandle
from raysim.api.objects import get, wait
from raysim.exceptions import ActorDiedError
from raysim.runtime.object_ref import ObjectRef

Call = Callable[[ActorHandle, Any], ObjectRef]
"""Calls a method of the actor with the value, and gives the reference: `lambda a, v: a.f.remote(v)`."""


class ActorPool:
    """Hands each value to an actor that is free. Ray: `ray.util.ActorPool`.

    An actor becomes free when its result is taken (`get_next`...), and then gets the value that
    has waited longest. One that is found dead leaves the pool.
    """

    def __init__(self, actors: Iterable[ActorHandle]) -> None:
        self._idle = list(actors)
        self._busy: dict[ObjectRef, tuple[int, ActorHandle]] = {}
        """By the reference that an actor works on: the number of its submission, and the actor."""
        self._refs: dict[int, ObjectRef] = {}
        """By number: what was submitted to an actor and not taken yet."""
        self._waiting: deque[tuple[Call, Any]] = deque()
        self._next_number = 0
        self._next_result = 0

    def submit(self, fn: Call, value: Any) -> None:
        """Call `fn(actor, value)` on a free actor, now or when there is one."""
        if not self._idle:
            self._waiting.append((fn, value))
            return
        actor = self._idle.pop()
        ref = fn(actor, value)
        self._busy[ref] = (self._next_number, actor)
        self._refs[self._next_number] = ref
        self._next_number += 1

    def map(self, fn: Call, values: Iterable[Any]) -> Iterator[Any]:
        """The results of `fn` over the values, in their order. Results not taken before are dropped."""
        return self._map(fn, values, self.get_next)

    def map_unordered(self, fn: Call, values: Iterable[Any]) -> Iterator[Any]:
        """The same, in the order in which they come."""
        return self._map(fn, values, self.get_next_unordered)

    def _map(self, fn: Call, values: Iterable[Any], take: Callable[..., Any]) -> Iterator[Any]:
        while self.has_next():
            try:
                self.get_next_unordered(timeout=0, ignore_if_timedout=True)
            except TimeoutError:
                pass  # Dropped while it ran: that is what was asked for.
        for value in values:
            self.submit(fn, value)

        def results() -> Iterator[Any]:
            while self.has_next():
                yield take()

        return results()

    def has_next(self) -> bool:
        """Whether there are results to take."""
        return bool(self._busy)

    def get_next(self, timeout: float | None = None, ignore_if_timedout: bool = False) -> Any:
        """The next result in the order of submission.

        Raises StopIteration when there is none, TimeoutError after `timeout` seconds (the result
        stays to be taken, unless `ignore_if_timedout`), and what the call raised.
        """
        while self._refs and self._next_result not in self._refs:
            self._next_result += 1  # Taken by get_next_unordered.
        if not self._refs:
            raise StopIteration("No more results to get")
        ref = self._refs[self._next_result]
        if timeout is not None and not wait([ref], timeout=timeout)[0]:
            raise self._late(ref if ignore_if_timedout else None)
        return self._take(ref)

    def get_next_unordered(
        self, timeout: float | None = None, ignore_if_timedout: bool = False
    ) -> Any:
        """Any result that is there, else the first that comes. Raises as `get_next`."""
        if not self._busy:
            raise StopIteration("No more results to get")
        ready, running = wait(list(self._busy), num_returns=1, timeout=timeout)
        if not ready:
            raise self._late(running[0] if ignore_if_timedout else None)
        return self._take(ready[0])

    def _late(self, ignored: ObjectRef | None) -> TimeoutError:
        if ignored is None:
            return TimeoutError("Timed out waiting for result")
        self._release(self._forget(ignored))
        return TimeoutError(f"Timed out waiting for result. The task {ignored} has been ignored.")

    def _take(self, ref: ObjectRef) -> Any:
        actor = self._forget(ref)
        try:
            value = get(ref)
        except ActorDiedError:
            raise  # It has left the pool: nothing that waits may be given to it.
        except BaseException:
            self._release(actor)
            raise
        self._release(actor)
        return value

    def _forget(self, ref: ObjectRef) -> ActorHandle:
        number, actor = self._busy.pop(ref)
        del self._refs[number]
        return actor

    def _release(self, actor: ActorHandle) -> None:
        self._idle.append(actor)
        if self._waiting:
            self.submit(*self._waiting.popleft())

    def has_free(self) -> bool:
        """Whether an actor is free and nothing waits for one."""
        return bool(self._idle) and not self._waiting

    def pop_idle(self) -> ActorHandle | None:
        """Take a free actor out of the pool; None when there is none."""
        return self._idle.pop() if self.has_free() else None

    def push(self, actor: ActorHandle) -> None:
        """Add an actor. Raises ValueError when the pool has it already."""
        if actor in self._idle or any(actor == busy for _, busy in self._busy.values()):
            raise ValueError(f"{actor} already belongs to this ActorPool.")
        self._release(actor)

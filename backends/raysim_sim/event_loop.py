"""asyncio in virtual time: the event loop of one simulated process. Never a socket, never a real wait.

`asyncio.run`, `sleep`, `wait_for`, `Queue` and their like work as they are: the loop's clock is the
world's, and where it would ask the operating system for events it lets the simulation go on. Its
tasks and futures are hashed by number, so that sets of them are in the same order in every run.
"""

import asyncio
import sys
from asyncio import events, tasks
from collections.abc import Callable
from itertools import count
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from raysim.protocol.host import Waiter

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost

SPINS_AT_ONCE: Final = 100
"""Turns of a loop at one instant, after which each takes a little time: a coroutine that yields until
something happens elsewhere would keep it from happening otherwise."""

SPIN_NS: Final = 1_000
"""What such a turn takes. A turn of a real loop that has nothing to do takes several microseconds."""


class VirtualTask(tasks.Task[Any]):
    def __init__(self, coro: Any, *, loop: "VirtualLoop", **options: Any) -> None:
        self.number = loop.next_number()  # It is hashed while it is made.
        super().__init__(coro, loop=loop, **options)

    def __hash__(self) -> int:
        return self.number


class VirtualFuture(asyncio.Future[Any]):
    def __init__(self, loop: "VirtualLoop") -> None:
        self.number = loop.next_number()
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self.number


class Selector:
    """Stands where the loop expects one of `selectors`: waits in virtual time."""

    def __init__(self, host: "UserHost") -> None:
        self._host = host
        self._waiter = Waiter()
        self._spins = 0
        self._spun_at = -1

    def select(self, timeout: float | None) -> list[Any]:
        """Until somebody calls `wake`, or so many virtual seconds are over."""
        if timeout is not None and timeout <= 0:
            self._spin()
            return []
        waiter = self._waiter
        if not waiter.done:
            self._block(waiter, None if timeout is None else ceil(timeout * 1e9))
        self._waiter = Waiter()
        return []

    def _block(self, waiter: Waiter, timeout_ns: int | None) -> None:
        self._host.users.block(self._host, waiter, timeout_ns)

    def _spin(self) -> None:
        now = self._host.clock.now_ns
        if now != self._spun_at:
            self._spun_at, self._spins = now, 0
        self._spins += 1
        if self._spins > SPINS_AT_ONCE:
            self._block(Waiter(), SPIN_NS)

    def wake(self) -> None:
        self._waiter.finish()

    def close(self) -> None:
        """Nothing is registered."""


class VirtualLoop(asyncio.BaseEventLoop):
    """The loop of whatever runs in this simulated process."""

    def __init__(self, host: "UserHost") -> None:
        super().__init__()
        self.belong_to(host)

    def belong_to(self, host: "UserHost") -> None:
        self._host = host
        self._selector = Selector(host)  # BaseEventLoop asks it for events.
        self.next_number = count(1).__next__
        self.set_task_factory(lambda loop, coro, **options: VirtualTask(coro, loop=self, **options))
        self.set_exception_handler(self._report)

    def _report(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Of a process that is no more nobody wants to know what it left unfinished."""
        if self._host.alive:
            self.default_exception_handler(context)

    def create_future(self) -> VirtualFuture:
        return VirtualFuture(self)

    def time(self) -> float:
        return self._host.clock.now_ns / 1e9

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: the selector only waits."""

    def _write_to_self(self) -> None:
        self._selector.wake()

    def run_in_executor(  # type: ignore[override]  # Typeshed has more type variables.
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Beside the loop, in the same simulated process; `executor` is not used."""
        future = self.create_future()

        def work() -> None:
            try:
                result = func(*args)
            except Exception as error:  # noqa: BLE001  (it is the result)
                self.call_soon(_settle, future, None, error)
            else:
                self.call_soon(_settle, future, result, None)
            self._selector.wake()

        self._host.outside(work)
        return future

    def abandon(self) -> None:
        """The process is no more: what waits is closed, in the order in which it was made."""
        self._ready.clear()  # type: ignore[attr-defined]  # Typeshed lacks both.
        self._scheduled.clear()  # type: ignore[attr-defined]  # As above.
        left = [task for task in asyncio.all_tasks(self) if isinstance(task, VirtualTask)]
        for task in sorted(left, key=lambda task: task.number):
            _close(task.get_coro())
        self.close()


def _settle(future: asyncio.Future[Any], result: Any, error: Exception | None) -> None:
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _close(coro: Any) -> None:
    """Run its `finally` blocks. Where they wait or fail, nobody is left who could be told."""
    try:
        coro.close()
    except BaseException:  # noqa: BLE001  (see above)
        return


class Suspended:
    """What asyncio keeps per thread of a greenlet that has been left, until it goes on."""

    __slots__ = ("hooks", "loop", "task")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.task = asyncio.current_task(loop)
        self.hooks = sys.get_asyncgen_hooks()
        if self.task is not None:
            tasks._leave_task(loop, self.task)
        events._set_running_loop(None)
        sys.set_asyncgen_hooks(None, None)

    def restore(self) -> None:
        events._set_running_loop(self.loop)
        sys.set_asyncgen_hooks(*self.hooks)
        if self.task is not None:
            tasks._enter_task(self.loop, self.task)


def suspend() -> Suspended | None:
    """Before other code runs in this thread: None if no loop runs."""
    loop = events._get_running_loop()
    return None if loop is None else Suspended(loop)

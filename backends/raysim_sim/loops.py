"""Which event loop a thread has while a world lives: those made meanwhile, and the one that calls `init()`.

`asyncio.run(main())` with `init` inside `main` made its loop before there was a world. That one cannot be
exchanged while it runs, but its class and its selector can, and back at the end of the world.
"""

import asyncio
from asyncio import events
from typing import TYPE_CHECKING, Any

from raysim_sim.event_loop import VirtualLoop
from raysim_sim.virtual_time import running_host

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost


class AdoptedLoop(VirtualLoop):
    """Has what belongs to both: what the real one needs to be closed stays."""

    _before: tuple[type[asyncio.AbstractEventLoop], Any, Any, Any]

    def release(self) -> None:
        """Real again; what was to happen in so many seconds still is."""
        now = self.time()
        kind, self._selector, factory, handler = self._before
        del self._before, self._host, self.next_number
        loop: Any = self
        loop.__class__ = kind
        loop.set_task_factory(factory)
        loop.set_exception_handler(handler)
        _shift(loop, loop.time() - now)
        loop._write_to_self()

    def close(self) -> None:
        self.release()
        self.close()


def _adopt(loop: asyncio.AbstractEventLoop, host: "UserHost") -> AdoptedLoop:
    """Raises RuntimeError for a loop that is not asyncio's own."""
    if not isinstance(loop, asyncio.SelectorEventLoop):
        raise RuntimeError(
            f"init() was called inside of a running {type(loop).__qualname__}, which cannot run in virtual "
            "time. Call it before the loop is started, or use asyncio's own."
        )
    now = loop.time()
    ours: Any = loop
    before = (type(loop), ours._selector, loop.get_task_factory(), loop.get_exception_handler())
    ours.__class__ = AdoptedLoop
    ours._before = before
    ours.belong_to(host)
    _shift(ours, ours.time() - now)
    adopted: AdoptedLoop = ours
    return adopted


def _shift(loop: Any, seconds: float) -> None:
    """Of all by the same: the heap stays one."""
    for handle in loop._scheduled:
        handle._when += seconds


class Loops:
    """What `asyncio.run` and `new_event_loop` make: a virtual loop for simulated code, else a real one."""

    def __init__(self) -> None:
        # From Python 3.14 on, the name without underscore warns.
        find = getattr(events, "_get_event_loop_policy", None) or events.get_event_loop_policy
        self._policy: Any = find()
        self._real = self._policy.new_event_loop
        self._adopted: AdoptedLoop | None = None

    def install(self) -> None:
        self._policy.new_event_loop = self._make

    def adopt_running(self, driver: "UserHost") -> None:
        loop = events._get_running_loop()
        if loop is not None:
            self._adopted = _adopt(loop, driver)

    def let_go(self) -> None:
        """The driver is gone whose loop was adopted."""
        adopted, self._adopted = self._adopted, None
        if isinstance(adopted, AdoptedLoop):  # It may be closed, and real again.
            adopted.release()

    def restore(self) -> None:
        """Nothing of the world is left to whoever asks for the thread's loop later."""
        del self._policy.new_event_loop
        self.let_go()
        left = getattr(getattr(self._policy, "_local", None), "_loop", None)
        if isinstance(left, VirtualLoop):
            self._policy.set_event_loop(None)

    def _make(self) -> asyncio.AbstractEventLoop:
        host = running_host()
        loop: asyncio.AbstractEventLoop = self._real() if host is None else VirtualLoop(host)
        return loop

"""User code in pooled greenlets; where it blocks, the simulation goes on. Never runs two pieces at once.

The driver's user code is the greenlet that made the world. When it blocks, the event loop runs right there
until what it waits for is done. A worker's user code runs in a greenlet of the pool, switched to from an
event, and switches back to the loop where it blocks or ends.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager
from gc import collect
from os import environ
from typing import TYPE_CHECKING, Any, ClassVar, Final

from greenlet import GreenletExit, getcurrent, greenlet

from raysim.protocol.host import RunnableTask, Waiter
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.current import set_current
from raysim.spec.resources import GPU
from raysim_sim.classes import Classes
from raysim_sim.clock import Call, Clock
from raysim_sim.closed import Closed
from raysim_sim.event_loop import suspend
from raysim_sim.outputs import Outputs
from raysim_sim.places import Places

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost


_VISIBLE: Final = "CUDA_VISIBLE_DEVICES"

COLLECT_EVERY: Final = 1 << 12
"""Tasks of user code between two collections of young garbage, which they may have made much of."""


COLLECT_DRIVER: Final = 64
"""Waits of a driver that count as user code that ran: one that waits for all that it submitted leaves no garbage
worth a look at a whole world."""


class Parked:
    """A greenlet that waits; also the event that lets it go on."""

    __slots__ = ("callbacks", "clock", "greenlet", "host", "interrupted", "woken")
    _ok: ClassVar[bool] = True

    def __init__(
        self, clock: Clock, host: "UserHost", callbacks: tuple[Callable[..., None]]
    ) -> None:
        self.clock = clock
        self.host = host
        self.greenlet = getcurrent()
        self.callbacks = callbacks
        self.woken = False
        self.interrupted = False
        """Goes on with a KeyboardInterrupt."""

    def wake(self) -> None:
        """Never switches here: the caller may be a role in the middle of a message."""
        if not self.woken:
            self.woken = True
            self.clock.after(0, self)


class _TimeOut:
    """What the driver waits for, or the end of its patience."""

    __slots__ = ("done",)

    def __init__(self, waiter: Waiter) -> None:
        self.done = waiter.done
        waiter.wake = self.finish  # Instead of asking the waiter after each event.

    def finish(self) -> None:
        self.done = True


class Users:
    """All user code of a world."""

    def __init__(self, clock: Clock, poll_ns: int, log_to_driver: bool = True) -> None:
        self.hub = getcurrent()
        self.driver: UserHost | None = None
        self.running: UserHost | None = None
        """Whose user code runs, or ran last."""
        self.tasks: dict[greenlet, tuple[UserHost, RunnableTask | None]] = {}
        """What each greenlet that is not in the pool runs, in the order of their starts; None: no task."""
        self._parked: dict[greenlet, Parked] = {}
        self.on_start = (self._start,)
        self._awaited: Waiter | None = None
        """By the driver."""
        self._waits = 0
        """Of the driver, so far."""
        self.places = Places()
        self.outputs = Outputs(log_to_driver)
        self.classes = Classes()
        self.processes = 0
        """Made so far: each has its number for a pid."""
        self._resume = (self._on_resume,)
        self._clock = clock
        self._poll_ns = poll_ns
        self._pool: list[greenlet] = []
        self._ended = 0
        self._shown_gpus: str | None = None
        self._own_gpus: str | None = None
        """The environment's, while others are shown."""

    # --- called by the loop ---

    def _start(self, event: Any) -> None:
        host: UserHost = event.host
        if not host.runs:
            host.hold(event)
            return
        pool = self._pool
        fiber = pool.pop() if pool else greenlet(self._serve, self.hub)
        self.tasks[fiber] = (host, event.task)
        host.gpus = visible_gpus(host.core_worker, event.task)
        host.begin(event.task)
        self._enter(host, fiber, host, event.task)

    def beside(self, host: "UserHost", action: Callable[[], None]) -> None:
        """Run this soon, as user code of the process, in a greenlet of its own."""

        def run() -> None:
            try:
                action()
            except GreenletExit:
                if host.alive:
                    raise
            finally:
                del self.tasks[fiber]

        def start() -> None:
            if host.alive:
                self.tasks[fiber] = (host, None)
                self._enter(host, fiber)

        fiber = greenlet(run, self.hub)
        self._clock.call(0, start)

    def _enter(self, host: "UserHost", fiber: greenlet, *values: object) -> None:
        clock = self._clock
        clock.active_ns = clock._now
        clock.user_code_ran = True
        self.running = host
        set_current(host.core_worker)
        if host.gpus != self._shown_gpus:
            self._show_gpus(host.gpus)
        if host.place is not self.places.shown:
            self.places.show(host.place)
        if host is self.driver:
            fiber.switch(*values)
            return
        self.outputs.enter(host)
        self.classes.enter(host)
        try:
            fiber.switch(*values)
        finally:
            self.classes.leave()
            self.outputs.leave(host)

    def _show_gpus(self, gpus: str | None) -> None:
        """As a real worker sees it; None leaves the environment as it was."""
        if self._shown_gpus is None:
            self._own_gpus = environ.get(_VISIBLE)
        self._shown_gpus = gpus
        shown = self._own_gpus if gpus is None else gpus
        if shown is None:
            environ.pop(_VISIBLE, None)
        else:
            environ[_VISIBLE] = shown

    def _on_resume(self, parked: Parked) -> None:
        if parked.host.runs:
            self._enter(parked.host, parked.greenlet)
        else:
            parked.host.hold(parked)

    def _serve(self, host: "UserHost", task: RunnableTask) -> None:
        """The life of a greenlet: one task after another."""
        fiber = getcurrent()
        while True:
            try:
                outcome = host.core_worker.execute(task)
                if host.alive:
                    host.executor.finished(task, outcome)
                    host.ended(task)
                del outcome  # It may hold views of arguments, which keeps them in the store.
            except GreenletExit:
                if host.alive:
                    raise
            finally:
                host.busy -= 1
                del self.tasks[fiber]
            self._pool.append(fiber)
            self._collect()
            del task
            host, task = self.hub.switch()

    def _collect(self) -> None:
        """Python's own collector is off, so that finalizers run at the same point of the same run."""
        self._ended += 1
        if self._ended % COLLECT_EVERY == 0:
            collect(1)

    # --- called by user code ---

    def block(self, host: "UserHost", waiter: Waiter, timeout_ns: int | None) -> bool:
        """Wait until the waiter is done; False on time-out. Asking without waiting costs a little time too."""
        if not host.alive:
            with host.lock:
                raise AssertionError(f"{host.name} has ended, and its lock is open")
        if timeout_ns is not None:
            timeout_ns = max(timeout_ns, self._poll_ns)
        if host is self.driver and getcurrent() not in self.tasks:
            self._awaited = waiter
            try:
                self._block_driver(waiter, timeout_ns)
            finally:
                self._awaited = None
            with host.lock:  # It may have ended meanwhile.
                return waiter.done
        return self._park(host, waiter, timeout_ns)

    def _block_driver(self, waiter: Waiter, timeout_ns: int | None) -> None:
        if getcurrent() is not self.hub:
            raise RuntimeError(
                "On the backend 'sim' a driver's blocking calls come from the thread that called init(); "
                "move ray.get and ray.wait there, or run this program with --backend cluster"
            )
        assert self.driver is not None
        clock = self._clock
        suspended = suspend()
        try:
            if timeout_ns is None:
                clock.run_until(waiter)
            else:
                limit = _TimeOut(waiter)
                timer = self._expect(timeout_ns, limit.finish)
                try:
                    clock.run_until(limit)
                finally:
                    self._forget(timer)
                    waiter.wake = None
        finally:
            clock.active_ns = clock._now
            self._waits += 1
            if self._waits % COLLECT_DRIVER == 0:
                clock.user_code_ran = True
            if suspended is not None:
                suspended.restore()
            set_current(self.driver.core_worker)
            self.running = self.driver
            self._show_nothing()

    def _park(self, host: "UserHost", waiter: Waiter, timeout_ns: int | None) -> bool:
        fiber = getcurrent()
        if fiber not in self.tasks:
            raise RuntimeError(
                f"{host.name}: on the backend 'sim' blocking calls come from the task's own thread; "
                "move ray.get and ray.wait there, or run this program with --backend cluster"
            )
        self._parked[fiber] = parked = Parked(self._clock, host, self._resume)
        waiter.wake = parked.wake
        timer = None if timeout_ns is None else self._expect(timeout_ns, parked.wake)
        suspended = suspend()
        try:
            self.hub.switch()
        finally:
            if suspended is not None:
                suspended.restore()
            del self._parked[fiber]
            waiter.wake = None
            if timer is not None:
                self._forget(timer)
        if parked.interrupted:
            raise KeyboardInterrupt
        return waiter.done

    def interrupt(self, task: RunnableTask) -> None:
        """The task ends where it waits, unless it catches that. One that has not begun sees it then."""
        for fiber, (_, running) in self.tasks.items():
            if running is task and fiber in self._parked:
                self._parked[fiber].interrupted = True
                self._parked[fiber].wake()

    def _expect(self, delay_ns: int, action: Callable[[], None]) -> Call:
        self._clock.expected += 1
        return self._clock.call(delay_ns, action)

    def _forget(self, timer: Call) -> None:
        self._clock.expected -= 1
        timer.cancel()

    def sleep(self, delay_ns: int) -> None:
        """Of the process whose user code runs, or of a program that is between two drivers."""
        host = self.running
        if host is not None and host is self.driver and getcurrent() not in self.tasks:
            self._block_driver(Waiter(), max(delay_ns, self._poll_ns))
        elif host is not None:
            self.block(host, Waiter(), delay_ns)
        else:
            self.rest(Waiter(), delay_ns)

    def rest(self, waiter: Waiter, timeout_ns: int) -> bool:
        """As `block`, where nobody drives: the cluster goes on."""
        limit = _TimeOut(waiter)
        timer = self._expect(timeout_ns, limit.finish)
        try:
            self._clock.run_until(limit)
        finally:
            self._forget(timer)
            waiter.wake = None
            self.running = None
            set_current(None)
            self._show_nothing()
        return waiter.done

    def _show_nothing(self) -> None:
        """The program's own code sees its own environment."""
        if self._shown_gpus is not None:
            self._show_gpus(None)
        self.places.show(None)

    def leave(self, reason: str) -> None:
        """The running process ends itself, in the middle of its user code (`os._exit`). Never returns."""
        host = self.running
        assert host is not None
        assert host is not self.driver
        host.exit(reason)
        self._park(host, Waiter(), None)

    # --- ends ---

    def driver_leaves(self) -> None:
        """Nobody drives: until another driver comes, the program's own code belongs to no process."""
        self.driver = self.running = None
        set_current(None)

    def lock_of(self, host: "UserHost", reason: str) -> AbstractContextManager[object]:
        """Of a process that has just ended. A driver's program goes on, and is told."""
        if host is not self.driver:
            return Closed()
        if self._awaited is not None:
            self._awaited.finish()
        return Closed(reason)

    def abandon(self, host: "UserHost") -> None:
        """Its user code ends where it waits: `finally` blocks run, calls into the cluster do not."""
        before = self.running
        for fiber in [fiber for fiber, (owner, _) in self.tasks.items() if owner is host]:
            self.running = host
            set_current(host.core_worker)
            self.places.show(host.place)
            fiber.throw(GreenletExit)
        if host.loop is not None:
            self.running = host
            set_current(host.core_worker)
            host.loop.abandon()
        self.running = before
        self.places.show(None if before is None else before.place)
        set_current(None if before is None else before.core_worker)

    def close(self) -> None:
        """No user code is left, once every host has ended."""
        assert not self.tasks, f"user code goes on: {', '.join(self.waiting())}"
        for fiber in self._pool:
            fiber.throw(GreenletExit)
        self._pool.clear()
        self.places.show(None)
        set_current(None)

    def waiting(self) -> list[str]:
        """Who waits in user code, for people."""
        names = [
            f"{host.name} in {_task_name(task)}"
            for host, task in self.tasks.values()
            if task is not None
        ]
        loops = [host for host, task in self.tasks.values() if task is None and host.loop]
        return names + [
            f"{host.name} in {_task_name(task)}" for host in loops for task in host.executor.running
        ]


def visible_gpus(core_worker: CoreWorker, task: RunnableTask) -> str | None:
    if not task.accelerators:
        return None
    return ",".join(core_worker.accelerators(task).get(GPU, ()))


def _task_name(task: RunnableTask) -> str:
    if task.actor is not None:
        return f"{task.actor.class_name}.{task.call.method}"
    return task.template.name if task.template is not None else task.call.task_id.hex()

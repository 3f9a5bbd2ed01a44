"""Who polls in a process with user code: whoever waits pumps. Never decides what a message means.

A thread that blocks (in `get`, or an idle worker) polls the sockets itself, so that an answer needs
no hand-over between threads. At most one thread pumps; others that block park, and are woken by what
they wait for, or to take the pump over when the pumping thread leaves.

While user code keeps every thread away from the pump, somebody must still answer peers. A helper
thread looks every 2 ms whether anybody has pumped since it last looked; if not, it takes the pump
and keeps it until a thread wants to block: that thread asks for it back through the poller's
eventfd. While one thread pumps for long (an idle process) the helper parks, so that idling costs
nothing; the thread that leaves the pump then wakes it.

A thread that calls often without ever blocking polls on its way, and sends the helper away.

A thread that passes of compiled graphs keep busy leaves the pump to the helper for good, and waits for
nothing but its inboxes (`alone`), until it is woken for something else.

The flags `asleep`, `wanted`, `parked` are each set before the condition that they announce is looked
at again, and looked at by the other side after it changed that condition: one of the two sees the
other (Dekker), which the interpreter lock's sequential consistency allows.
"""

import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from raysim.config import MS
from raysim.protocol.host import Waiter
from raysim_cluster.host import LoopHost
from raysim_cluster.listening import NO_ALARM, Listening
from raysim_cluster.lock import HostLock
from raysim_cluster.parked import Parked, Stop

TAKE_OVER_NS: Final = 2 * MS
"""How long nobody pumps until the helper does. Below it the hand-over costs more than it saves."""

SWITCH_SECONDS: Final = 0.0001
"""The interpreter's switch interval (default 5 ms): how long the helper waits for user code that computes, each
time that it looks or something comes. Threads that compute beside each other pay a tenth of their time for it."""

POLL_WHILE_BUSY_NS: Final = 1 * MS
"""A thread that keeps calling without ever blocking polls this often on the way."""

DISMISS_CALLS: Final = 8
"""Calls within that time that make it worth taking the pump from the helper."""


class Pump:
    """`block` of one process, and its helper thread."""

    def __init__(self, host: LoopHost, lock: HostLock) -> None:
        self._host = host
        self._lock = lock
        self._pumping = threading.Lock()
        """Held by the thread that polls."""
        self._claim = threading.Lock()
        """Held by the one thread that asks the helper for the pump."""
        self._parked: list[Parked] = []
        self._alone: dict[Listening, None] = {}
        """Those of threads that wait for their inboxes alone."""
        self.others = 0
        """How often a thread had to do with anything but inboxes, as far as it would have it poll the sockets."""
        self._rounds = 0
        """How often somebody other than the helper began to pump."""
        self._polled_ns = 0
        self._helper: threading.Thread | None = None
        self._usual_seconds: float | None = None
        """The interpreter's switch interval before, where it was changed."""
        self.helping = False
        """The helper has the pump."""
        self._helper_rests = False
        self._bell = threading.Semaphore(0)
        self._nap = Parked()
        """The helper's, before it looks whether anybody pumps."""
        self._offered = False
        """The helper is to take the pump at once."""
        self._wanted = False
        self._dismissed = False
        """The helper is to leave the pump to a thread that calls often."""
        self._calls = 0
        self._calls_since_ns = 0
        self._closed = False
        self._ended = False
        """Nothing that anybody waits for will come."""
        self._error: BaseException | None = None

    def start(self) -> None:
        """Start the helper thread. Never before a fork."""
        if sys.getswitchinterval() > SWITCH_SECONDS:
            self._usual_seconds = sys.getswitchinterval()
            sys.setswitchinterval(SWITCH_SECONDS)
        self._helper = threading.Thread(target=self._help, name="raysim-pump", daemon=True)
        self._helper.start()

    def close(self) -> None:
        """End the helper. The caller blocks no more."""
        self._closed = True
        self._bell.release()
        self._nap.wake()
        self._host.poller.wake()
        if self._helper is not None and self._helper is not threading.current_thread():
            self._helper.join()
        if self._usual_seconds is not None:
            sys.setswitchinterval(self._usual_seconds)

    def abandon(self) -> None:
        """In a fork: there is no helper, and nothing to pump."""
        self._closed = self._ended = True
        self._host.asleep = False

    def end(self) -> None:
        """Have all blocking return without what it waits for."""
        self._ended = True
        self.wake_all()

    def kick(self) -> None:
        """Have a sleeping pump look again at what it waits for."""
        if self._host.asleep:
            self._host.poller.wake()

    def wake_all(self) -> None:
        """Have every blocked thread look again. From signal handlers too."""
        self._host.poller.wake()
        for parked in tuple(self._parked):
            parked.wake()
        for listening in tuple(self._alone):
            listening.wake()

    # --- blocking -----------------------------------------------------------------------------

    def block(
        self,
        waiter: Waiter,
        timeout_ns: int | None,
        stop: Stop,
        listening: Listening | None = None,
        serve: Callable[[], None] | None = None,
    ) -> bool:
        """Wait until the waiter is done, or `stop.requested`, or something was heard. False if it is not done.

        `serve` takes what was heard, as long as the thread waits for nothing but its inboxes.
        """
        if listening is None:
            self.others += 1
        elif listening.chooses_alone(self.others):
            return self._attend(waiter, timeout_ns, stop, listening, serve)
        else:
            self._alone.pop(listening, None)
        deadline = None if timeout_ns is None else time.monotonic_ns() + timeout_ns
        while not (waiter.done or stop.requested or self._ended):
            if listening is not None and listening.heard:
                break
            left = None if deadline is None else deadline - time.monotonic_ns()
            if left is not None and left <= 0:
                # Whatever has arrived already counts: a time-out of zero still looks once.
                self._look_once(listening)
                return waiter.done
            if self._error is not None:
                raise _broken() from self._error
            if self._pumping.acquire(blocking=False):
                self._pump(waiter, deadline, stop, listening)
            elif self.helping and self._claim.acquire(blocking=False):
                self._take_back(waiter, deadline, stop, listening)
            else:
                self._park(waiter, left, listening)
        return waiter.done

    def _attend(
        self,
        waiter: Waiter,
        timeout_ns: int | None,
        stop: Stop,
        listening: Listening,
        serve: Callable[[], None] | None,
    ) -> bool:
        """As `block`, in the inboxes alone."""
        self._alone[listening] = None
        waiter.wake = listening.wake
        deadline = None
        if timeout_ns is not None:
            deadline = time.monotonic_ns() + timeout_ns
            if timeout_ns:
                self._set_alarm(listening, deadline)
        while not (waiter.done or listening.heard or stop.requested or self._ended):
            if self._error is not None:
                raise _broken() from self._error
            if not self._pumping.locked():
                self._offered = True
                self._nap.wake()
            if not listening.sleep(timeout_ns):
                if deadline is not None and time.monotonic_ns() >= deadline:
                    break
            elif serve is not None:
                listening.heard = False
                serve()
                if not listening.chooses_alone(self.others):
                    break
        listening.deadline = None
        if waiter.done:
            self.others += 1
        return waiter.done

    def _set_alarm(self, listening: Listening, deadline: int) -> None:
        """To sleep with a time-out costs each pass more than one timer for many of them."""
        listening.deadline = deadline
        if deadline < listening.alarm:
            listening.alarm = deadline
            with self._lock:
                delay_ns = deadline - time.monotonic_ns()
                self._host.call_later(delay_ns, partial(self._on_alarm, listening))

    def _on_alarm(self, listening: Listening) -> None:
        # In this order: whoever sets a deadline looks at the alarm after that.
        listening.alarm = NO_ALARM
        deadline = listening.deadline
        if deadline is None:
            return
        if deadline <= time.monotonic_ns():
            listening.wake()
        else:
            self._set_alarm(listening, deadline)

    def forget(self, listening: Listening) -> None:
        """Nobody waits there any more."""
        self._alone.pop(listening, None)

    def look(self) -> None:
        """From a thread that calls a lot and never blocks: poll now and then, without waiting."""
        if self._closed:
            return
        now = time.monotonic_ns()
        if self.helping:
            self._dismiss_if_busy(now)
        elif now - self._polled_ns >= POLL_WHILE_BUSY_NS or now >= self._host.timers.first_ns:
            self._look_once()

    def _dismiss_if_busy(self, now: int) -> None:
        """Two threads that take turns at the roles cost more than one that also polls."""
        if now - self._calls_since_ns > POLL_WHILE_BUSY_NS:
            self._calls_since_ns, self._calls = now, 0
        self._calls += 1
        if self._calls == DISMISS_CALLS:
            self._dismissed = True
            self.others += 1
            self.kick()

    def _look_once(self, listening: Listening | None = None) -> None:
        if self._pumping.acquire(blocking=False):
            try:
                self._rounds += 1
                self._poll(0, listening)
            finally:
                self._leave()

    def _pump(
        self,
        waiter: Waiter,
        deadline: int | None,
        stop: Stop,
        listening: Listening | None,
    ) -> None:
        """Holding the pump; lets go of it."""
        try:
            self._rounds += 1
            waiter.wake = self.kick
            host = self._host
            while True:
                host.asleep = True
                if waiter.done or stop.requested or self._ended:
                    return
                if listening is not None and listening.heard:
                    return
                left = None if deadline is None else deadline - time.monotonic_ns()
                if left is not None and left <= 0:
                    return
                self._poll(left, listening)
        finally:
            self._leave()

    def _leave(self) -> None:
        self._host.asleep = False
        self._pumping.release()
        if self._parked:
            self._parked[0].wake()
        if self._helper_rests:
            self._helper_rests = False
            self._bell.release()

    def _take_back(
        self,
        waiter: Waiter,
        deadline: int | None,
        stop: Stop,
        listening: Listening | None,
    ) -> None:
        """Holding the claim: have the helper leave the pump, and pump."""
        self._wanted = True
        try:
            self.kick()
            self._pumping.acquire()
        finally:
            self._wanted = False
            self._claim.release()
        self._pump(waiter, deadline, stop, listening)

    def _park(self, waiter: Waiter, left: int | None, listening: Listening | None) -> None:
        parked = Parked()
        waiter.wake = parked.wake
        if listening is not None:
            listening.announce(waiter.finish)
        self._parked.append(parked)
        try:
            # The pump may have become free before this thread was on the list.
            if not waiter.done and self._pumping.locked():
                parked.sleep(left)
        finally:
            self._parked.remove(parked)

    def _poll(self, limit_ns: int | None, listening: Listening | None = None) -> None:
        """Holding the pump: wait at most so long, then handle what there is."""
        host = self._host
        host.asleep = True
        try:
            sleep_ns = host.sleep_ns(limit_ns)
            if listening is None:
                # The helper is beside user code, and leaves it the processor.
                wait = host.poller.wait if self.helping else host.poller.wait_awake
                events = wait(sleep_ns)
            else:
                events = listening.wait(sleep_ns)
                if listening.heard and sleep_ns and not events:
                    return  # Nothing for the roles.
        finally:
            host.asleep = False
            self._polled_ns = now = time.monotonic_ns()
            self._lock.due_ns = 0 if self.helping else now + POLL_WHILE_BUSY_NS
        with self._lock:
            host.dispatch(events)

    # --- the helper ---------------------------------------------------------------------------

    def _help(self) -> None:
        try:
            while not self._closed:
                self._watch()
        except Exception as error:
            self._error = error
            self.wake_all()
            raise

    def _watch(self) -> None:
        rounds = self._rounds
        woken = self._nap.sleep(TAKE_OVER_NS)
        offered, self._offered = self._offered, False
        unused = self._rounds == rounds and not woken
        if self._pumping.locked():
            if unused:
                self._rest()
        elif (offered or unused) and self._pumping.acquire(blocking=False):
            self._take_over()

    def _rest(self) -> None:
        """The same thread has pumped all the time: sleep until it leaves."""
        self._helper_rests = True
        if self._pumping.locked() and not self._closed:
            self._bell.acquire()
        self._helper_rests = False

    def _take_over(self) -> None:
        self.helping = True
        self._lock.due_ns = 0
        self._dismissed = False
        try:
            with self._lock:
                pass  # What the busy thread left unsent leaves now.
            while True:
                self._host.asleep = True
                if self._wanted or self._dismissed or self._closed:
                    return
                self._poll(None)
        finally:
            self._host.asleep = False
            self.helping = False
            self._pumping.release()
            # Threads that parked beside the helper take over.
            if self._parked and not self._wanted:
                self._parked[0].wake()


def _broken() -> RuntimeError:
    return RuntimeError("this process's connection to its cluster broke")

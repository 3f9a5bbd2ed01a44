"""Who waits for room in a full object store, and when it is given. Never which objects go: see store, spilling."""

from collections.abc import Callable
from functools import partial

from raysim.protocol.host import RayletHost, Timer
from raysim.protocol.messages import FetchReason


class Waiting:
    """A wish for `size` bytes. Lower `priority` numbers are served first, then earlier wishes."""

    __slots__ = ("given", "order", "overdue", "priority", "refused", "size", "timer")

    def __init__(
        self,
        size: int,
        priority: int,
        order: int,
        given: Callable[[int], None],
        refused: Callable[[], None],
    ) -> None:
        self.size = size
        self.priority = priority
        self.order = order
        self.given = given
        self.refused = refused
        self.timer: Timer | None = None
        self.overdue = False
        """Its time was up, and it waits on for objects that are being written to disk."""


class Room:
    """`evict_one(size)` makes some room if that can help a wish of `size` bytes; False if it cannot.

    `short` is called when somebody waits, and `makes_room` says whether room is being made.
    """

    def __init__(self, host: RayletHost, evict_one: Callable[[int], bool]) -> None:
        self._host = host
        self._evict_one = evict_one
        self._waiting: list[Waiting] = []
        self._arrivals = 0
        self.short: Callable[[], None] = lambda: None
        self.makes_room: Callable[[], bool] = lambda: False

    def take(
        self,
        size: int,
        priority: int,
        given: Callable[[int], None],
        refused: Callable[[], None],
    ) -> Waiting | None:
        """Calls `given(handle)` at once if there is room; else later, or `refused` when time is up."""
        if size > self._host.store.capacity:
            refused()
            return None
        if not self._waiting or not self._passes_overdue(priority):
            handle = self._create(size)
            if handle is not None:
                given(handle)
                return None
        self._arrivals += 1
        wish = Waiting(size, priority, self._arrivals, given, refused)
        self._wait(wish)
        self._waiting.append(wish)
        self._waiting.sort(key=_turn)
        self.short()
        return wish

    def wanted(self) -> int:
        """Bytes that are waited for."""
        return sum(wish.size for wish in self._waiting) if self._waiting else 0

    def hasten(self, wish: Waiting, priority: int) -> None:
        wish.priority = priority
        self._waiting.sort(key=_turn)

    def cancel(self, wish: Waiting) -> None:
        if wish in self._waiting:
            self._remove(wish)
            if wish.overdue:
                self._host.call_later(
                    0, self.serve
                )  # Those that it was kept free for may pass now.

    def serve(self) -> None:
        """Something was deleted, or may be evicted now. A wish that does not fit lets smaller ones pass, until
        its time is up: then it would be kept from all the room that is made."""
        if not self._waiting:
            return
        for wish in list(self._waiting):
            if wish not in self._waiting:
                continue  # Cancelled by what an earlier one led to.
            handle = self._create(wish.size)
            if handle is not None:
                self._remove(wish)
                wish.given(handle)
            elif wish.overdue:
                break
        if self._waiting:
            self.short()

    def _passes_overdue(self, priority: int) -> bool:
        return any(wish.overdue and wish.priority <= priority for wish in self._waiting)

    def _create(self, size: int) -> int | None:
        handle = self._host.store.create(size)
        while handle is None and self._evict_one(size):
            handle = self._host.store.create(size)
        return handle

    def _wait(self, wish: Waiting) -> None:
        config = self._host.config
        timeout_ns = config.store_full_timeout_ns
        if wish.priority >= FetchReason.ARGUMENT:
            # Its call may have pinned others, for which calls wait that have pinned what it waits for.
            timeout_ns = min(timeout_ns, config.argument_full_timeout_ns)
        wish.timer = self._host.call_later(timeout_ns, partial(self._time_up, wish))

    def _time_up(self, wish: Waiting) -> None:
        if self.makes_room():
            wish.overdue = True
            self._wait(wish)
        else:
            self._remove(wish)
            wish.refused()
            if wish.overdue:
                self.serve()

    def _remove(self, wish: Waiting) -> None:
        self._waiting.remove(wish)
        if wish.timer is not None:
            wish.timer.cancel()


def _turn(wish: Waiting) -> tuple[int, int]:
    return wish.priority, wish.order

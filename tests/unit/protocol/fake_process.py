"""A fake host of a process with user code. Never runs user code: `ran` lists what it was asked to run.

`owned_by(process)` words for owners are in `owner/rig.py`, those for workers in `executor/rig.py`.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from raysim.config import Config
from raysim.protocol.host import Execute, RunnableTask, Waiter
from raysim.protocol.messages import ChannelWrite
from raysim.spec.address import Address
from raysim.spec.ids import TaskId
from tests.unit.protocol.fake_host import FakeHost


class FakeStoreAccess:
    """Places that a test fills itself, or a process wrote to; `viewed` are the handles that still have views."""

    def __init__(self) -> None:
        self.places: dict[int, bytes] = {}
        self.viewed: dict[int, Callable[[], None]] = {}

    def write(self, handle: int, parts: Sequence[bytes | memoryview]) -> None:
        self.places[handle] = b"".join(parts)

    def view(self, handle: int, size: int, released: Callable[[], None]) -> memoryview:
        self.viewed[handle] = released
        return memoryview(self.places[handle])[:size].toreadonly()

    def drop_view(self, handle: int) -> None:
        """As if the last array made of it had gone."""
        self.viewed.pop(handle)()


class FakeInbox:
    """An `Inbox`: tests put values into `come` and call `turn` themselves."""

    def __init__(self, graph_id: TaskId) -> None:
        self.place = f"inbox {graph_id.hex()[:8]}"
        self.come: list[ChannelWrite] = []
        self.turn: Callable[[Execute], bool] = lambda execute: False
        self.rung = 0
        self.announced: dict[Callable[[], None], None] = {}
        self.closed = False

    def take(self) -> list[ChannelWrite]:
        come, self.come = self.come, []
        return come

    def serve(self, turn: Callable[[Execute], bool]) -> None:
        self.turn = turn

    def ring(self) -> None:
        self.rung += 1

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        raise AssertionError("roles do not wait")

    def announce(self, action: Callable[[], None]) -> None:
        self.announced[action] = None

    def close(self) -> None:
        self.closed = True


class FakeOutlet:
    """An `Outlet` that takes values while it has room."""

    def __init__(self, room: int = 1000) -> None:
        self.room = room
        self.largest = 1 << 16
        self.written: list[tuple[int, int, bytes, bool]] = []
        self.closed = False

    def write(
        self,
        number: int,
        channel: int,
        parts: Sequence[bytes | memoryview],
        size: int,
        is_error: bool,
    ) -> bool:
        if not self.room or size > self.largest:
            return False
        self.room -= 1
        self.written.append((number, channel, b"".join(parts), is_error))
        return True

    def close(self) -> None:
        self.closed = True


class FakeProcessHost(FakeHost):
    """A `ProcessHost`. `block` runs `while_blocked`, which is where a test lets others answer."""

    def __init__(self, own: Address, config: Config | None = None) -> None:
        super().__init__(own, config)
        self.store = FakeStoreAccess()
        self.pid = 4711
        self.unwinding: tuple[type[BaseException], ...] = ()
        self.lock: AbstractContextManager[object] = nullcontext()
        self.guard: AbstractContextManager[object] = nullcontext()
        self.ran: list[RunnableTask] = []
        self.row: deque[RunnableTask] = deque()
        """Calls of an actor that runs one at a time; the first has begun."""
        self.exited: list[str] = []
        self.interrupted: list[RunnableTask] = []
        self.preempted: list[RunnableTask] = []
        self.has_inboxes = False
        self.inboxes: dict[TaskId, FakeInbox] = {}
        self.outlets: dict[str, FakeOutlet] = {}
        """By the place of what they lead to."""
        self.while_blocked: Callable[[], None] = lambda: None

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        if not waiter.done:
            self.while_blocked()
        if not waiter.done and timeout_ns is not None:
            self.advance(timeout_ns)
        assert waiter.done or timeout_ns is not None, "it would wait for ever"
        return waiter.done

    def run(self, task: RunnableTask) -> None:
        if task.actor is not None and task.actor.one_at_a_time:
            self.row.append(task)
            if len(self.row) > 1:
                return
        self._begin(task)

    def _begin(self, task: RunnableTask) -> None:
        if task.start_ns < 0:
            task.start_ns = self.now_ns()
        self.ran.append(task)

    def ended(self, task: RunnableTask) -> None:
        """User code is done with it: the next in the row begins."""
        if self.row and self.row[0] is task:
            self.row.popleft()
            if self.row:
                self._begin(self.row[0])

    def take_back(self, task: RunnableTask) -> bool:
        if task not in self.row or self.row[0] is task:
            return False
        self.row.remove(task)
        return True

    def interrupt(self, task: RunnableTask) -> None:
        self.interrupted.append(task)

    def preempt(self, task: RunnableTask) -> None:
        self.preempted.append(task)

    def outside(self, action: Callable[[], None]) -> None:
        self.call_later(0, action)

    def soon(self, action: Callable[[], None]) -> None:
        self.call_later(0, action)

    def inbox(self, graph_id: TaskId) -> FakeInbox | None:
        if not self.has_inboxes:
            return None
        inbox = self.inboxes[graph_id] = FakeInbox(graph_id)
        return inbox

    def outlet(self, place: str) -> FakeOutlet | None:
        return self.outlets.get(place)

    def exit(self, reason: str) -> None:
        self.exited.append(reason)

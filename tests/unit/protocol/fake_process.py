"""A fake host of a process with user code. Never runs user code: `ran` lists what it was asked to run.

`owned_by(process)` words for owners are in `owner/rig.py`, those for workers in `executor/rig.py`.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from raysim.config import Config
from raysim.protocol.host import RunnableTask, Waiter
from raysim.spec.address import Address
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


class FakeProcessHost(FakeHost):
    """A `ProcessHost`. `block` runs `while_blocked`, which is where a test lets others answer."""

    def __init__(self, own: Address, config: Config | None = None) -> None:
        super().__init__(own, config)
        self.store = FakeStoreAccess()  # type: ignore[assignment]  (the process's side of it)
        self.pid = 4711
        self.unwinding: tuple[type[BaseException], ...] = ()
        self.lock: AbstractContextManager[object] = nullcontext()
        self.ran: list[RunnableTask] = []
        self.exited: list[str] = []
        self.interrupted: list[RunnableTask] = []
        self.while_blocked: Callable[[], None] = lambda: None

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        if not waiter.done:
            self.while_blocked()
        if not waiter.done and timeout_ns is not None:
            self.advance(timeout_ns)
        assert waiter.done or timeout_ns is not None, "it would wait for ever"
        return waiter.done

    def run(self, task: RunnableTask) -> None:
        self.ran.append(task)

    def interrupt(self, task: RunnableTask) -> None:
        self.interrupted.append(task)

    def outside(self, action: Callable[[], None]) -> None:
        self.call_later(0, action)

    def soon(self, action: Callable[[], None]) -> None:
        self.call_later(0, action)

    def exit(self, reason: str) -> None:
        self.exited.append(reason)

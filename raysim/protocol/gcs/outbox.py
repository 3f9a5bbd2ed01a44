"""Sends the GCS's messages once what they speak of is durable. Never decides what is said.

Whatever enters the GCS (a message, a timer, a lost peer) may write rows and send messages; from the
first row on the messages wait, and leave in their order after one commit at the end.
"""

from collections.abc import Callable

from raysim.protocol.host import GcsHost, Timer
from raysim.protocol.messages import Message
from raysim.spec.address import Address


class Outbox:
    """Between the parts of the GCS and its host."""

    __slots__ = ("_dirty", "_held", "host")

    def __init__(self, host: GcsHost) -> None:
        self.host = host
        self._dirty = False
        self._held: list[tuple[Address, Message]] = []

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._dirty = True
        self.host.storage.put(table, key, value)

    def delete(self, table: str, key: bytes) -> None:
        self._dirty = True
        self.host.storage.delete(table, key)

    def send(self, to: Address, message: Message) -> None:
        if self._dirty:
            self._held.append((to, message))
        else:
            self.host.send(to, message)

    def settle(self) -> None:
        """The end of what entered: commit, then let the messages go."""
        if not self._dirty:
            return
        self.host.storage.commit()
        self._dirty = False
        held, self._held = self._held, []
        for to, message in held:
            self.host.send(to, message)

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> Timer:
        def run() -> None:
            action()
            self.settle()

        # As a trace is to name it.
        run.__qualname__ = getattr(action, "__qualname__", type(action).__name__)
        return self.host.call_later(delay_ns, run)

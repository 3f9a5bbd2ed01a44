"""What faults do to messages on their way in: cut off, or held up. Never one of them lost, doubled or overtaken.

The receiver does it. A link that is cut is not read, so that what is sent stays in the kernel and then with
its sender, until it is healed; nor is the end of a process seen through it. What is delayed waits behind a
gate, in its order.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster.disturbed import LinkRule
from raysim_cluster.wire import HEADER_BYTES, decode, encode

if TYPE_CHECKING:
    from raysim_cluster.host import LoopHost
    from raysim_cluster.link import Link

_PURPOSE: Final = "faults: delay"


class _Held(msgspec.Struct):
    due_ns: int
    sender: Address
    body: bytes
    """As it would be on the way: what arrives may refer to a buffer that is used again."""


class _Gate:
    """Before what one process says."""

    def __init__(self, owner: "Disturbance") -> None:
        self._owner = owner
        self._held: deque[_Held] = deque()

    def receive(self, sender: Address, messages: list[Message]) -> None:
        owner = self._owner
        for message in messages:
            wait_ns = owner.wait_ns(sender, message)
            if not (wait_ns or self._held):
                owner.deliver(sender, [message])
                continue
            due_ns = owner.host.now_ns() + wait_ns
            if self._held:
                due_ns = max(due_ns, self._held[-1].due_ns)
            self._held.append(_Held(due_ns, sender, bytes(encode([message])[HEADER_BYTES:])))
            if len(self._held) == 1:
                self._wake_later()

    def flush(self) -> None:
        """Everything, now: nothing may come after the end of its sender was told."""
        while self._held:
            self._let_through()

    def _wake_later(self) -> None:
        self._owner.host.call_later(self._held[0].due_ns - self._owner.host.now_ns(), self._open)

    def _open(self) -> None:
        now = self._owner.host.now_ns()
        while self._held and self._held[0].due_ns <= now:
            self._let_through()
        if self._held:
            self._wake_later()

    def _let_through(self) -> None:
        held = self._held.popleft()
        self._owner.deliver(held.sender, decode(memoryview(held.body)))


class Disturbance:
    """The rules in force in one process. Made with the first of them: a transport without does not know of it."""

    def __init__(
        self,
        host: "LoopHost",
        deliver: Callable[[Address, list[Message]], None],
    ) -> None:
        self.host = host
        self.deliver = deliver
        self._rules: Sequence[LinkRule] = ()
        self._delays = False
        self._gates: dict[WorkerId, _Gate] = {}
        """By sender. They stay when a rule ends: what waits is in the way of what comes."""

    def obey(self, rules: Sequence[LinkRule], links: Sequence["Link"]) -> None:
        """From now on these, and no others."""
        self._rules = rules
        self._delays = any(rule.latency_ns or rule.jitter_ns for rule in rules)
        for link in links:
            self.opened(link)

    def opened(self, link: "Link") -> None:
        """Its peer has proved itself, or its rules have changed."""
        assert link.peer is not None
        link.mute(self._is_cut(link.peer.node_id))

    def receive(self, sender: Address, messages: list[Message]) -> None:
        """What came over any connection of a process."""
        gate = self._gates.get(sender.worker_id)
        if gate is None:
            if not self._delays:
                self.deliver(sender, messages)
                return
            gate = self._gates[sender.worker_id] = _Gate(self)
        gate.receive(sender, messages)

    def lost(self, peer: Address) -> None:
        """Its end is about to be told."""
        gate = self._gates.pop(peer.worker_id, None)
        if gate is not None:
            gate.flush()

    def wait_ns(self, sender: Address, message: Message) -> int:
        """How much longer it takes."""
        wait_ns = 0
        for rule in self._rules:
            if rule.source == sender.node_id and rule.message in ("", type(message).__name__):
                wait_ns += rule.latency_ns
                if rule.jitter_ns:
                    wait_ns += self.host.rng(_PURPOSE).randrange(rule.jitter_ns + 1)
        return wait_ns

    def _is_cut(self, source: NodeId) -> bool:
        return any(rule.cut and rule.source == source for rule in self._rules)

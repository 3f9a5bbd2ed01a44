"""A process: a set of roles on one host. Only hands messages to the role that handles them.

The head is GCS and raylet, a node a raylet, a driver an owner, a worker an owner and an executor.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from raysim.protocol.messages import Message
from raysim.spec.address import Address

Handler: TypeAlias = Callable[[Address, Any], None]


class Role(Protocol):
    """A state machine: told of messages, lost peers and timers; asks its host for everything else."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Which messages this role handles; no other role of the process handles the same."""

    def start(self) -> None:
        """Called once, when the host can send."""

    def peer_lost(self, peer: Address) -> None:
        """The connection to this process broke, or its end was seen: it is gone for good."""


class Process:
    """Told by its host what arrives; never called from two threads at once."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self.roles = tuple(roles)
        self._handlers: dict[type[Message], Handler] = {}
        for role in self.roles:
            for kind, handler in role.handlers().items():
                assert kind not in self._handlers, f"two roles handle {kind.__name__}"
                self._handlers[kind] = handler

    def start(self) -> None:
        for role in self.roles:
            role.start()

    def receive(self, sender: Address, message: Message) -> None:
        handler = self._handlers.get(type(message))
        # A late answer to a role that this process no longer has, or never had, is nobody's business here.
        if handler is not None:
            handler(sender, message)

    def peer_lost(self, peer: Address) -> None:
        for role in self.roles:
            role.peer_lost(peer)

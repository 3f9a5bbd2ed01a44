"""A process: a set of roles on one host. Only hands messages to the role that handles them.

The head is GCS and raylet, a node a raylet, a driver an owner, a worker an owner and an executor.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from raysim.config import MS
from raysim.protocol.messages import Message
from raysim.spec.address import Address

Handler: TypeAlias = Callable[[Address, Any], None]

R = TypeVar("R")
Handlers: TypeAlias = Mapping[type[Message], Callable[[R], Handler]]
"""Kind of message to what gives the handler of a role. A worker hears of few kinds: most handlers are never made."""

LAST_WORDS_NS = 1_000 * MS
"""Nanoseconds that the end of a process's connection is waited for once its end was told by another way: what it had
said comes before that. A child that it left behind may keep the connection open. Ours."""


class Role(Protocol):
    """A state machine: told of messages, lost peers and timers; asks its host for everything else."""

    @staticmethod
    def handlers() -> Handlers[Any]:
        """Which messages each role of this class handles; no other role of the process does."""

    def start(self) -> None:
        """Called once, when the host can send."""

    def peer_lost(self, peer: Address) -> None:
        """The connection to this process broke, or its end was seen: it is gone for good."""


class Process:
    """Told by its host what arrives; never called from two threads at once."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self.roles = tuple(roles)
        self.handlers: dict[type[Message], Handler] = {}
        """Of the kinds that have come. A host may call one instead of `receive`."""

    def start(self) -> None:
        for role in self.roles:
            role.start()

    def receive(self, sender: Address, message: Message) -> None:
        handler = self.handlers.get(type(message)) or self._find(type(message))
        # A late answer to a role that this process no longer has, or never had, is nobody's business here.
        if handler is not None:
            handler(sender, message)

    def _find(self, kind: type[Message]) -> Handler | None:
        found = _table(self.roles).get(kind)
        if found is None:
            return None
        role, of = found
        handler = self.handlers[kind] = of(self.roles[role])
        return handler

    def peer_lost(self, peer: Address) -> None:
        for role in self.roles:
            role.peer_lost(peer)


_Table: TypeAlias = dict[type[Message], tuple[int, Callable[[Any], Handler]]]
_TABLES: dict[tuple[type[Role], ...], _Table] = {}


def _table(roles: tuple[Role, ...]) -> _Table:
    """Which of such roles handles what, and how: the same in every process that has them."""
    classes: tuple[type[Role], ...] = tuple(type(role) for role in roles)
    table = _TABLES.get(classes)
    if table is None:
        table = _TABLES[classes] = {}
        for number, role in enumerate(classes):
            for kind, of in role.handlers().items():
                assert kind not in table, f"two roles handle {kind.__name__}"
                table[kind] = number, of
    return table

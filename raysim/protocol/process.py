"""A process: a set of roles on one host. Only hands messages to the role that handles them.

The head is GCS and raylet, a node a raylet, a driver an owner, a worker an owner and an executor.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from raysim.config import MS
from raysim.protocol.messages import Message
from raysim.spec.address import Address

Handler: TypeAlias = Callable[[Address, Any], None]

LAST_WORDS_NS = 1_000 * MS
"""Nanoseconds that the end of a process's connection is waited for once its end was told by another way: what it had
said comes before that. A child that it left behind may keep the connection open. Ours."""


class Role(Protocol):
    """A state machine: told of messages, lost peers and timers; asks its host for everything else."""

    def handlers(self) -> Mapping[type[Message], Handler]:
        """Which messages this role handles, the same ones in each of its class; no other role of the process does."""

    def start(self) -> None:
        """Called once, when the host can send."""

    def peer_lost(self, peer: Address) -> None:
        """The connection to this process broke, or its end was seen: it is gone for good."""


class Process:
    """Told by its host what arrives; never called from two threads at once."""

    def __init__(self, roles: Sequence[Role]) -> None:
        self.roles = tuple(roles)
        self.handlers: dict[type[Message], Handler] = {}
        """Of the roles that have been sent something: a worker that runs tasks hears of few kinds. A host may
        call one instead of `receive`."""

        self._places: dict[type[Message], int] | None = None

    def start(self) -> None:
        for role in self.roles:
            role.start()

    def receive(self, sender: Address, message: Message) -> None:
        handler = self.handlers.get(type(message)) or self._find(type(message))
        # A late answer to a role that this process no longer has, or never had, is nobody's business here.
        if handler is not None:
            handler(sender, message)

    def _find(self, kind: type[Message]) -> Handler | None:
        places = self._places
        if places is None:
            places = self._places = _places(self.roles)
        role = places.get(kind)
        if role is None:
            return None
        self.handlers.update(self.roles[role].handlers())
        return self.handlers[kind]

    def peer_lost(self, peer: Address) -> None:
        for role in self.roles:
            role.peer_lost(peer)


_PLACES: dict[tuple[type[Role], ...], dict[type[Message], int]] = {}


def _places(roles: tuple[Role, ...]) -> dict[type[Message], int]:
    """Which of such roles handles what: the same in every process that has them."""
    classes = tuple(type(role) for role in roles)
    found = _PLACES.get(classes)
    if found is None:
        found = {}
        for number, role in enumerate(roles):
            for kind in role.handlers():
                assert kind not in found, f"two roles handle {kind.__name__}"
                found[kind] = number
        _PLACES[classes] = found
    return found

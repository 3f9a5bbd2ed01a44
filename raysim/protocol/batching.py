"""Collects what goes to one peer within one turn into one message. Never delays beyond the turn."""

from collections.abc import Callable
from typing import Generic, TypeVar

from raysim.protocol.host import Host
from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId

Item = TypeVar("Item")


class Batcher(Generic[Item]):
    """One kind of plural message: `add` as often as there are items, one message a peer and turn."""

    __slots__ = ("_batches", "_host", "_make")

    def __init__(self, host: Host, make: Callable[[list[Item]], Message]) -> None:
        self._host = host
        self._make = make
        self._batches: dict[WorkerId, tuple[Address, list[Item]]] = {}

    def add(self, to: Address, item: Item) -> None:
        if not self._batches:
            self._host.call_later(0, self.flush)
        batch = self._batches.get(to.worker_id)
        if batch is None:
            self._batches[to.worker_id] = (to, [item])
        else:
            batch[1].append(item)

    def flush(self) -> None:
        batches, self._batches = self._batches, {}
        for to, items in batches.values():
            self._host.send(to, self._make(items))

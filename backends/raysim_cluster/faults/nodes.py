"""A node as faults see it from the driver, and the orders that its process has not answered. Never what they mean."""

from collections.abc import Callable
from typing import TypeAlias

import msgspec

from raysim.spec.ids import NodeId
from raysim_cluster.control import Done, Order, Strike
from raysim_cluster.launch import NodeProcess

Then: TypeAlias = Callable[[Done], None]


class Machine(msgspec.Struct, eq=False):
    """What faults have done to a node that lasts; one that is restarted has a new one."""

    full: int = 0
    """Faults that have its disk full."""
    slow: list[float] = []
    """How many times slower each fault makes its disk."""
    pressed: int = 0
    """Faults that have its memory used."""


class Node:
    """`process` is another one after the node was restarted."""

    def __init__(self, index: int, process: NodeProcess) -> None:
        self.index = index
        self.name = process.plan.name
        self._begin(process)

    def _begin(self, process: NodeProcess) -> None:
        self.process = process
        self.channel = process.second_channel()
        """Of our own: the process may be ended, and its channel closed, by others at any time."""
        self.is_open = True
        self._waiting: dict[int, Then] = {}
        self.machine = Machine()

    def replace(self, process: NodeProcess) -> None:
        self.close()
        self._begin(process)

    @property
    def node_id(self) -> NodeId:
        return self.process.plan.node_id

    def order(self, number: int, strike: Strike, then: Then) -> None:
        """A process that is gone answers at once, with nobody struck."""
        if self.is_open:
            self._waiting[number] = then
            try:
                self.channel.send(Order(number, strike))
            except OSError:
                self.close()
        else:
            then(Done(number))

    def answer(self) -> None:
        """There is one, or the process is gone."""
        done, _ = self.channel.receive()
        if done is None:
            self.close()
            return
        assert isinstance(done, Done), f"node {self.name} sent {done}"
        self._waiting.pop(done.number)(done)

    def close(self) -> None:
        """No answer comes any more."""
        if not self.is_open:
            return
        self.is_open = False
        self.channel.close()
        waiting, self._waiting = self._waiting, {}
        for number, then in waiting.items():
            then(Done(number))

    def abandon(self) -> None:
        """In a fork: the node must see the end of its driver, not ours."""
        self.is_open = False
        self.channel.close()

"""Says now and then, to whoever waits, that no node could ever run what they asked for. Decides nothing."""

from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from raysim.policies.choice import Wish
from raysim.protocol.host import Timer
from raysim.protocol.messages import Message, WorkInfeasible
from raysim.spec.address import Address
from raysim.spec.ids import NodeId
from raysim.spec.labels import describe as describe_labels
from raysim.spec.node import NodeView
from raysim.spec.resources import describe
from raysim.spec.task import InBundle, NodeLabels


class Telling(Protocol):
    """A host, or what stands before one."""

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> Timer: ...

    def send(self, to: Address, message: Message) -> None: ...


class InfeasibleWatch:
    """`waiting`: whom to tell, and of what. Nothing is said of what waits for less than a period."""

    def __init__(
        self,
        host: Telling,
        period_ns: int,
        nodes: Mapping[NodeId, NodeView],
        waiting: Callable[[], Iterable[tuple[Address, Wish]]],
    ) -> None:
        self._host = host
        self._period_ns = period_ns
        self._nodes = nodes
        self._waiting = waiting
        self._armed = False

    def look(self) -> None:
        """Something waits."""
        if not self._armed and self._period_ns:
            self._armed = True
            self._host.call_later(self._period_ns, self._tell)

    def _tell(self) -> None:
        self._armed = False
        told: dict[tuple[bytes, str], None] = {}
        for owner, wish in self._waiting():
            if isinstance(wish.strategy, InBundle):
                continue  # It waits for its placement group, which may only be late.
            text = self._text(wish)
            if (owner.worker_id, text) not in told:
                told[owner.worker_id, text] = None
                self._host.send(owner, WorkInfeasible(text))
        if told:
            self.look()

    def _text(self, wish: Wish) -> str:
        labels = [describe_labels(selector) for selector in wish.selectors]
        if isinstance(wish.strategy, NodeLabels):
            labels.append(describe_labels(wish.strategy.hard))
        wanted = f" on a node with {' or '.join(labels)}" if labels else ""
        largest = {
            name: max((view.total.get(name, 0) for view in self._nodes.values()), default=0)
            for name in wish.need
        }
        return (
            f"Something waits for {describe(wish.need)}{wanted}, and no node could ever run it: the most "
            f"that any of {len(self._nodes)} nodes has is {describe(largest)}. Add such a node, or ask "
            "for less; raysim.util.explain(ref) tells more."
        )

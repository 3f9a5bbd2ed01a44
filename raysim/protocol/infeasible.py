"""Says now and then, to whoever waits, that no node could ever run what they asked for. Decides nothing."""

from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

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


_RAREST: Final = 64
"""Periods between two times that the same is said, at most: each time there are twice as many. Ours."""


class _Told:
    """`due`: the look at which it is said again. `gap`: looks between the last time and that."""

    __slots__ = ("due", "gap")

    def __init__(self, due: int, gap: int) -> None:
        self.due = due
        self.gap = gap


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
        self._looks = 0
        self._told: dict[tuple[bytes, str], _Told] = {}
        """What still waits, by its owner and the words."""

    def look(self) -> None:
        """Something waits."""
        if not self._armed and self._period_ns:
            self._armed = True
            self._host.call_later(self._period_ns, self._tell)

    def _tell(self) -> None:
        self._armed = False
        self._looks += 1
        told: dict[tuple[bytes, str], _Told] = {}
        for owner, wish in self._waiting():
            if isinstance(wish.strategy, InBundle):
                continue  # It waits for its placement group, which may only be late.
            text = self._text(wish)
            key = owner.worker_id, text
            if key not in told:
                told[key] = self._say(owner, text, self._told.get(key))
        self._told = told
        if told:
            self.look()

    def _say(self, owner: Address, text: str, last: _Told | None) -> _Told:
        """At once, and then more and more rarely."""
        if last is not None and self._looks < last.due:
            return last
        self._host.send(owner, WorkInfeasible(text))
        gap = 1 if last is None else min(2 * last.gap, _RAREST)
        return _Told(self._looks + gap, gap)

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

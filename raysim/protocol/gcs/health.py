"""Whether nodes answer. Never what follows when one does not: see nodes.

One round asks every node that owes no answer; a node that has not answered a round within the
time-out failed one check. Two timers a round, however many nodes there are.
"""

from collections.abc import Callable
from functools import partial

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.messages import CheckHealth, Healthy
from raysim.spec.address import Address
from raysim.spec.ids import NodeId


class _Checked:
    __slots__ = ("asked", "failures", "raylet")

    def __init__(self, raylet: Address) -> None:
        self.raylet = raylet
        self.asked = 0
        """The round it has not answered yet; 0 if none."""
        self.failures = 0


class Health:
    """`silent(node, reason)` is called for a node that failed `health_check_failure_threshold`
    checks in a row."""

    def __init__(self, outbox: Outbox, silent: Callable[[NodeId, str], None]) -> None:
        self._outbox = outbox
        self._config = outbox.host.config
        self._silent = silent
        self._nodes: dict[NodeId, _Checked] = {}
        self._round = 0
        self._armed = False

    def add(self, raylet: Address) -> None:
        if raylet.node_id == self._outbox.host.address.node_id:
            return  # The head: whoever asks is the one to answer.
        self._nodes[raylet.node_id] = _Checked(raylet)
        self._arm()

    def remove(self, node_id: NodeId) -> None:
        self._nodes.pop(node_id, None)

    def on_healthy(self, raylet: Address, healthy: Healthy) -> None:
        node = self._nodes.get(raylet.node_id)
        if node is not None:
            # A late answer to an earlier round says just as well that it lives.
            node.asked = 0
            node.failures = 0

    def _arm(self) -> None:
        if not self._armed and self._nodes:
            self._armed = True
            early = self._outbox.host.buggify("gcs.check_early")
            period_ns = self._config.health_check_period_ns
            self._outbox.call_later(period_ns // 10 if early else period_ns, self._ask)

    def _ask(self) -> None:
        self._armed = False
        self._round = number = self._round + 1
        message = CheckHealth(number)
        asked: list[NodeId] = []
        for node_id, node in self._nodes.items():
            if not node.asked:
                node.asked = number
                asked.append(node_id)
                self._outbox.send(node.raylet, message)
        if asked:
            overdue = partial(self._overdue, number, asked)
            self._outbox.call_later(self._config.health_check_timeout_ns, overdue)
        self._arm()

    def _overdue(self, number: int, asked: list[NodeId]) -> None:
        limit = self._config.health_check_failure_threshold
        for node_id in asked:
            node = self._nodes.get(node_id)
            if node is None or node.asked != number:
                continue
            node.asked = 0
            node.failures += 1
            if node.failures >= limit or self._outbox.host.buggify("gcs.give_up_early"):
                self._silent(
                    node_id,
                    f"it did not answer {node.failures} health checks in a row, each within "
                    f"{self._config.health_check_timeout_ns / 1e9:g} s",
                )

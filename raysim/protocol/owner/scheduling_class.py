"""Calls of one template, their queue and their leases. Never asks for a lease, never sends: see leases.py."""

from __future__ import annotations

from collections import deque
from typing import Final

import msgspec

from raysim.protocol.owner.records import TaskRecord
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, TaskId
from raysim.spec.resources import Accelerators
from raysim.spec.task import Claim, TaskTemplate

NO_BOUND: Final = 1 << 62

ONE_BY_ONE: Final = 64
"""Calls of a class that are not pushed ahead of their turn after one of them was handed back. Ours."""


class Lease(msgspec.Struct):
    """A worker lent to one scheduling class."""

    lease_id: int
    worker: Address
    raylet: Address
    accelerators: Accelerators = {}
    in_flight: dict[TaskId, TaskRecord] = {}
    outbox: list[TaskRecord] = []
    open: bool = True
    """False while the worker hands calls back: its user code blocks, or it retires."""
    retires: bool = False
    """The worker has run its `max_calls`: it exits once this lease was returned."""
    sent_ns: int = -(1 << 62)
    """When calls were last pushed on it."""
    idle_since_ns: int = -1


class SchedulingClass:
    """Calls of one template: their queue, their leases, and the moving average of their time."""

    def __init__(
        self,
        template: TaskTemplate,
        function: bytes | None,
        queues: bool = False,
        claim: Claim | None = None,
        shared: SchedulingClass | None = None,
    ) -> None:
        self.template = template
        self.function = function
        self.queues = queues
        """Each call waits at a node of its own, and a lease serves one call: see `raysim.policies.queueing`."""
        self.awaited = 0
        """Calls of the queue for which leases, or places to ask for them, were asked. Of a class that queues."""
        self.claim = claim
        """Of the one call that it is for; None: it is for all of the template."""
        self.expected_ns = -1
        """How long its calls will run, by the latest of them, under a policy that asks for it; -1: nobody knows."""
        self.near: tuple[NodeId, ...] = ()
        """Nodes that hold most of its calls' arguments, most first, under a policy that asks for it."""
        self._shared = shared
        """That of the template, which learns from it."""
        self.queue: deque[TaskRecord] = deque()
        self.leases: dict[int, Lease] = {}
        self.roomy: dict[int, Lease] = {}
        """Leases that can take a call, least recently served first."""
        self.asked: dict[int, None] = {}
        """Lease requests under way, by id."""
        self.most_asked = NO_BOUND
        """So many of them are worth while, as far as is known."""
        self.mean_ns = -1.0
        self.burst = 0
        self.burst_since_ns = -NO_BOUND
        """Calls that became ready since then, one soon after the other."""
        self._one_by_one = 0
        """So many more calls are to end before calls are pushed ahead again."""
        self._cancelled = 0

    def drop_cancelled(self) -> None:
        """One more of the queued calls was cancelled; they leave together, once they are half of the queue."""
        self._cancelled += 1
        if 2 * self._cancelled >= len(self.queue):
            self.queue = deque(record for record in self.queue if not record.cancelled)
            self._cancelled = 0

    def next(self) -> TaskRecord | None:
        """Take the first call out of the queue."""
        while self.queue:
            record = self.queue.popleft()
            if not record.cancelled:
                return record
            self._cancelled -= 1
        return None

    def came_back(self) -> None:
        """A call was handed back: its worker waits for something. The next ones may do so, too."""
        self._one_by_one = ONE_BY_ONE

    def learn(self, duration_ns: int) -> None:
        """Exponential moving average, a quarter new."""
        if self._shared is not None:
            self._shared.learn(duration_ns)
        if self._one_by_one:
            self._one_by_one -= 1
        if self.mean_ns < 0:
            self.mean_ns = float(duration_ns)
        else:
            self.mean_ns += (duration_ns - self.mean_ns) * 0.25

    def window(self, ahead_ns: int, most: int) -> int:
        """How many calls may be in flight on one lease."""
        if self.queues:
            return 1
        if self.mean_ns < 0 or self._one_by_one or self.template.max_retries == 0:
            return 1  # A call that may not be retried must not be lost in a queue it never left.
        if self.template.num_returns < 0:
            return 1  # A generator may wait for its consumer, who may wait for the call behind it.
        most = min(most, self.template.max_calls or most)
        return max(1, min(most, int(ahead_ns / (self.mean_ns + 1))))

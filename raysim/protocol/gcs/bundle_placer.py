"""Where bundles go: choosing nodes, reserving in two phases. Never a group's state: see placement_groups.

Phase one reserves (PrepareBundles) on every node of an attempt, phase two offers what is reserved
(CommitBundles). An attempt that any node refuses, or that loses a node before it is decided, gives
everything back at once and waits for no answer: a dead node's may never come (Ray: #64693).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from raysim.policies.bundles import is_feasible, place_bundles
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.quotas import Quotas
from raysim.protocol.gcs.views import Views
from raysim.protocol.host import Timer
from raysim.protocol.messages import (
    BundlesCommitted,
    BundlesPrepared,
    BundlesReturned,
    CommitBundles,
    Message,
    PrepareBundles,
    ReturnBundles,
)
from raysim.spec.address import Address
from raysim.spec.ids import NIL_NODE, NodeId, PlacementGroupId
from raysim.spec.placement_group import GroupSpec
from raysim.spec.resources import Resources, total

OVER_QUOTA: Final = "OVER_QUOTA"
"""Of a group's progress: its job has the rest of its quota in use. Ours; the others are Ray's."""


class _Wanted(msgspec.Struct):
    """A group with bundles that have no place. `placed`: those that have one."""

    spec: GroupSpec
    placed: dict[int, NodeId]
    attempts: int = 0
    progress: str = "QUEUED"
    attempt: "_Attempt | None" = None


class _Attempt(msgspec.Struct):
    """Bundles on their way to nodes. `asked`: nodes that have yet to answer, and their timers."""

    epoch: int
    where: dict[int, NodeId]
    asked: dict[NodeId, Timer] = {}
    keys: dict[NodeId, int] = {}
    """What each node's request is called in the view."""
    decided: bool = False
    """All have reserved: from here on bundles can only be lost, not given back."""
    failed: list[int] = []

    def on(self, node_id: NodeId) -> list[int]:
        return [index for index, node in self.where.items() if node == node_id]


class BundlePlacer:
    """`decided(group, epoch, where)` when every node has reserved; then `placed(group, lost)` when all
    have answered, with the bundles that were lost meanwhile."""

    def __init__(
        self,
        outbox: Outbox,
        views: Views,
        quotas: Quotas,
        decided: Callable[[PlacementGroupId, int, Mapping[int, NodeId]], None],
        placed: Callable[[PlacementGroupId, list[int]], None],
    ) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._views = views
        self._quotas = quotas
        self._decided = decided
        self._placed = placed
        self._urgent: dict[PlacementGroupId, _Wanted] = {}
        """Groups in use that lost bundles: they come before new ones, as in Ray."""
        self._queue: dict[PlacementGroupId, _Wanted] = {}
        self.lives: Callable[[PlacementGroupId], bool]
        """Whether a group is not removed. Set by whoever knows the groups."""
        self._returns: dict[tuple[PlacementGroupId, int, NodeId], Timer] = {}
        self._epoch = 0
        self._looking = False

    def begin(self, epoch: int) -> None:
        """Epochs of an earlier GCS on the same address are never used again."""
        self._epoch = epoch << 32

    # What is wanted.

    def place(self, spec: GroupSpec, placed: Mapping[int, NodeId], urgent: bool = False) -> None:
        queue = self._urgent if urgent else self._queue
        queue[spec.group_id] = _Wanted(spec, dict(placed))
        self._look_soon()

    def commit_again(self, spec: GroupSpec, epoch: int, where: Mapping[int, NodeId]) -> None:
        """An earlier GCS decided this attempt; whether everybody heard of it is not known."""
        wanted = self._urgent[spec.group_id] = _Wanted(spec, {})
        wanted.attempt = attempt = _Attempt(epoch, dict(where))
        self._commit(wanted, attempt)

    def cancel(self, group_id: PlacementGroupId) -> list[NodeId]:
        """Nobody wants it any more. The nodes of the attempt under way, if there is one."""
        wanted = self._urgent.pop(group_id, None) or self._queue.pop(group_id, None)
        if wanted is None or wanted.attempt is None:
            return []
        attempt = wanted.attempt
        self._forget(attempt)
        return list(dict.fromkeys(attempt.where.values()))

    def withdraw(self, group_id: PlacementGroupId) -> None:
        """Other bundles are wanted than before: what is under way is given back."""
        wanted = self._urgent.pop(group_id, None) or self._queue.pop(group_id, None)
        if wanted is not None and wanted.attempt is not None:
            self._abort(wanted, wanted.attempt)

    def give_back(self, group_id: PlacementGroupId, node_id: NodeId, epoch: int = 0) -> None:
        """What the attempt `epoch` reserved there; 0: everything, and end those who use it."""
        raylet = self._views.raylet(node_id)
        if raylet is not None and (group_id, epoch, node_id) not in self._returns:
            self._return(raylet, ReturnBundles(group_id, epoch, removed=epoch == 0))

    def waiting(self) -> list[tuple[GroupSpec, list[int]]]:
        """Groups that do not fit now, and their bundles that have no place."""
        return [
            (wanted.spec, [i for i in range(len(wanted.spec.bundles)) if i not in wanted.placed])
            for wanted in (*self._urgent.values(), *self._queue.values())
            if wanted.attempt is None
        ]

    def progress(self, group_id: PlacementGroupId) -> tuple[int, str] | None:
        """Attempts, and what the last one came to; None for a group that waits for nothing."""
        wanted = self._find(group_id)
        return None if wanted is None else (wanted.attempts, wanted.progress)

    def held_at(self, group_id: PlacementGroupId, node_id: NodeId) -> list[int]:
        """Bundles that a node reserves, or is asked to reserve, in the attempt under way."""
        wanted = self._find(group_id)
        return [] if wanted is None or wanted.attempt is None else wanted.attempt.on(node_id)

    # What changes in the cluster.

    def room_changed(self) -> None:
        """A node joined, or reported what it has free."""
        if self._urgent or self._queue:
            self._look_soon()

    def node_gone(self, node_id: NodeId) -> None:
        for key in [key for key in self._returns if key[2] == node_id]:
            self._returns.pop(key).cancel()  # What it reserved died with it.
            self.release(key[0])
        self.withdraw_node(node_id)

    def withdraw_node(self, node_id: NodeId) -> None:
        """What is under way there comes to nothing."""
        for wanted in [*self._urgent.values(), *self._queue.values()]:
            attempt = wanted.attempt
            if attempt is None or node_id not in attempt.where.values():
                continue
            if attempt.decided:
                self._answered(attempt, node_id, lost=True)
                self._end_if_answered(wanted, attempt)
            else:
                self._abort(wanted, attempt)
                self._look_soon()

    # Attempts.

    def _look_soon(self, delay_ns: int = 0) -> None:
        """At this instant once, for whatever changes at it."""
        if delay_ns:
            self._outbox.call_later(delay_ns, self._look)
        elif not self._looking:
            self._looking = True
            self._outbox.call_later(0, self._look)

    def _look(self) -> None:
        self._looking = False
        for wanted in [*self._urgent.values(), *self._queue.values()]:
            if wanted.attempt is None:
                self._try(wanted)

    def _try(self, wanted: _Wanted) -> None:
        spec, live = wanted.spec, self._views.live
        where = place_bundles(spec, live, wanted.placed)
        if where is not None and not self._quotas.admit_group(spec):
            wanted.progress = OVER_QUOTA
            wanted.attempts = max(wanted.attempts, 1)
            return
        if where is None:
            feasible = is_feasible(spec, live, wanted.placed)
            wanted.progress = "NO_RESOURCES" if feasible else "INFEASIBLE"
            wanted.attempts = max(wanted.attempts, 1)
            return
        wanted.attempts += 1
        wanted.progress = "SCHEDULING_STARTED"
        self._epoch += 1
        wanted.attempt = attempt = _Attempt(self._epoch, where)
        for node_id in dict.fromkeys(where.values()):
            bundles = {index: spec.bundles[index] for index in sorted(attempt.on(node_id))}
            # Negative: leases of the same view have the positive ones.
            attempt.keys[node_id] = key = -(len(attempt.keys) + 1) - (self._epoch << 16)
            self._views.ask(node_id, key, _sum(bundles))
            self._ask(attempt, node_id, PrepareBundles(spec.group_id, attempt.epoch, bundles))

    def _ask(self, attempt: _Attempt, node_id: NodeId, message: Message) -> None:
        """Until it is answered, or the node is dead."""
        self._outbox.send(self._views.live[node_id].address, message)
        again = partial(self._ask, attempt, node_id, message)
        retry_ns = self._host.config.request_retry_ns
        attempt.asked[node_id] = self._outbox.call_later(retry_ns, again)

    def on_prepared(self, raylet: Address, message: BundlesPrepared) -> None:
        node_id = raylet.node_id
        wanted = self._find(message.group_id)
        attempt = wanted.attempt if wanted is not None else None
        if wanted is None or attempt is None or attempt.epoch != message.epoch:
            return  # Of an attempt that was given up: ReturnBundles is under way.
        if attempt.decided or node_id not in attempt.asked:
            return  # A second copy.
        attempt.asked.pop(node_id).cancel()
        key = attempt.keys.pop(node_id)
        if not message.ok:
            self._views.answered(node_id, key, None)
            self._abort(wanted, attempt)
            # Not at once: the report that corrects the view of that node may still be under way.
            self._look_soon(self._host.config.resource_report_period_ns)
            return
        bundles = {index: wanted.spec.bundles[index] for index in attempt.on(node_id)}
        self._views.answered(node_id, key, _sum(bundles))
        if not attempt.asked:
            self._decided(message.group_id, attempt.epoch, attempt.where)
            self._commit(wanted, attempt)

    def _abort(self, wanted: _Wanted, attempt: _Attempt) -> None:
        """Give everything back, whoever has answered yet."""
        wanted.attempt = None
        wanted.progress = "FAILED_TO_COMMIT_RESOURCES"
        self._forget(attempt)
        for node_id in dict.fromkeys(attempt.where.values()):
            self.give_back(wanted.spec.group_id, node_id, attempt.epoch)
        if not wanted.placed:
            self.release(wanted.spec.group_id)

    def _forget(self, attempt: _Attempt) -> None:
        for timer in attempt.asked.values():
            timer.cancel()
        for node_id, key in attempt.keys.items():
            self._views.answered(node_id, key, None)

    def _commit(self, wanted: _Wanted, attempt: _Attempt) -> None:
        attempt.decided = True
        message = CommitBundles(wanted.spec.group_id, attempt.epoch)
        nodes = list(dict.fromkeys(attempt.where.values()))
        for node_id in nodes:
            if node_id in self._views.live:
                self._ask(attempt, node_id, message)
            else:
                self._answered(attempt, node_id, lost=True)
        self._end_if_answered(wanted, attempt)

    def on_committed(self, raylet: Address, message: BundlesCommitted) -> None:
        wanted = self._find(message.group_id)
        attempt = wanted.attempt if wanted is not None else None
        if wanted is None or attempt is None or attempt.epoch != message.epoch:
            return
        if attempt.decided and raylet.node_id in attempt.asked:
            self._answered(attempt, raylet.node_id, lost=not message.ok)
            self._end_if_answered(wanted, attempt)

    def _answered(self, attempt: _Attempt, node_id: NodeId, *, lost: bool) -> None:
        """The second phase ended at this node, well or not."""
        timer = attempt.asked.pop(node_id, None)
        if timer is not None:
            timer.cancel()
        if lost:
            attempt.failed.extend(attempt.on(node_id))

    def _end_if_answered(self, wanted: _Wanted, attempt: _Attempt) -> None:
        if not attempt.asked:
            group_id = wanted.spec.group_id
            self._urgent.pop(group_id, None)
            self._queue.pop(group_id, None)
            self._placed(group_id, attempt.failed)

    # Giving back.

    def _return(self, raylet: Address, message: ReturnBundles) -> None:
        self._outbox.send(raylet, message)
        key = (message.group_id, message.epoch, raylet.node_id)
        again = partial(self._return, raylet, message)
        self._returns[key] = self._outbox.call_later(self._host.config.request_retry_ns, again)

    def on_returned(self, raylet: Address, message: BundlesReturned) -> None:
        timer = self._returns.pop((message.group_id, message.epoch, raylet.node_id), None)
        if timer is not None:
            timer.cancel()
            self.release(message.group_id)

    def release(self, group_id: PlacementGroupId) -> None:
        """Its part of the quota is free again, if nothing has a place any more and every node has given it back."""
        wanted = self._find(group_id)
        if any(key[0] == group_id for key in self._returns):
            return
        lives = self.lives(group_id)
        if lives and (wanted is None or wanted.attempt is not None or wanted.placed):
            return
        self._quotas.release_group(group_id)
        if not lives:
            self.room_changed()

    def _find(self, group_id: PlacementGroupId) -> _Wanted | None:
        return self._urgent.get(group_id) or self._queue.get(group_id)


def _sum(bundles: Mapping[int, Resources]) -> Resources:
    return total(bundles.values())


def places(nodes: list[NodeId]) -> dict[int, NodeId]:
    """The bundles that have one, by index."""
    return {index: node for index, node in enumerate(nodes) if node != NIL_NODE}

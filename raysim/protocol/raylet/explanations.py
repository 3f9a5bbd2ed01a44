"""Why a lease request is not granted yet, for people who ask. From what the decision is made of; changes nothing."""

from raysim.policies.choice import Wish
from raysim.policies.registry import queues
from raysim.protocol.host import Host
from raysim.protocol.messages import (
    ExplainLease,
    LeaseExplained,
    LeaseHolder,
    LeaseStage,
    LeaseStory,
    QueueTurn,
)
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.envs import Envs
from raysim.protocol.raylet.lease import Lease, LeaseState
from raysim.protocol.raylet.leases import Leases
from raysim.protocol.raylet.quotas import quota_of
from raysim.protocol.raylet.turns import Turns
from raysim.protocol.rooms import rooms, without_group
from raysim.spec.address import NOWHERE, Address
from raysim.spec.placement_group import plain
from raysim.spec.resources import fits, floats, shortfall
from raysim.spec.runtime_env import shown
from raysim.spec.task import InBundle

MOST = 16
"""Holders that one answer names, those who hold most. Ours."""


class Explanations:
    def __init__(self, host: Host, view: ClusterView, leases: Leases, envs: Envs) -> None:
        self._host = host
        self._view = view
        self._leases = leases
        self._envs = envs
        self._queues = queues(host.config)

    def on_explain(self, sender: Address, asked: ExplainLease) -> None:
        lease = self._leases.book.find(asked.owner, asked.lease_id)
        story = LeaseStory(LeaseStage.UNKNOWN) if lease is None else self._story(lease)
        self._host.send(sender, LeaseExplained(asked.number, story))

    def _story(self, lease: Lease) -> LeaseStory:
        request = lease.request
        story = LeaseStory(LeaseStage.UNKNOWN, need=plain(lease.held))
        story.worker = lease.worker or NOWHERE
        if isinstance(request.strategy, InBundle):
            story.group_id = request.strategy.group_id
        story.for_ns = self._host.now_ns() - lease.since_ns
        if lease.admission:
            story.stage = LeaseStage.OVER_QUOTA
            story.quota = quota_of(request)
        elif lease.state is LeaseState.STARTING:
            story.stage = LeaseStage.STARTING
            if self._envs.is_under_way(request.runtime_env):
                story.stage, story.runtime_env = LeaseStage.SETTING_UP, shown(request.runtime_env)
        elif lease.state is LeaseState.GRANTED:
            story.stage = LeaseStage.GRANTED
        elif lease.state is LeaseState.QUEUED:
            wish = Wish(request.resources, request.strategy, request.selectors)
            story.nodes = rooms(wish, self._view.nodes.values())
            if self._leases.book.is_homeless(lease):
                # Nothing is decided as long as the other nodes are not known.
                story.stage = LeaseStage.INFEASIBLE if self._view.ready else LeaseStage.UNKNOWN
            else:
                story.stage = LeaseStage.QUEUED
                story.ahead = self._leases.book.ahead_of(lease)
                story.turn = self._turn(lease)
                if request.hops >= self._host.config.max_spillback_hops and self._queues:
                    story.queued_by = self._host.config.policy
                self._explain_room(lease, story)
        return story

    def _turn(self, lease: Lease) -> QueueTurn | None:
        queue = self._leases.book.queue
        before = queue.before(lease)
        if before is None:
            return None
        available = self._view.local.available
        has_room = fits(lease.held, available) and self._leases.instances.fits(lease.held)
        ranked = isinstance(queue, Turns) and queue.ranked
        turn = QueueTurn(self._host.config.queue, ranked, len(before), has_room)
        if before:
            first = before[0]
            turn.need, turn.user = first.need, first.user
            turn.for_ns = self._host.now_ns() - first.since_ns
        return turn

    def _explain_room(self, lease: Lease, story: LeaseStory) -> None:
        here = next(room for room in story.nodes if room.node_id == self._view.local_id)
        scarce = list(shortfall(lease.held, self._view.local.available))
        if not scarce:
            broken = self._leases.instances.lacking(lease.held)
            if broken:
                here.why = f"has enough {', '.join(broken)} free, but not in one piece"
            scarce = broken
        holders = [
            LeaseHolder(
                held.worker or NOWHERE,
                some,
                self._host.now_ns() - held.since_ns,
                held.request.actor_id,
            )
            for held in self._leases.book.holding()
            if (some := _some_of(held, scarce))
        ]
        holders.sort(key=lambda holder: -sum(holder.held.values()))
        story.holders = holders[:MOST]


def _some_of(lease: Lease, names: list[str]) -> dict[str, float]:
    """Without the CPUs that it gives back while it waits."""
    held, lent = lease.held, lease.lent
    return without_group(floats({n: held.get(n, 0) - lent.get(n, 0) for n in names}))

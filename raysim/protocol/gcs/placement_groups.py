"""The life of placement groups: placed, bundles lost and placed again, removed. Never where: see bundle_placer.

PENDING --every node has reserved--> PREPARED --every node offers--> CREATED
PREPARED, CREATED --a node dies--> RESCHEDULING --as above, for the lost bundles--> CREATED
any of them --removed, or its creator is gone--> REMOVED
"""

from collections.abc import Iterator, Mapping

from raysim.journal import PlacementGroupNoted
from raysim.protocol.gcs.bundle_placer import OVER_QUOTA, BundlePlacer, places
from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.quotas import Quotas
from raysim.protocol.gcs.tables import GroupRow, Tables
from raysim.protocol.messages import (
    CreatePlacementGroup,
    GetPlacementGroups,
    KeepBundles,
    PlacementGroupChanged,
    PlacementGroupRefused,
    PlacementGroupRegistered,
    PlacementGroups,
    RemovePlacementGroup,
    SubscribePlacementGroup,
)
from raysim.protocol.messages.state import GroupSeen
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import (
    NIL_NODE,
    ActorId,
    JobId,
    NodeId,
    PlacementGroupId,
    WorkerId,
    job_of_group,
)
from raysim.spec.placement_group import (
    GroupInfo,
    GroupSpec,
    GroupState,
    GroupStrategy,
    fits_a_bundle,
    plain,
)
from raysim.spec.resources import Resources, fits
from raysim.spec.task import InBundle


class _Group:
    __slots__ = (
        "attempts",
        "begun_ns",
        "creator_gone",
        "epoch",
        "job_ended",
        "nodes",
        "number",
        "progress",
        "spec",
        "state",
        "subscribers",
        "version",
        "waited_ns",
    )

    def __init__(self, spec: GroupSpec, number: int, now_ns: int) -> None:
        self.spec = spec
        self.number = number
        self.state = GroupState.PENDING
        self.version = 0
        self.nodes: list[NodeId] = [NIL_NODE] * len(spec.bundles)
        self.epoch = 0
        self.begun_ns = now_ns
        self.waited_ns = 0
        self.attempts = 0
        self.progress = "QUEUED"
        self.subscribers: dict[WorkerId, Address] = {}
        # Both have to be over, as in Ray: a group made in an actor outlives the actor while the job runs.
        self.job_ended = spec.creator_detached
        self.creator_gone = spec.creator_actor is None

    def info(self) -> GroupInfo:
        spec = self.spec
        return GroupInfo(
            spec.group_id,
            self.state,
            self.version,
            spec.bundles,
            list(self.nodes),
            spec.strategy,
            spec.name,
            spec.namespace,
            self.attempts,
            self.progress,
            self.waited_ns,
        )

    def row(self) -> GroupRow:
        return GroupRow(
            self.info(), self.spec, self.number, self.epoch, self.job_ended, self.creator_gone
        )


class PlacementGroupTable:
    """`changed(group)`: set by whoever places into groups; called when one was placed or removed."""

    def __init__(
        self, outbox: Outbox, tables: Tables, nodes: NodeTable, jobs: JobTable, quotas: Quotas
    ) -> None:
        self._outbox = outbox
        self._host = outbox.host
        self._tables = tables
        self._nodes = nodes
        self._views = nodes.views
        self._ended_jobs = jobs.ended
        self._quotas = quotas
        self.placer = BundlePlacer(outbox, nodes.views, quotas, self._decided, self._placed)
        self.changed = _nobody
        self._groups: dict[PlacementGroupId, _Group] = {}
        self.placer.lives = self._groups.__contains__
        self._removed: dict[PlacementGroupId, GroupInfo] = {}
        self._remembered = outbox.host.config.gcs_history
        self._names: dict[tuple[str, str], PlacementGroupId] = {}
        self._created = 0

    def load(self) -> None:
        for row in sorted(self._tables.groups(), key=lambda row: row.number):
            self._created = row.number
            self._load(row)

    def _load(self, row: GroupRow) -> None:
        info = row.info
        if info.state is GroupState.REMOVED:
            self._removed[info.group_id] = info
            return
        group = _Group(row.spec, row.number, self._host.now_ns())
        group.state, group.version, group.epoch = info.state, info.version, row.epoch
        group.nodes = list(info.nodes)
        group.job_ended, group.creator_gone = row.job_ended, row.creator_gone
        self._register(group)
        if group.state is not GroupState.PENDING:
            self._quotas.hold_group(group.spec)
        if group.state is GroupState.PREPARED:
            self.placer.commit_again(group.spec, group.epoch, places(group.nodes))
        elif group.state is not GroupState.CREATED:
            urgent = group.state is GroupState.RESCHEDULING
            self.placer.place(group.spec, places(group.nodes), urgent)

    # What processes ask for.

    def on_create(self, creator: Address, create: CreatePlacementGroup) -> None:
        spec = create.spec
        if spec.group_id in self._groups or spec.group_id in self._removed:
            self._outbox.send(creator, PlacementGroupRegistered(spec.group_id))
            return
        if spec.name and (spec.namespace, spec.name) in self._names:
            reason = (
                f"Failed to create placement group '{spec.group_id.hex()}' because name "
                f"'{spec.name}' already exists in namespace '{spec.namespace}'. Remove the other "
                "group, or choose another name."
            )
            self._outbox.send(creator, PlacementGroupRefused(spec.group_id, reason))
            return
        if beyond := self._quotas.beyond(spec):
            kind = FailureKind.TASK_UNSCHEDULABLE  # As of what would run in it.
            self._outbox.send(creator, PlacementGroupRefused(spec.group_id, beyond, kind))
            return
        self._created += 1
        group = _Group(spec, self._created, self._host.now_ns())
        self._register(group)
        group.subscribers[creator.worker_id] = creator
        group.job_ended = group.job_ended or job_of_group(spec.group_id) in self._ended_jobs
        self._change(group)
        self._outbox.send(creator, PlacementGroupRegistered(spec.group_id))
        if not self._remove_if_over(group):
            self.placer.place(spec, {})

    def on_subscribe(self, process: Address, subscribe: SubscribePlacementGroup) -> None:
        group = self._groups.get(subscribe.group_id)
        if group is not None:
            group.subscribers[process.worker_id] = process
        self._outbox.send(process, PlacementGroupChanged(self._known(subscribe.group_id)))

    def on_remove(self, sender: Address, remove: RemovePlacementGroup) -> None:
        group = self._groups.get(remove.group_id)
        if group is not None:
            self._remove(group)
        if group is None or sender.worker_id not in group.subscribers:
            self._outbox.send(sender, PlacementGroupChanged(self._known(remove.group_id)))

    def on_get(self, sender: Address, get: GetPlacementGroups) -> None:
        self._outbox.send(sender, PlacementGroups(get.number, list(self._wanted(get))))

    def seen(self) -> list[GroupSeen]:
        """All that are known, for people who ask."""
        gone = [GroupSeen(info) for info in self._removed.values()]
        here = self._groups.values()
        return gone + [GroupSeen(self._info(group), group.spec.detached) for group in here]

    def pending(self, group_id: PlacementGroupId) -> tuple[GroupSpec, dict[int, NodeId]] | None:
        """What is to be placed, and the bundles that have a place; None for groups that are not known."""
        group = self._groups.get(group_id)
        return None if group is None else (group.spec, places(group.nodes))

    def quota_in_use(self, group_id: PlacementGroupId) -> Resources:
        """Its job's quota, where the group waits for that."""
        found = self.placer.progress(group_id)
        if found is None or found[1] != OVER_QUOTA:
            return {}
        return self._quotas.quota_of(group_id)

    def state(self, group_id: PlacementGroupId) -> GroupState:
        return self._known(group_id).state

    def _wanted(self, get: GetPlacementGroups) -> Iterator[GroupInfo]:
        if get.name:
            named = self._names.get((get.namespace, get.name))
            if named is not None:
                yield self._info(self._groups[named])
        elif get.group_id is None:
            yield from self._removed.values()
            yield from map(self._info, self._groups.values())
        elif get.group_id in self._groups:
            yield self._info(self._groups[get.group_id])
        elif get.group_id in self._removed:
            yield self._removed[get.group_id]

    # What becomes of a placement.

    def _decided(self, group_id: PlacementGroupId, epoch: int, where: Mapping[int, NodeId]) -> None:
        """Durable before anybody is told to offer its bundles: the next GCS must know whose they are."""
        group = self._groups[group_id]
        group.state = GroupState.PREPARED
        group.epoch = epoch
        for index, node_id in where.items():
            group.nodes[index] = node_id
        group.attempts = self._progress(group)[0]
        self._change(group)

    def _placed(self, group_id: PlacementGroupId, lost: list[int]) -> None:
        group = self._groups[group_id]
        for index in lost:
            group.nodes[index] = NIL_NODE
        if lost or NIL_NODE in group.nodes:
            self._reschedule(group)
            return
        group.state = GroupState.CREATED
        group.progress = "FINISHED"
        group.waited_ns = group.waited_ns or max(1, self._host.now_ns() - group.begun_ns)
        self._change(group)
        self._publish(group)

    def node_gone(self, node_id: NodeId) -> None:
        """Bundles there are lost; an attempt under way is the placer's, which knows what is decided."""
        for group in self._groups.values():
            group.subscribers = {
                worker_id: process
                for worker_id, process in group.subscribers.items()
                if process.node_id != node_id
            }
            self._lose_bundles(group, node_id)
        self.placer.node_gone(node_id)

    def node_drains(self, node_id: NodeId) -> None:
        """Its bundles are placed elsewhere. What runs in them there may end; the node goes with them."""
        for group in self._groups.values():
            self._lose_bundles(group, node_id)
        self.placer.withdraw_node(node_id)

    def _lose_bundles(self, group: _Group, node_id: NodeId) -> None:
        if node_id not in group.nodes:
            return
        group.nodes = [NIL_NODE if node == node_id else node for node in group.nodes]
        if group.state is not GroupState.PREPARED:  # That ends in `_placed`, which sees them.
            self.placer.withdraw(group.spec.group_id)
            self._reschedule(group)

    def _reschedule(self, group: _Group) -> None:
        group.state = GroupState.RESCHEDULING
        group.progress = "QUEUED"
        self._change(group)
        self._publish(group)
        self.placer.place(group.spec, places(group.nodes), urgent=True)

    # What ends a group.

    def process_gone(self, process: WorkerId) -> None:
        """It listens no more."""
        for group in self._groups.values():
            group.subscribers.pop(process, None)

    def job_finished(self, job: JobId) -> None:
        for group in list(self._groups.values()):
            if job_of_group(group.spec.group_id) == job:
                group.job_ended = True
                self._remove_if_over(group)

    def actor_dead(self, actor_id: ActorId) -> None:
        for group in list(self._groups.values()):
            if group.spec.creator_actor == actor_id:
                group.creator_gone = True
                self._remove_if_over(group)

    def _remove_if_over(self, group: _Group) -> bool:
        over = group.job_ended and group.creator_gone and not group.spec.detached
        if over:
            self._remove(group)
        return over

    def _remove(self, group: _Group) -> None:
        spec = group.spec
        nodes = [node for node in group.nodes if node != NIL_NODE]
        nodes += self.placer.cancel(spec.group_id)
        nodes += [node for node in self._nodes.drains if self._nodes.is_draining(node)]
        for node_id in dict.fromkeys(nodes):
            self.placer.give_back(spec.group_id, node_id)
        del self._groups[spec.group_id]
        self.placer.release(spec.group_id)
        if spec.name:
            del self._names[spec.namespace, spec.name]
        group.state, group.progress = GroupState.REMOVED, "REMOVED"
        self._change(group)
        self._removed[spec.group_id] = group.info()
        if len(self._removed) > self._remembered:
            oldest = next(iter(self._removed))
            del self._removed[oldest]
            self._tables.forget_group(oldest)
        self._publish(group)

    # What others need to know.

    def keep(self, raylet: Address) -> None:
        """A node registers again: it may have missed what was taken from it."""
        kept: dict[PlacementGroupId, list[int]] = {}
        for group_id, group in self._groups.items():
            held = [i for i, node in enumerate(group.nodes) if node == raylet.node_id]
            held += self.placer.held_at(group_id, raylet.node_id)
            if held:
                kept[group_id] = sorted(set(held))
        self._outbox.send(raylet, KeepBundles(kept))

    def node_for(self, spec: ActorSpec, strategy: InBundle) -> NodeId | Failure | None:
        """Where to ask for an actor's worker; None while its bundle has no place."""
        group = self._groups.get(strategy.group_id)
        if group is None:
            return removed(spec)
        if group.state in (GroupState.PENDING, GroupState.PREPARED):
            return None
        if strategy.index >= 0:
            return self._live(group.nodes[strategy.index])
        need = plain(spec.placement)
        fitting = [
            node
            for node, bundle in zip(group.nodes, group.spec.bundles, strict=True)
            if fits_a_bundle(need, [bundle]) and self._live(node) is not None
        ]
        with_room = (n for n in fitting if fits(spec.placement, self._views.live[n].available))
        return next(with_room, fitting[0] if fitting else None)

    def _live(self, node_id: NodeId) -> NodeId | None:
        return node_id if node_id in self._views.live else None

    # What is known and told.

    def _register(self, group: _Group) -> None:
        spec = group.spec
        self._groups[spec.group_id] = group
        if spec.name:
            self._names[spec.namespace, spec.name] = spec.group_id

    def _progress(self, group: _Group) -> tuple[int, str]:
        found = self.placer.progress(group.spec.group_id)
        return (group.attempts, group.progress) if found is None else found

    def _info(self, group: _Group) -> GroupInfo:
        group.attempts, group.progress = self._progress(group)
        return group.info()

    def _known(self, group_id: PlacementGroupId) -> GroupInfo:
        group = self._groups.get(group_id)
        if group is not None:
            return self._info(group)
        unknown = GroupInfo(group_id, GroupState.REMOVED, 0, [], [], GroupStrategy.PACK)
        return self._removed.get(group_id, unknown)

    def _change(self, group: _Group) -> None:
        group.version += 1
        self._tables.save_group(group.row())
        spec = group.spec
        self._host.note(PlacementGroupNoted(spec.group_id, spec.name, group.state))

    def _publish(self, group: _Group) -> None:
        message = PlacementGroupChanged(self._info(group))
        for process in group.subscribers.values():
            self._outbox.send(process, message)
        self.changed(group.spec.group_id)


def removed(spec: ActorSpec) -> Failure:
    """Why an actor will not be placed in its group."""
    text = (
        f"Actor {spec.class_name} ({spec.actor_id.hex()[:8]}) belongs in a placement group that was removed, "
        "or never created. Create another group for it."
    )
    return Failure(FailureKind.ACTOR_PLACEMENT_GROUP_REMOVED, text, spec.actor_id)


def _nobody(group_id: PlacementGroupId) -> None:
    """Nothing is placed into groups."""

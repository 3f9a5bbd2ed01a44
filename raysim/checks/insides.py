"""State that roles show to nobody but checks. Never changes it, and never says what is right.

It is in one place so that whoever changes a role finds every reader of its insides.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from raysim.protocol.executor import Executor
from raysim.protocol.gcs import Gcs
from raysim.protocol.gcs.actor_records import Actor
from raysim.protocol.owner import Owner
from raysim.protocol.raylet import Raylet
from raysim.protocol.raylet.stored import NOWHERE
from raysim.spec.actor import ActorSpec
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, NodeId, ObjectId, PlacementGroupId, WorkerId
from raysim.spec.node import NodeView
from raysim.spec.placement_group import GroupInfo
from raysim.spec.resources import Resources
from raysim.spec.task import TaskCall


def idle_workers(raylet: Raylet) -> Collection[WorkerId]:
    return raylet.pool._idle


def gcs_address(raylet: Raylet) -> Address:
    return raylet._gcs


def watches(raylet: Raylet) -> bool:
    """Whether it hears of the other nodes, and has been told of all."""
    return raylet.view._watching and raylet.view.ready


def bundles(raylet: Raylet) -> Iterator[tuple[PlacementGroupId, int, Resources, bool]]:
    """Group, index, resources, and whether they are offered."""
    for group_id, held in raylet.bundles._held.items():
        for index, bundle in held.items():
            yield group_id, index, bundle.resources, bundle.committed


def pins(raylet: Raylet) -> Iterator[tuple[WorkerId, Mapping[ObjectId, int]]]:
    """Of each process, how often it has pinned what."""
    for worker_id, holder in raylet.store._holders.items():
        yield worker_id, holder.pins


def extents(raylet: Raylet) -> Iterator[tuple[WorkerId, int]]:
    """Of each process, how many it was lent and has not sealed."""
    for worker_id, holder in raylet.store._holders.items():
        if holder.extents:
            yield worker_id, len(holder.extents)


def places(raylet: Raylet) -> list[int]:
    """Of the store, each as often as it is in use: by an object, lent, or being filled."""
    store = raylet.store
    used = [one.handle for one in store.objects.values() if one.handle != NOWHERE]
    for holder in store._holders.values():
        used += holder.extents.values()
    used += [pull.handle for pull in raylet.pulls._pulls.values() if pull.handle >= 0]
    used += raylet.restores.handles
    return used


def borrowers(owner: Owner, object_id: ObjectId) -> set[WorkerId]:
    """Those whose registration stands."""
    epochs = owner.objects._borrowers.epochs.get(object_id, {})
    return {worker_id for worker_id, epoch in epochs.items() if epoch >= 0}


def unacknowledged(owner: Owner) -> Collection[int]:
    """Epochs of borrows that are on their way to their owners."""
    return owner.objects._acknowledgements._open


def asked_of_the_lost(owner: Owner) -> Iterator[tuple[int, Address]]:
    """Requests for leases that wait where nobody answers, as this process knows: which, and where."""
    requests = owner.tasks.leases.requests
    for request in requests._open.values():
        if requests.is_lost(request.raylet.node_id):
            yield request.lease_id, request.raylet


def queued_calls(executor: Executor) -> Iterator[tuple[TaskCall, TaskCall]]:
    """Of the actor in this process, calls that have not started: the first of its line, and the call."""
    for line, queued in executor._actor._queued.values():
        yield line.calls[0].call, queued.call


def actor_spec(executor: Executor) -> ActorSpec | None:
    """Of the actor that lives in this process."""
    return executor._actor.spec


def incarnation(executor: Executor) -> int:
    return executor._actor.incarnation


def live_actors(gcs: Gcs) -> Mapping[ActorId, Actor]:
    return gcs.actors.directory.live


def dead_nodes(gcs: Gcs) -> Collection[NodeId]:
    return gcs.nodes.dead


def reported(gcs: Gcs) -> Iterator[tuple[NodeId, NodeView]]:
    """Of each live node, what its last report said."""
    for node_id, node in gcs.nodes.views._nodes.items():
        yield node_id, node.reported


def groups(gcs: Gcs) -> Iterator[GroupInfo]:
    """Placement groups that are not removed."""
    for group in gcs.groups._groups.values():
        yield group.info()

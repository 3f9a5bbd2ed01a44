"""Actors: one live incarnation at most, known to the GCS; groups where it says. Never in what order calls run."""

from __future__ import annotations

from collections.abc import Iterator

from raysim.checks import insides
from raysim.checks.cluster import Cluster, ProcessSeen
from raysim.checks.finding import Finding
from raysim.spec.actor import ActorState
from raysim.spec.ids import ActorId
from raysim.spec.placement_group import GroupState


def one_incarnation(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: on nodes that the GCS has not declared dead, an actor has one process at most.

    A node that was declared dead and does not know it yet may still run an earlier one: it is fenced. Which nodes
    those are is not to be seen while the GCS is away.
    """
    dead = None if cluster.gcs is None else insides.dead_nodes(cluster.gcs)
    seen: dict[ActorId, ProcessSeen] = {}
    incarnations: dict[tuple[ActorId, int], ProcessSeen] = {}
    for process, actor_id, incarnation in _actors(cluster):
        twin = incarnations.setdefault((actor_id, incarnation), process)
        if twin is not process:
            text = f"{twin.name} and {process.name} are both incarnation {incarnation} of actor {actor_id.hex()[:8]}"
            yield Finding("actor-one-incarnation", text, cluster.now_ns, "the same incarnation")
        if dead is None or process.address.node_id in dead:
            continue
        other = seen.setdefault(actor_id, process)
        if other is not process:
            text = f"{other.name} and {process.name} are both actor {actor_id.hex()[:8]}"
            yield Finding("actor-one-incarnation", text, cluster.now_ns, "two processes")


def made_again_at_once(cluster: Cluster) -> Iterator[Finding]:
    """At any moment: a call for a return that was lost has no call ahead of it, which might wait for that return."""
    for process in cluster.processes():
        executor = process.executor
        if executor is None:
            continue
        spec = insides.actor_spec(executor)
        if spec is None or spec.out_of_order:
            continue
        for first, call in insides.queued_calls(executor):
            if call.out_of_turn and first is not call:
                text = (
                    f"at {process.name}, {call.method} ({call.task_id.hex()[:8]}), whose return was lost, waits "
                    f"behind {first.method} ({first.task_id.hex()[:8]})"
                )
                yield Finding("call-made-again", text, cluster.now_ns, "it waits its turn")


def known(cluster: Cluster) -> Iterator[Finding]:
    """At rest: each actor that the GCS calls alive has its process, and each such process its actor."""
    if cluster.gcs is None:
        return
    alive = insides.live_actors(cluster.gcs)
    here = {actor_id: process for process, actor_id, _ in _actors(cluster)}
    for actor_id, actor in alive.items():
        name = actor.spec.class_name
        if actor.state is ActorState.ALIVE and actor_id not in here:
            text = (
                f"the GCS takes actor {name} ({actor_id.hex()[:8]}) for alive, and no process is it"
            )
            yield Finding("actor-known", text, cluster.now_ns, "no process")
    for actor_id, process in here.items():
        if actor_id not in alive:
            text = f"{process.name} is actor {actor_id.hex()[:8]}, which is dead for the GCS"
            yield Finding("actor-known", text, cluster.now_ns, "a process of a dead actor")


def none_left(cluster: Cluster) -> Iterator[Finding]:
    """When no program has a handle any more: no actor is left."""
    if cluster.gcs is None:
        return
    for actor_id, actor in insides.live_actors(cluster.gcs).items():
        text = f"actor {actor.spec.class_name} ({actor_id.hex()[:8]}) is {actor.state.name} though nobody has a handle"
        yield Finding("actor-left", text, cluster.now_ns, actor.state.name)


def bundles(cluster: Cluster) -> Iterator[Finding]:
    """At rest: bundles belong to live groups (Ray: #64693), and a group's bundles are where the GCS says."""
    if cluster.gcs is None:
        return
    live = {info.group_id: info for info in insides.groups(cluster.gcs)}
    held = set()
    for node in cluster.nodes:
        for group_id, index, _, committed in insides.bundles(node.raylet):
            info = live.get(group_id)
            if info is None or info.nodes[index] != node.node_id:
                whose = "no live group" if info is None else "a group that has it elsewhere"
                text = f"{node.name} keeps bundle {index} of group {group_id.hex()[:8]}: {whose}"
                yield Finding("bundle-of-live-group", text, cluster.now_ns, whose)
            if committed:
                held.add((group_id, index, node.node_id))
    for info in live.values():
        if info.state is not GroupState.CREATED:
            continue
        for index, node_id in enumerate(info.nodes):
            if (info.group_id, index, node_id) not in held:
                text = f"bundle {index} of group {info.group_id.hex()[:8]} is not offered by node {node_id.hex()[:8]}"
                yield Finding("bundle-of-live-group", text, cluster.now_ns, "no bundle")


def _actors(cluster: Cluster) -> Iterator[tuple[ProcessSeen, ActorId, int]]:
    for process in cluster.processes():
        if process.executor is None:
            continue
        spec = insides.actor_spec(process.executor)
        if spec is not None:
            yield process, spec.actor_id, insides.incarnation(process.executor)

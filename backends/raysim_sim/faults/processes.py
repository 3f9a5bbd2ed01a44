"""Ends, restarts, pauses and slowness of processes and nodes. Never of links."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from raysim.faults import Fault, PlannedFault
from raysim.faults.processes import (
    CrashConstructor,
    DrainNode,
    FailConstructor,
    KillActor,
    KillNode,
    KillRaylet,
    KillWorker,
    PauseActor,
    PauseGcs,
    PauseNode,
    PauseRaylet,
    PauseWorker,
    RestartGcs,
    RestartNode,
    SlowNode,
)
from raysim.protocol import messages
from raysim_sim.disturbance import slow
from raysim_sim.faults.effect import Effect, Perform, both
from raysim_sim.hosts import SimHost
from raysim_sim.user_host import UserHost

if TYPE_CHECKING:
    from raysim_sim.node import SimNode
    from raysim_sim.world import SimWorld


def kill_node(world: "SimWorld", planned: PlannedFault, fault: KillNode) -> Effect:
    node = world.nodes[planned.node]
    if not node.alive:
        return Effect(f"{node.name}, which was dead already")
    node.lose_power(world.options.connection_resets, world.faults.origin())
    return Effect(node.name)


def restart_node(world: "SimWorld", planned: PlannedFault, fault: RestartNode) -> Effect:
    node = world.nodes[planned.node]
    if not node.alive:
        return Effect(f"{node.name}, which was dead already")
    node.lose_power(world.options.connection_resets, world.faults.origin())
    # Not what `heal` ends, nor what is left out once it did: the machine comes back in any case.
    world.faults.expect(fault.lasting, lambda: world.come_back(node))
    return Effect(node.name)


def drain_node(world: "SimWorld", planned: PlannedFault, fault: DrainNode) -> Effect:
    """As if somebody on that node had asked for it: lost where the GCS does not hear it."""
    node = world.nodes[planned.node]
    if not node.host.alive:
        return Effect(f"{node.name}, which was dead already")
    asked = messages.DrainNode(0, node.host.address.node_id, "a fault", fault.deadline or 0)
    node.host.send(node.gcs, asked)
    return Effect(node.name)


def kill_raylet(world: "SimWorld", planned: PlannedFault, fault: KillRaylet) -> Effect:
    node = world.nodes[planned.node]
    if not node.host.alive:
        return Effect(f"{node.name}/raylet, which was dead already")
    node.alive = False
    node.stop("its raylet was killed by a fault", world.faults.origin())
    return Effect(node.host.name)


def kill_worker(world: "SimWorld", planned: PlannedFault, fault: KillWorker) -> Effect:
    node = world.nodes[planned.node]
    victim = _worker(world, node)
    if victim is None:
        return Effect(f"{node.name}, which had no worker")
    node.process_ended(victim, "killed by a fault", world.faults.origin())
    return Effect(victim.name)


def kill_actor(world: "SimWorld", planned: PlannedFault, fault: KillActor) -> Effect:
    victim = _actor(world, fault.actor)
    if victim is None:
        return Effect("nobody, as no such actor lived")
    victim.node.process_ended(victim, "killed by a fault", world.faults.origin())
    return Effect(victim.name)


def pause_node(world: "SimWorld", planned: PlannedFault, fault: PauseNode) -> Effect:
    node = world.nodes[planned.node]
    if not node.alive:
        return Effect(f"{node.name}, which was dead already")
    effect = _pause(node.name, [*node.users, *node.own_hosts()])
    assert effect.undo is not None
    node.pause()
    return Effect(node.name, both(effect.undo, node.resume))


def pause_raylet(world: "SimWorld", planned: PlannedFault, fault: PauseRaylet) -> Effect:
    host = world.nodes[planned.node].host
    return _pause(host.name, [host])


def pause_worker(world: "SimWorld", planned: PlannedFault, fault: PauseWorker) -> Effect:
    victim = _worker(world, world.nodes[planned.node])
    if victim is None:
        return Effect(f"{world.nodes[planned.node].name}, which had no worker")
    return _pause(victim.name, [victim])


def pause_actor(world: "SimWorld", planned: PlannedFault, fault: PauseActor) -> Effect:
    victim = _actor(world, fault.actor)
    if victim is None:
        return Effect("nobody, as no such actor lived")
    return _pause(victim.name, [victim])


def slow_node(world: "SimWorld", planned: PlannedFault, fault: SlowNode) -> Effect:
    node = world.nodes[planned.node]
    more_ns = int((fault.factor - 1) * world.costs.local_latency)
    rule = slow(node, more_ns)
    disturbance = world.faults.disturbance
    disturbance.begin(rule)
    node.slow_by(fault.factor)

    def undo() -> None:
        disturbance.end(rule)
        node.slow_by(fault.factor, over=True)

    return Effect(node.name, undo)


def fail_constructor(
    world: "SimWorld", planned: PlannedFault, fault: FailConstructor | CrashConstructor
) -> Effect:
    world.faults.constructors.fail_next(fault)
    return Effect(f"the next {fault.count} of {fault.actor or 'any class'}")


def restart_gcs(world: "SimWorld", planned: PlannedFault, fault: RestartGcs) -> Effect:
    gcs = world.gcs_process
    assert gcs is not None
    gcs.crash("killed by a fault", world.faults.origin())
    world.faults.expect(fault.lasting, gcs.start_again)
    return Effect(gcs.name)


def pause_gcs(world: "SimWorld", planned: PlannedFault, fault: PauseGcs) -> Effect:
    gcs = world.gcs_process
    assert gcs is not None
    return _pause(gcs.name, [gcs.host])


def _pause(name: str, hosts: Iterable[SimHost]) -> Effect:
    paused = [host for host in hosts if host.alive]
    for host in paused:
        host.pause()

    def resume() -> None:
        for host in paused:
            host.resume()

    return Effect(name, resume)


def _worker(world: "SimWorld", node: "SimNode") -> UserHost | None:
    """A busy one, if there is any."""
    workers = node.workers() if node.alive else []
    busy = [host for host in workers if host.busy]
    if not workers:
        return None
    return world.streams.stream("faults: worker").choice(busy or workers)


def _actor(world: "SimWorld", name: str | None) -> UserHost | None:
    """The process of a living actor."""
    found = [
        host
        for node in world.nodes
        for host in node.workers()
        if host.actor is not None and name in (None, host.actor.name, host.actor.class_name)
    ]
    return world.streams.stream("faults: actor").choice(found) if found else None


PERFORMED: Final[dict[type[Fault], Perform]] = {
    KillNode: kill_node,
    RestartNode: restart_node,
    DrainNode: drain_node,
    PauseNode: pause_node,
    SlowNode: slow_node,
    KillRaylet: kill_raylet,
    PauseRaylet: pause_raylet,
    KillWorker: kill_worker,
    PauseWorker: pause_worker,
    KillActor: kill_actor,
    PauseActor: pause_actor,
    FailConstructor: fail_constructor,
    CrashConstructor: fail_constructor,
    RestartGcs: restart_gcs,
    PauseGcs: pause_gcs,
}

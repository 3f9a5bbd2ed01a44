"""Ends, restarts and pauses of real processes. Never of links."""

from signal import SIGKILL, SIGSTOP
from typing import TYPE_CHECKING, Final

from raysim.faults import Fault, PlannedFault
from raysim.faults.processes import (
    DrainNode,
    KillActor,
    KillNode,
    KillRaylet,
    KillWorker,
    PauseActor,
    PauseNode,
    PauseRaylet,
    PauseWorker,
    RestartNode,
)
from raysim_cluster.control import Done, Drain, FindActors, GoOn, SignalWorker, StopWorkers
from raysim_cluster.faults.effect import Effect, Perform, Told

if TYPE_CHECKING:
    from raysim_cluster.faults.nodes import Node
    from raysim_cluster.faults.strikes import Faults


def kill_node(faults: "Faults", planned: PlannedFault, fault: Fault, told: Told) -> None:
    """Its fork-server and its workers end with the process."""
    node = faults.nodes[planned.node]
    if not node.process.alive():
        told(_dead(node))
        return
    node.process.kill()
    told(Effect(node.name))


def restart_node(faults: "Faults", planned: PlannedFault, fault: RestartNode, told: Told) -> None:
    node = faults.nodes[planned.node]
    if node.process.alive():
        # Not what `heal` ends: the machine comes back in any case.
        faults.expect(fault.lasting, lambda: faults.come_back(node))
    kill_node(faults, planned, fault, told)


def drain_node(faults: "Faults", planned: PlannedFault, fault: DrainNode, told: Told) -> None:
    node = faults.nodes[planned.node]

    def asked(done: Done) -> None:
        told(Effect(node.name) if done.target else _dead(node))

    faults.order(node, Drain(fault.deadline or 0), asked)


def pause_node(faults: "Faults", planned: PlannedFault, fault: PauseNode, told: Told) -> None:
    """Its workers first: the node's process has them stopped."""
    node = faults.nodes[planned.node]

    def stopped(done: Done) -> None:
        if not done.target:
            told(_dead(node))
            return
        process, workers = node.process, faults.undo(node, GoOn(None))
        process.pause()

        def go_on() -> None:
            process.go_on()
            workers()

        told(Effect(node.name, go_on))

    faults.order(node, StopWorkers(), stopped)


def pause_raylet(faults: "Faults", planned: PlannedFault, fault: PauseRaylet, told: Told) -> None:
    node = faults.nodes[planned.node]
    if not node.process.alive():
        told(_dead(node))
        return
    node.process.pause()
    told(Effect(f"{node.name}/raylet", node.process.go_on))


def kill_worker(faults: "Faults", planned: PlannedFault, fault: KillWorker, told: Told) -> None:
    _signal(faults, faults.nodes[planned.node], SignalWorker(SIGKILL), told)


def pause_worker(faults: "Faults", planned: PlannedFault, fault: PauseWorker, told: Told) -> None:
    _signal(faults, faults.nodes[planned.node], SignalWorker(SIGSTOP), told)


def strike_actor(
    faults: "Faults", planned: PlannedFault, fault: KillActor | PauseActor, told: Told
) -> None:
    number = SIGKILL if isinstance(fault, KillActor) else SIGSTOP

    def found(done: Done) -> None:
        there = {node.node_id: node for node in faults.nodes}
        places = [place for place in done.actors if place.node_id in there]
        if not places:
            told(Effect("nobody, as no such actor lived"))
            return
        place = faults.rng("faults: actor").choice(places)
        node = there[place.node_id]
        _signal(faults, node, SignalWorker(number, place.worker_id), told)

    faults.order(faults.nodes[0], FindActors(fault.actor or ""), found)


def _signal(faults: "Faults", node: "Node", strike: SignalWorker, told: Told) -> None:
    def signalled(done: Done) -> None:
        if not done.target:
            told(Effect(f"{node.name}, which had no worker"))
        elif strike.signal == SIGSTOP:
            go_on = faults.undo(node, GoOn(done.tokens))
            told(Effect(f"{node.name}/{done.target}", go_on))
        else:
            told(Effect(f"{node.name}/{done.target}"))

    faults.order(node, strike, signalled)


def _dead(node: "Node") -> Effect:
    return Effect(f"{node.name}, which was dead already")


PERFORMED: Final[dict[type[Fault], Perform]] = {
    KillNode: kill_node,
    RestartNode: restart_node,
    DrainNode: drain_node,
    PauseNode: pause_node,
    KillRaylet: kill_node,
    PauseRaylet: pause_raylet,
    KillWorker: kill_worker,
    PauseWorker: pause_worker,
    KillActor: strike_actor,
    PauseActor: strike_actor,
}

"""Faults between processes: each puts a rule into force and takes it out again. Never carries a message."""

from typing import TYPE_CHECKING, Final

from raysim.faults import Fault, PlannedFault
from raysim.faults.links import (
    Bandwidth,
    Delay,
    Duplication,
    FailRpc,
    Isolate,
    Loss,
    Partition,
    Reordering,
)
from raysim_sim import disturbance as rules
from raysim_sim.costs import NO_LIMIT
from raysim_sim.faults.effect import Effect, Perform

if TYPE_CHECKING:
    from raysim_sim.disturbance import Cut, Mishap, Wait
    from raysim_sim.node import SimNode
    from raysim_sim.world import SimWorld


def delay(world: "SimWorld", planned: PlannedFault, fault: Delay) -> Effect:
    draws = world.streams.draws("faults: delay")
    nodes = _nodes(world, planned.nodes)
    rule = rules.delayed(nodes, fault.latency, fault.jitter, fault.message, draws)
    return _rule(world, _names(nodes), rule)


def loss(world: "SimWorld", planned: PlannedFault, fault: Loss) -> Effect:
    nodes = _nodes(world, planned.nodes)
    rule = rules.lossy(nodes, fault.rate, world.streams.draws("faults: loss"))
    return _rule(world, _names(nodes), rule)


def duplication(world: "SimWorld", planned: PlannedFault, fault: Duplication) -> Effect:
    draws = world.streams.draws("faults: duplication")
    rule = rules.doubled(world.network, fault.rate, fault.latency, fault.message, draws)
    return _rule(world, fault.message or "all that may", rule)


def reordering(world: "SimWorld", planned: PlannedFault, fault: Reordering) -> Effect:
    draws = world.streams.draws("faults: reordering")
    rule = rules.overtaken(world.network, fault.rate, fault.latency, fault.message, draws)
    return _rule(world, fault.message or "all that may", rule)


def fail_rpc(world: "SimWorld", planned: PlannedFault, fault: FailRpc) -> Effect:
    disturbance = world.faults.disturbance
    calls = rules.FailingCalls(
        world.network, fault.way, fault.message, fault.count, lambda: disturbance.end(rule)
    )
    rule = rules.Mishap(calls.takes)
    return _rule(world, f"{fault.way} of {fault.message or 'any request'}", rule)


def partition(world: "SimWorld", planned: PlannedFault, fault: Partition | Isolate) -> Effect:
    nodes, others = _nodes(world, planned.nodes), _nodes(world, planned.others)
    arrow = "to" if fault.one_way else "and"
    target = f"{_names(nodes)} {arrow} {_names(others)}"
    return _rule(world, target, rules.cut(nodes, others, fault.one_way))


def bandwidth(world: "SimWorld", planned: PlannedFault, fault: Bandwidth) -> Effect:
    nodes = _nodes(world, planned.nodes)
    if world.costs.bandwidth == NO_LIMIT:
        return Effect(f"{_names(nodes)}, whose links have no limit")
    for node in nodes:
        world.network.fabric.widen((node.link_out, node.link_in), fault.bandwidth)

    def undo() -> None:
        for node in nodes:
            world.network.fabric.widen((node.link_out, node.link_in), world.costs.bandwidth)

    return Effect(_names(nodes), undo)


def _rule(world: "SimWorld", target: str, rule: "Wait | Cut | Mishap") -> Effect:
    disturbance = world.faults.disturbance
    disturbance.begin(rule)
    return Effect(target, lambda: disturbance.end(rule))


def _nodes(world: "SimWorld", indexes: tuple[int, ...]) -> "list[SimNode]":
    return [world.nodes[index] for index in indexes]


def _names(nodes: "list[SimNode]") -> str:
    return "+".join(node.name for node in nodes)


PERFORMED: Final[dict[type[Fault], Perform]] = {
    Delay: delay,
    Bandwidth: bandwidth,
    Loss: loss,
    Duplication: duplication,
    Reordering: reordering,
    FailRpc: fail_rpc,
    Partition: partition,
    Isolate: partition,
}

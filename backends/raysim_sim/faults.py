"""Performs the faults of a run at their moments. Never decides which: see raysim.faults.plan."""

from typing import TYPE_CHECKING

from raysim.faults import Fault, KillNode, KillWorker, PlannedFault, plan_faults
from raysim.journal import FaultInjected
from raysim_sim.hosts import UserHost
from raysim_sim.node import SimNode

if TYPE_CHECKING:
    from raysim_sim.world import SimWorld


def plan(world: "SimWorld") -> list[PlannedFault]:
    """Every fault that the run was given, decided. Raises ValueError for one it cannot have."""
    given = world.options.faults
    open_ones = [fault for fault in given if isinstance(fault, Fault)]
    planned = [fault for fault in given if isinstance(fault, PlannedFault)]
    planned += plan_faults(
        open_ones,
        nodes=len(world.nodes),
        expected_makespan_ns=world.options.expected_makespan_ns,
        rng=world.streams.stream("faults: plan"),
    )
    return planned


def arm(world: "SimWorld", planned: list[PlannedFault]) -> None:
    """From now on the faults strike, each at its time from now."""
    for fault in planned:
        world.clock.expected += 1
        world.clock.call(fault.at_ns, _Strike(world, fault))


class _Strike:
    def __init__(self, world: "SimWorld", planned: PlannedFault) -> None:
        self._world = world
        self._planned = planned

    def __call__(self) -> None:
        world = self._world
        world.clock.expected -= 1
        world.clock.active_ns = world.clock.now_ns
        node = world.nodes[self._planned.node]
        match self._planned.fault:
            case KillNode():
                target = _kill_node(world, node)
            case KillWorker():
                target = _kill_worker(world, node)
            case other:
                raise AssertionError(f"the simulator does not perform {other}")
        kind = str(self._planned.fault.__struct_config__.tag)
        world.journal_note("faults", FaultInjected(kind, target))


def _kill_node(world: "SimWorld", node: SimNode) -> str:
    if not node.alive:
        return f"{node.name}, which was dead already"
    node.lose_power(world.options.connection_resets)
    return node.name


def _kill_worker(world: "SimWorld", node: SimNode) -> str:
    workers = [host for host in node.users if host is not world.users.driver]
    if not node.alive or not workers:
        return f"{node.name}, which had no worker"
    busy: list[UserHost] = [host for host in workers if host.busy]
    victim = world.streams.stream("faults: worker").choice(busy or workers)
    node.process_ended(victim, "killed by a fault")
    return victim.name

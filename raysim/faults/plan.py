"""When and where each fault of a run strikes. Never performs one, never draws unseeded."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from raysim.faults.model import Fault, KillNode, KillWorker


class PlannedFault(msgspec.Struct, frozen=True):
    """A fault whose moment and node are decided: nanoseconds from the workload's start."""

    at_ns: int
    node: int
    fault: Fault


def plan_faults(
    faults: Sequence[Fault], *, nodes: int, expected_makespan_ns: int | None, rng: Random
) -> tuple[PlannedFault, ...]:
    """Decide every fault, in order of time; a node that is already planned to die is not drawn.

    Raises ValueError for a fault that this cluster cannot have.
    """
    assert nodes > 0, f"a cluster needs a node, not {nodes}"
    dead: set[int] = set()
    planned: list[PlannedFault] = []
    moments = [(fault.at.resolve(expected_makespan_ns), fault) for fault in faults]
    for fault in faults:
        if isinstance(fault, KillNode) and fault.node is not None:
            dead.add(fault.node)
    for at_ns, fault in sorted(moments, key=lambda moment: moment[0]):
        node = _decide_node(fault, nodes, dead, rng)
        planned.append(PlannedFault(at_ns=at_ns, node=node, fault=fault))
    return tuple(planned)


def _decide_node(fault: Fault, nodes: int, dead: set[int], rng: Random) -> int:
    match fault:
        case KillNode(node=0):
            raise ValueError(
                f"{fault}: node 0 is the head and holds the GCS and the driver; name another node"
            )
        case KillNode(node=None):
            node = _draw(fault, range(1, nodes), dead, rng)
            dead.add(node)
            return node
        case KillWorker(node=None):
            return _draw(fault, range(nodes), dead, rng)
        case KillNode(node=node) | KillWorker(node=node) if node is not None:
            if node < nodes:
                return node
            known = f"its nodes are 0 to {nodes - 1}"
            raise ValueError(f"{fault}: the cluster has no node {node}; {known}")
    raise AssertionError(f"no plan for {fault}")


def _draw(fault: Fault, choices: range, dead: set[int], rng: Random) -> int:
    alive = [node for node in choices if node not in dead]
    if not alive:
        raise ValueError(f"{fault}: no node is left for it; add nodes or drop the fault")
    return rng.choice(alive)

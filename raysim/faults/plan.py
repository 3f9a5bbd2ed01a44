"""When and where each fault of a run strikes. Never performs one, never draws unseeded."""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

import msgspec

from raysim.faults.links import Isolate, Partition
from raysim.faults.model import ANY, HALF, HEAD, REST, Fault
from raysim.faults.processes import KillNode, RestartGcs

NOBODY = -1


class PlannedFault(msgspec.Struct, frozen=True):
    """A fault whose moment and nodes are decided: nanoseconds from the workload's start, or from its event."""

    at_ns: int
    node: int
    """NOBODY for a kind that strikes no node."""
    fault: Fault
    nodes: tuple[int, ...] = ()
    """Of a kind that strikes several."""
    others: tuple[int, ...] = ()


def fault_of(given: Fault | PlannedFault) -> Fault:
    """Whether it is decided already or not."""
    return given.fault if isinstance(given, PlannedFault) else given


def read_faults(value: object) -> tuple[Fault | PlannedFault, ...]:
    """What `init(world={"faults": ...})` was given. Raises TypeError for what is no list of faults."""
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"faults={value!r} is not a list of faults")
    for fault in value:
        if not isinstance(fault, (Fault, PlannedFault)):
            raise TypeError(f"{fault!r} is not a fault; make it with raysim.faults.parse_fault")
    return tuple(value)


def plan_faults(
    faults: Sequence[Fault],
    *,
    nodes: int,
    expected_makespan_ns: int | None,
    rng: Random,
    names: Sequence[str] = (),
) -> tuple[PlannedFault, ...]:
    """Decide every fault, in order of time; a node that is already planned to die is not drawn.

    `names` are those of the nodes, by default `node-0` and so on.
    Raises ValueError for a fault that this cluster cannot have.
    """
    assert nodes > 0, f"a cluster needs a node, not {nodes}"
    plan = _Plan(nodes, rng, names or [f"node-{index}" for index in range(nodes)])
    moments = [(fault.at.resolve(expected_makespan_ns), fault) for fault in faults]
    for fault in faults:
        _check(fault)
        if isinstance(fault, KillNode) and fault.node is not None:
            plan.dead.add(plan.named(fault, fault.node))
    ordered = sorted(moments, key=lambda moment: (moment[1].at.event != "", moment[0]))
    return tuple(plan.decide(at_ns, fault) for at_ns, fault in ordered)


def scaled(planned: PlannedFault, factor: float) -> PlannedFault:
    """The same where all durations are multiplied by `factor`."""
    fault = planned.fault
    durations = {
        name: round(value * factor)
        for name in ("lasting", "latency", "jitter")
        if (value := getattr(fault, name, None)) is not None
    }
    return msgspec.structs.replace(
        planned,
        at_ns=round(planned.at_ns * factor),
        fault=msgspec.structs.replace(fault, **durations) if durations else fault,
    )


def _check(fault: Fault) -> None:
    if isinstance(fault, RestartGcs) and not fault.durable:
        raise ValueError(
            f"{fault}: a cluster ends when the tables of its GCS are gone, as with Ray; give durable=true"
        )


class _Plan:
    def __init__(self, nodes: int, rng: Random, names: Sequence[str]) -> None:
        self._nodes = nodes
        self._rng = rng
        self._names = list(names)
        self.dead: set[int] = set()

    def decide(self, at_ns: int, fault: Fault) -> PlannedFault:
        if isinstance(fault, Isolate):
            node = self._node(fault, fault.node)
            return PlannedFault(at_ns, node, fault, (node,), self._rest((node,)))
        if not hasattr(fault, "nodes"):
            node = self._node(fault, fault.node) if hasattr(fault, "node") else NOBODY
            return PlannedFault(at_ns, node, fault)
        group = self._group(fault, fault.nodes)
        others: tuple[int, ...] = ()
        if isinstance(fault, Partition):
            others = self._rest(group) if fault.others == REST else self._group(fault, fault.others)
            if not others or set(group) & set(others):
                raise ValueError(
                    f"{fault}: nodes {_list(group)} cannot be parted from {_list(others)}; "
                    "give two groups that share none"
                )
        return PlannedFault(at_ns, NOBODY, fault, group, others)

    def _node(self, fault: Fault, given: int | str | None) -> int:
        if given is not None:
            node = self.named(fault, given)
        else:
            node = self._draw(fault, range(0 if fault.may_draw_head else 1, self._nodes))
        if isinstance(fault, KillNode):
            self.dead.add(node)
        return node

    def named(self, fault: Fault, given: int | str) -> int:
        if given == HEAD:
            given = 0
        if isinstance(given, str):
            if given not in self._names:
                known = f"its nodes are {', '.join(self._names)}"
                raise ValueError(f"{fault}: the cluster has no node {given!r}; {known}")
            given = self._names.index(given)
        if given == 0 and fault.spares_head:
            raise ValueError(
                f"{fault}: node 0 is the head and holds the GCS and the driver; name another node"
            )
        if given >= self._nodes:
            known = f"its nodes are 0 to {self._nodes - 1}"
            raise ValueError(f"{fault}: the cluster has no node {given}; {known}")
        return given

    def _group(self, fault: Fault, given: str) -> tuple[int, ...]:
        if given == ANY:
            return (self._draw(fault, range(self._nodes)),)
        if given == HALF:
            if self._nodes == 1:
                raise ValueError(f"{fault}: one node has no halves; add nodes or drop the fault")
            return tuple(sorted(self._rng.sample(range(self._nodes), self._nodes // 2)))
        if given == REST:
            raise ValueError(f"{fault}: `rest` is what is left of the nodes; name those first")
        parts = given.split("+")
        return tuple(self.named(fault, int(part) if part.isdigit() else part) for part in parts)

    def _rest(self, group: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(node for node in range(self._nodes) if node not in group)

    def _draw(self, fault: Fault, choices: range) -> int:
        alive = [node for node in choices if node not in self.dead]
        if not alive:
            raise ValueError(f"{fault}: no node is left for it; add nodes or drop the fault")
        return self._rng.choice(alive)


def _list(nodes: tuple[int, ...]) -> str:
    return ", ".join(map(str, nodes)) or "nobody"

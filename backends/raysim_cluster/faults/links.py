"""Faults between processes: rules for each node, which its processes obey. Never carries a message."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeAlias

from raysim.faults import Fault, PlannedFault
from raysim.faults.links import Delay, Isolate, Partition
from raysim_cluster.control import SetLinks
from raysim_cluster.disturbed import LinkRule
from raysim_cluster.faults.effect import Effect, Perform, Told

if TYPE_CHECKING:
    from raysim_cluster.faults.nodes import Node
    from raysim_cluster.faults.strikes import Faults

Rule: TypeAlias = Callable[["Node", "Node"], LinkRule | None]
"""What becomes of that which goes from a node to another, or within one."""


def delay(faults: "Faults", planned: PlannedFault, fault: Delay, told: Told) -> None:
    def rule(source: "Node", target: "Node") -> LinkRule | None:
        within = source is target
        if not {source.index, target.index} & set(planned.nodes) or (within and not fault.message):
            return None
        kind = fault.message or ""
        return LinkRule(source.node_id, False, fault.latency, fault.jitter, kind)

    _begin(faults, rule, _names(faults, planned.nodes), told)


def partition(
    faults: "Faults", planned: PlannedFault, fault: Partition | Isolate, told: Told
) -> None:
    def rule(source: "Node", target: "Node") -> LinkRule | None:
        ways = [(source.index, target.index)]
        if not fault.one_way:
            ways.append((target.index, source.index))
        cut = any(one in planned.nodes and other in planned.others for one, other in ways)
        return LinkRule(source.node_id, cut=True) if cut else None

    arrow = "to" if fault.one_way else "and"
    nodes, others = _names(faults, planned.nodes), _names(faults, planned.others)
    _begin(faults, rule, f"{nodes} {arrow} {others}", told)


def rules_for(target: "Node", nodes: "list[Node]", rules: list[Rule]) -> list[LinkRule]:
    """What its processes are to obey."""
    found = [rule(source, target) for rule in rules for source in nodes]
    return [rule for rule in found if rule is not None]


def tell(faults: "Faults", then: Callable[[], None]) -> None:
    """Every node of the rules in force; `then`, when all that run have answered."""
    orders = [
        (node, SetLinks(rules_for(node, faults.nodes, faults.rules))) for node in faults.nodes
    ]
    faults.order_all(orders, then)


def _begin(faults: "Faults", rule: Rule, target: str, told: Told) -> None:
    def end() -> None:
        faults.rules.remove(rule)
        tell(faults, lambda: None)

    faults.rules.append(rule)
    tell(faults, lambda: told(Effect(target, end)))


def _names(faults: "Faults", indexes: tuple[int, ...]) -> str:
    return "+".join(faults.nodes[index].name for index in indexes)


PERFORMED: Final[dict[type[Fault], Perform]] = {
    Delay: delay,
    Partition: partition,
    Isolate: partition,
}

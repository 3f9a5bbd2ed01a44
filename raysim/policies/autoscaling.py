"""Which nodes a cluster lacks for what waits. Never starts one: see gcs/autoscaler.

Ray's way; for others see scaling. Source: Ray's `resource_demand_scheduler.py`. What waits is packed
into what is there and on its way, heavy demands first; for the rest, nodes of the type that it uses best
are added, one by one. A group's bundles are demands like others, but STRICT_PACK is one demand, and
STRICT_SPREAD takes a node for each bundle.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from raysim.spec.autoscaling import AutoscalingSpec, Demand, NodeType, Supply
from raysim.spec.labels import matches
from raysim.spec.placement_group import GroupSpec, GroupStrategy
from raysim.spec.resources import GPU, UNITS, Resources, fits, subtract, total

FIRST_LAUNCHES = 5
"""Nodes of a type that may be on their way at once, however few run. Ray: `UPSCALING_INITIAL_NUM_NODES`."""

Score: TypeAlias = tuple[bool, int, float, float]


def nodes_to_launch(
    demands: Iterable[Demand],
    groups: Iterable[tuple[GroupSpec, Sequence[int]]],
    running: Sequence[Supply],
    launching: Sequence[Supply],
    spec: AutoscalingSpec,
    unavailable: Iterable[str] = (),
) -> dict[str, int]:
    """How many nodes of which type to start.

    `groups`: each with the indexes of its bundles that have no place. `unavailable`: types that cannot be
    had now.
    """
    plan = _Plan(running, launching, spec, set(unavailable))
    plan.fill_up()
    waiting: list[Demand] = []
    for group, missing in groups:
        if group.strategy is GroupStrategy.STRICT_SPREAD:
            plan.spread([_bundle(group, index) for index in missing])
        else:
            waiting += _demands_of(group, missing)
    waiting += demands
    plan.pack(waiting)
    return plan.limited()


def lacks_room(demands: Iterable[Demand], nodes: Sequence[Supply]) -> list[Demand]:
    """Those of the demands that have no room on these nodes now, heavy ones first."""
    free = [Supply(dict(one.available), one.labels) for one in nodes]
    return _without_room(sorted(demands, key=_weight, reverse=True), free)


def _demands_of(group: GroupSpec, missing: Sequence[int]) -> list[Demand]:
    if group.strategy is GroupStrategy.STRICT_PACK:
        first = _bundle(group, missing[0])
        return [Demand(total(group.bundles[index] for index in missing), first.selectors)]
    return [_bundle(group, index) for index in missing]


def _bundle(group: GroupSpec, index: int) -> Demand:
    selectors = (group.selectors[index],) if group.selectors and group.selectors[index] else ()
    return Demand(group.bundles[index], selectors)


class _Plan:
    """Nodes there are, nodes on their way, and those to start, while demands are put into them."""

    def __init__(
        self,
        running: Sequence[Supply],
        launching: Sequence[Supply],
        spec: AutoscalingSpec,
        unavailable: set[str],
    ) -> None:
        self._spec = spec
        self._unavailable = unavailable
        self._running = _count(running)
        self._launching = _count(launching)
        self._nodes = [Supply(dict(one.available), one.labels) for one in (*running, *launching)]
        self.added: dict[str, int] = {}

    def fill_up(self) -> None:
        """Each type has its least number."""
        for kind in self._spec.node_types:
            while self._number(kind.name) < kind.min_workers and self._may_add(kind):
                self._add(kind)

    def pack(self, demands: Iterable[Demand]) -> None:
        left = _without_room(sorted(demands, key=_weight, reverse=True), self._nodes)
        while left:
            kind = self._best(left)
            if kind is None:
                return  # Nothing that may be started helps any of them.
            self._add(kind)
            left = _without_room(left, self._nodes[-1:])

    def spread(self, bundles: Sequence[Demand]) -> None:
        """A node of its own for each."""
        used: list[Supply] = []
        for bundle in sorted(bundles, key=_weight, reverse=True):
            free = [node for node in self._nodes if not any(node is one for one in used)]
            node = next((node for node in free if _room(bundle, node)), None)
            if node is None:
                kind = self._best([bundle])
                if kind is None:
                    return
                node = self._add(kind)
            subtract(node.available, bundle.resources)
            used.append(node)

    def limited(self) -> dict[str, int]:
        """No more at once than the speed allows; the others come once these have."""
        result: dict[str, int] = {}
        for name, count in self.added.items():
            running = self._running.get(name, 0)
            most = max(FIRST_LAUNCHES, int(self._spec.upscaling_speed * max(running, 1)))
            kind = self._spec.type_of(name)
            least = kind.min_workers - running if kind is not None else 0
            allowed = min(count, max(most, least) - self._launching.get(name, 0))
            if allowed > 0:
                result[name] = allowed
        return result

    def _best(self, demands: Sequence[Demand]) -> NodeType | None:
        best: NodeType | None = None
        highest: Score | None = None
        for kind in self._spec.node_types:
            score = _score(kind, demands) if self._may_add(kind) else None
            if score is not None and (highest is None or score > highest):
                best, highest = kind, score
        return best

    def _may_add(self, kind: NodeType) -> bool:
        workers = (self._running, self._launching, self.added)
        everything = sum(count for one in workers for name, count in one.items() if name)
        return (
            kind.name not in self._unavailable
            and self._number(kind.name) < kind.max_workers
            and everything < self._spec.max_workers
        )

    def _number(self, name: str) -> int:
        return sum(one.get(name, 0) for one in (self._running, self._launching, self.added))

    def _add(self, kind: NodeType) -> Supply:
        node = Supply(dict(kind.resources), kind.labels, kind.name)
        self._nodes.append(node)
        self.added[kind.name] = self.added.get(kind.name, 0) + 1
        return node


def _count(nodes: Iterable[Supply]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for node in nodes:
        counts[node.node_type] = counts.get(node.node_type, 0) + 1
    return counts


def _weight(demand: Demand) -> tuple[int, int, list[tuple[str, int]]]:
    """Those of many kinds of resources first, then the heavy ones."""
    resources = demand.resources
    return len(resources), sum(resources.values()), sorted(resources.items())


def _room(demand: Demand, node: Supply) -> bool:
    return fits(demand.resources, node.available) and _allowed(demand, node.labels)


def _allowed(demand: Demand, labels: Mapping[str, str]) -> bool:
    selectors = demand.selectors
    return not selectors or any(matches(one, labels) for one in selectors)


def _without_room(demands: Iterable[Demand], nodes: Sequence[Supply]) -> list[Demand]:
    """What is left once as much as fits was taken out of the nodes."""
    left: list[Demand] = []
    for demand in demands:
        count = demand.count
        for node in nodes:
            if not count:
                break
            if _allowed(demand, node.labels):
                count -= _take(demand.resources, count, node.available)
        if count:
            left.append(Demand(demand.resources, demand.selectors, count))
    return left


def _take(need: Resources, count: int, available: Resources) -> int:
    """How many of them fit, at most `count`; they are taken out."""
    most = [available.get(name, 0) // units for name, units in need.items() if units]
    taken = max(0, min([count, *most]))
    for name, units in need.items():
        if taken:
            available[name] = available.get(name, 0) - units * taken
    return taken


def _score(kind: NodeType, demands: Sequence[Demand]) -> Score | None:
    """How well these would use a node of the type; None: it helps none of them.

    GPU nodes are kept from what needs no GPU; then it counts how many of the wanted kinds of resources it
    has, then how full its emptiest one gets, then how full all of them get.
    """
    left = dict(kind.resources)
    helped = False
    for demand in demands:
        if _allowed(demand, kind.labels) and _take(demand.resources, demand.count, left):
            helped = True
    if not helped:
        return None
    wanted = {name for demand in demands for name, units in demand.resources.items() if units}
    used: list[float] = []
    matching = 0
    for name, units in kind.resources.items():
        if units >= UNITS:
            matching += name in wanted
            share = (units - left[name]) / units
            used.append(units / UNITS * share**3)
    if not used:
        return None
    gpu_ok = not kind.resources.get(GPU) or GPU in wanted
    return gpu_ok, matching, min(used), sum(used) / len(used)

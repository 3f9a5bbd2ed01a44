"""Which nodes an autoscaler starts, and which idle ones it lets go, by name: `target_utilization(target=0.7)`.

Never starts or ends one: see gcs/autoscaler. How demands are packed into nodes: see autoscaling.
"""

from collections.abc import Iterable, Sequence
from math import ceil
from types import MappingProxyType
from typing import Final, Protocol

import msgspec

from raysim.policies.autoscaling import lacks_room, nodes_to_launch
from raysim.policies.catalogue import Catalogue
from raysim.spec.autoscaling import AutoscalingSpec, Demand, NodeType, Supply
from raysim.spec.labels import matches
from raysim.spec.placement_group import GroupSpec
from raysim.spec.resources import CPU, GPU, UNITS, Resources, fits, total


class Situation(msgspec.Struct):
    """What an autoscaler sees when it looks. To be looked at only."""

    demands: Sequence[Demand]
    """What waits."""
    groups: Sequence[tuple[GroupSpec, Sequence[int]]]
    """Each with the indexes of its bundles that have no place."""
    running: Sequence[Supply]
    launching: Sequence[Supply]
    spec: AutoscalingSpec
    unavailable: Sequence[str] = ()
    """Types that cannot be had now."""


class Scaling(Protocol):
    """One object per cluster."""

    name: str

    def launch(self, situation: Situation) -> dict[str, int]:
        """How many nodes of which type to start, within the limits of `situation.spec`."""

    def may_leave(self, node: Supply, running: Sequence[Supply]) -> bool:
        """Whether the cluster can do without this node, which has been idle for as long as the time-out says.
        `running` has it as well."""


class BinPacking:
    """Ray's: as many nodes as what waits fills, heavy demands first; an idle one may go."""

    name = "bin_packing"

    def launch(self, situation: Situation) -> dict[str, int]:
        return _packed(situation, situation.demands, situation.groups)

    def may_leave(self, node: Supply, running: Sequence[Supply]) -> bool:
        return True


class TargetUtilization:
    """As many nodes as are used to the share `target` (Lorido-Botran, Miguel-Alonso, Lozano, J. Grid Computing 2014;
    Kubernetes' HorizontalPodAutoscaler): capacity is what is in use by the target, unless it is `tolerance` near.

    A queue of short tasks makes it grow step by step, not by all that waits. Of what waits it counts placement groups,
    which need room at once, and what no node could ever run; for the rest it starts a node at a time where nothing
    else is on its way. Raises ValueError for a target that is no share.
    """

    name = "target_utilization"

    def __init__(self, target: float = 0.7, tolerance: float = 0.1) -> None:
        if not 0 < target <= 1:
            raise ValueError(f"target is a share, more than 0 and at most 1, not {target:g}")
        if tolerance < 0:
            raise ValueError(f"tolerance is a share, at least 0, not {tolerance:g}")
        self._target = target
        self._tolerance = tolerance

    def launch(self, situation: Situation) -> dict[str, int]:
        there = [*situation.running, *situation.launching]
        homeless = [
            one for one in situation.demands if not any(_could(one, node) for node in there)
        ]
        found = _packed(situation, homeless, situation.groups)
        lacking = self._lacking(situation, [*there, *_supplies(found, situation.spec)])
        for name, count in _for_units(situation, lacking, found).items():
            found[name] = found.get(name, 0) + count
        if not found and not situation.launching:
            stuck = lacks_room(situation.demands, situation.running)
            one = [msgspec.structs.replace(demand, count=1) for demand in stuck[:1]]
            return _packed(situation, one, ())
        return found

    def _lacking(self, situation: Situation, there: Sequence[Supply]) -> Resources:
        """Units of each resource, to have of it what is in use by the target."""
        offered = total(node.total for node in there)
        found: Resources = {}
        for name, used in _used(situation.running).items():
            wanted = used / self._target
            if name in (CPU, GPU) and wanted > offered.get(name, 0) * (1 + self._tolerance):
                found[name] = ceil(wanted - offered.get(name, 0))
        return found

    def may_leave(self, node: Supply, running: Sequence[Supply]) -> bool:
        offered = total(one.total for one in running)
        return all(
            units <= self._target * (offered[name] - node.total.get(name, 0))
            for name, units in _used(running).items()
            if node.total.get(name)
        )


def _packed(
    situation: Situation,
    demands: Iterable[Demand],
    groups: Iterable[tuple[GroupSpec, Sequence[int]]],
) -> dict[str, int]:
    return nodes_to_launch(
        demands,
        groups,
        situation.running,
        situation.launching,
        situation.spec,
        situation.unavailable,
    )


def _for_units(situation: Situation, lacking: Resources, found: dict[str, int]) -> dict[str, int]:
    """Nodes that offer so much more, besides those that were found: these and all others count as full."""
    asked = [Demand({name: UNITS}, (), ceil(units / UNITS)) for name, units in lacking.items()]
    if not asked:
        return {}
    running = [_full(node) for node in situation.running]
    launching = [_full(node) for node in (*situation.launching, *_supplies(found, situation.spec))]
    return nodes_to_launch(asked, [], running, launching, situation.spec, situation.unavailable)


def _full(node: Supply) -> Supply:
    return Supply({}, node.labels, node.node_type, node.total)


def _supplies(counts: dict[str, int], spec: AutoscalingSpec) -> list[Supply]:
    kinds = [(spec.type_of(name), count) for name, count in counts.items()]
    return [new_supply(kind) for kind, count in kinds if kind is not None for _ in range(count)]


def new_supply(kind: NodeType) -> Supply:
    """A node of this type, as it will be when it runs."""
    return Supply(dict(kind.resources), kind.labels, kind.name, kind.resources)


def _used(running: Sequence[Supply]) -> Resources:
    found: Resources = {}
    for node in running:
        for name, units in node.total.items():
            found[name] = found.get(name, 0) + units - node.available.get(name, 0)
    return found


def _could(demand: Demand, node: Supply) -> bool:
    """Whether the node could ever run one of them."""
    selectors = demand.selectors
    allowed = not selectors or any(matches(one, node.labels) for one in selectors)
    return allowed and fits(demand.resources, node.total)


SCALINGS: Final[Catalogue[Scaling]] = Catalogue(
    "autoscaling policy",
    "raysim.scalings",
    "target_utilization(target=0.7)",
    ("launch",),
    MappingProxyType({made.name: made for made in (BinPacking, TargetUtilization)}),
)

create_scaling = SCALINGS.create

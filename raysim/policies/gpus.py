"""How full nodes with GPUs are packed, as compared with FGD: best fit, dot product, packing, clustering.

Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
Descent", USENIX ATC 2023, and its simulator (hkust-adsl/kubernetes-scheduler-simulator): scores are whole
numbers of at most 100, and of equal nodes the first is taken. Quantities are shares of its largest node.
"""

from collections.abc import Mapping
from random import Random

from raysim.policies.scored import Scored
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import CPU, GPU, UNITS, Resources

BEST = 100
"""The highest score. Kubernetes: `MaxNodeScore`."""

CORES = 128 * UNITS
GPUS = 8 * UNITS
"""Of the largest node there."""


class GpuBestFit(Scored):
    """The node that has least left of cores and GPUs, each as a share of the largest node's."""

    name = "gpu_best_fit"

    def score(self, need: Resources, view: NodeView) -> float:
        cores = view.available.get(CPU, 0) - need.get(CPU, 0)
        gpus = view.available.get(GPU, 0) - need.get(GPU, 0)
        return -int(BEST * (1 - (cores / CORES + gpus / GPUS) / 2))


class GpuDotProduct(Scored):
    """The node with the smallest dot product of what is free and what is asked for."""

    name = "gpu_dot_product"

    def score(self, need: Resources, view: NodeView) -> float:
        cores = view.available.get(CPU, 0) / CORES * (need.get(CPU, 0) / CORES)
        gpus = view.available.get(GPU, 0) / GPUS * (need.get(GPU, 0) / GPUS)
        return -int(BEST * (1 - (cores + gpus) / 2))


class GpuPacking(Scored):
    """GPUs in use first, then free ones of nodes in use, then nodes with few GPUs."""

    name = "gpu_packing"

    def score(self, need: Resources, view: NodeView) -> float:
        units = need.get(GPU, 0)
        gpus = view.gpus
        if not units or not gpus:
            return 0
        free = gpus.count(UNITS)
        if free == len(gpus):
            return -max(BEST // 3 - free, free)
        whole = units // UNITS
        if whole:
            return -max(BEST // 2 - whole, BEST // 3)
        least = min(one for one in gpus if one >= units)
        if least == UNITS:
            return -max(BEST // 2 - 1, BEST // 3)
        return -max(BEST - least * 100 // UNITS // 10, BEST // 2)


class GpuClustering(Scored):
    """Nodes where requests for as many GPUs run, those where no others run first; then empty ones; then any."""

    name = "gpu_clustering"

    def __init__(self) -> None:
        super().__init__()
        self._kinds: dict[NodeId, frozenset[int]] = {}
        """Of what this object sent there since it last chose the node with all its GPUs free."""

    def score(self, need: Resources, view: NodeView) -> float:
        units = need.get(GPU, 0)
        gpus = view.gpus
        if not units or not gpus:
            return 0
        kinds = self._kinds_on(view)
        group = (2 + (len(kinds) == 1)) if _kind(units) in kinds else int(not kinds)
        used = BEST // 4 * (GPUS - sum(gpus)) // GPUS
        return -(BEST // 4 * group + used)

    def _kinds_on(self, view: NodeView) -> frozenset[int]:
        if view.gpus.count(UNITS) == len(view.gpus):
            return frozenset()
        return self._kinds.get(view.address.node_id, frozenset())

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        found = super().pick(need, nodes, local, rng)
        if found is not None and need.get(GPU) and has_room(need, nodes[found]):
            kinds = self._kinds_on(nodes[found]) | {_kind(need[GPU])}
            if kinds != self._kinds.get(found):
                self._kinds[found] = kinds
                self.rankings.again(found, nodes)  # Its view may be the same for long.
        return found


def _kind(units: int) -> int:
    """So many GPUs; 0: a share of one."""
    return units // UNITS

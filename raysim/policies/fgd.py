"""Fragmentation gradient descent: the node and the GPU where what stays free is of most use. Never draws.

Source: Weng et al., "Beware of Fragmentation: Scheduling GPU-Sharing Workloads with Fragmentation Gradient
Descent", USENIX ATC 2023, and its simulator (hkust-adsl/kubernetes-scheduler-simulator) for its scores: whole
numbers, so that nodes that differ little are equal, and the first of them is taken. A finer score packs worse.
"""

from collections.abc import Mapping
from math import exp
from random import Random

from raysim.policies.fragments import Fragments, Shape
from raysim.policies.scored import Scored
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import CPU, GPU, UNITS, Resources

BEST = 100
"""The highest score. Kubernetes: `MaxNodeScore`."""

GROWTH = 2
"""What is typical is reckoned again when so many times as many requests were seen as before. Ours."""


class Fgd(Scored):
    """What is of use is judged by the requests that this object has seen: the paper's target workload."""

    name = "fgd"

    def __init__(self) -> None:
        super().__init__()
        self._seen: dict[Shape, int] = {}
        self._count = 0
        self._due = 1
        self._fragments = Fragments({})

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        shape = need.get(CPU, 0), need.get(GPU, 0)
        self._seen[shape] = self._seen.get(shape, 0) + 1
        self._count += 1
        if self._count >= self._due:
            self._due = self._count * GROWTH
            self._fragments = Fragments(self._seen)
            self.rankings.forget()
        return super().pick(need, nodes, local, rng)

    def score(self, need: Resources, view: NodeView) -> float:
        return self._best(need, view)[0]

    def pick_gpus(self, need: Resources, view: NodeView, rng: Random) -> tuple[int, ...]:
        return self._best(need, view)[1]

    def _best(self, need: Resources, view: NodeView) -> tuple[int, tuple[int, ...]]:
        """Of the GPUs that it could have there: the score, and which these are."""
        free = view.available.get(CPU, 0)
        cores = free - need.get(CPU, 0)
        gpus = view.gpus
        fragments = self._fragments.of
        before = fragments(free, gpus)
        choices = _choices(need.get(GPU, 0), gpus)
        return min((_score(fragments(cores, left) - before), numbers) for left, numbers in choices)


def _choices(units: int, gpus: tuple[int, ...]) -> list[tuple[tuple[int, ...], tuple[int, ...]]]:
    """What would be free of each GPU, and the numbers of those that are taken. Of GPUs that are alike the first."""
    if not units or not gpus:
        return [(gpus, ())]
    if units >= UNITS:
        numbers = tuple(i for i, free in enumerate(gpus) if free == UNITS)[: units // UNITS]
        return [(tuple(0 if i in numbers else free for i, free in enumerate(gpus)), numbers)]
    alike = {free: i for i, free in reversed(list(enumerate(gpus))) if free >= units}
    return [((*gpus[:i], free - units, *gpus[i + 1 :]), (i,)) for free, i in alike.items()]


def _score(more: float) -> int:
    """Of so much more that is of no use, in units of a GPU: the lower the better."""
    return -int(BEST / (1 + exp(more / UNITS)))

"""By how busy nodes are: least loaded; and none at all (random), which others are measured by. Neither probes.

Each chooses among the nodes with room now, as long as there are any: see queueing for the other way.
"""

from collections.abc import Mapping
from random import Random

from raysim.policies.ranking import Rankings
from raysim.policies.scores import best_with_room, used, with_room
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView, has_room
from raysim.spec.resources import GPU, UNITS, Resources


class LeastLoaded:
    """The node whose scarcest resource is least used."""

    name = "least_loaded"

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        return best_with_room(need, nodes, lambda view: -used(view))


class RandomNode:
    """Any node, each as likely, and of its GPUs any: what every other policy has to be better than."""

    name = "random"

    def __init__(self) -> None:
        self._rankings = Rankings(lambda need, view: 0)
        """All alike: only who has room."""

    def pick(
        self, need: Resources, nodes: Mapping[NodeId, NodeView], local: NodeId, rng: Random
    ) -> NodeId | None:
        others = self._rankings.others(need, nodes, local)
        here = nodes.get(local)
        own = here is not None and has_room(need, here)
        if not others and not own:
            able = with_room(need, nodes)
            return rng.choice(able) if able else None
        drawn = rng.randrange(len(others) + own)
        return others[drawn][2] if drawn < len(others) else local

    def pick_gpus(self, need: Resources, view: NodeView, rng: Random) -> tuple[int, ...]:
        units = need.get(GPU, 0)
        if units >= UNITS:
            return ()  # Whole ones are alike.
        return (rng.choice([i for i, free in enumerate(view.gpus) if free >= units]),)

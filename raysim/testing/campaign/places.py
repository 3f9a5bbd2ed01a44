"""Where a program's tasks and actors may run: by labels, by name, spread. Never a place that the head is not.

The head is the one node that no fault takes for good, so nothing waits for ever: it has no label, and
labels are what is ruled out, but where another choice follows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import raysim as ray
from raysim.testing.campaign.operations import Op, Program
from raysim.util.scheduling_strategies import (
    DoesNotExist,
    NodeAffinitySchedulingStrategy,
    NodeLabelSchedulingStrategy,
    NotIn,
)

LABELS: Final[tuple[Mapping[str, str], ...]] = (
    {"disk": "hdd"},
    {"zone": "b"},
    {"disk": "hdd", "zone": "b"},
)
"""Of nodes beside the head."""


class Places:
    """Options of calls. Knows the nodes that there are at the start, where the program names one."""

    def __init__(self, program: Program) -> None:
        self._nodes: list[str] = []
        if any(op.place in _BY_NODE for op in program):
            self._nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]

    def options(self, op: Op) -> dict[str, Any]:
        if op.place in _BY_NODE:
            return {"scheduling_strategy": _BY_NODE[op.place](self._nodes, op.number)}
        return _OPTIONS[op.place]


def _only_head(nodes: list[str], _: int) -> NodeAffinitySchedulingStrategy:
    return NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)


def _near(nodes: list[str], number: int) -> NodeAffinitySchedulingStrategy:
    """Which may be dead by then, or busy."""
    spill = number % 2 == 1
    return NodeAffinitySchedulingStrategy(
        nodes[number % len(nodes)], soft=True, _spill_on_unavailable=spill
    )


_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "": {},
    "no hdd": {"label_selector": {"disk": "!hdd"}},
    "not in b": {"label_selector": {"zone": "!in(b,c)"}},
    "best in b": {
        "label_selector": {"zone": "b"},
        "fallback_strategy": [{"label_selector": {"disk": "!hdd"}}],
    },
    "hard labels": {
        "scheduling_strategy": NodeLabelSchedulingStrategy(
            {"zone": DoesNotExist()}, soft={"disk": NotIn("hdd")}
        )
    },
    "spread": {"scheduling_strategy": "SPREAD"},
}
_BY_NODE: Final[dict[str, Callable[[list[str], int], Any]]] = {"head": _only_head, "near": _near}

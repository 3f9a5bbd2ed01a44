"""Nodes by how many requests they could take, kept up to date with their views. Never a decision."""

from collections.abc import Collection, Iterable, Mapping
from heapq import heappop, heappush
from typing import Final, NamedTuple

from raysim.policies.base import Nodes
from raysim.spec.ids import NodeId
from raysim.spec.node import NodeView
from raysim.spec.resources import Resources, fits

SHAPES: Final = 32
"""Shapes of requests whose loads are kept. Ours."""

STALE: Final = 4
"""Times as many places as nodes, at which those that are no longer true are thrown away. Ours."""


def load(need: Resources, queued: int, available: Resources) -> int:
    """Requests that wait; where none does, minus those of this need for which there is room."""
    if queued:
        return queued
    return -min(
        (available.get(name, 0) // units for name, units in need.items() if units), default=0
    )


class _Place(NamedTuple):
    """Least load first, of equals the one that joined first."""

    load: int
    order: int
    node_id: NodeId


class Loads:
    """What is placed counts until the next view of its node, which shows it. Nodes `without` are left alone."""

    def __init__(self, without: Collection[NodeId] = ()) -> None:
        self._without = without
        self._shapes: dict[tuple[tuple[str, int], ...], _Shape] = {}

    def take(self, need: Resources, count: int, nodes: Mapping[NodeId, NodeView]) -> list[NodeId]:
        """One after the other, the node of least load, which then has one more."""
        key = tuple(need.items())
        shape = self._shapes.pop(key, None) if isinstance(nodes, Nodes) else None
        if shape is None:
            shape = _Shape(dict(need), self._without)
        if len(self._shapes) == SHAPES:
            del self._shapes[next(iter(self._shapes))]
        self._shapes[key] = shape
        shape.follow(nodes)
        return shape.take(count)


class _Shape:
    def __init__(self, need: Resources, without: Collection[NodeId]) -> None:
        self._need = need
        self._without = without
        self._seen = -1
        self._now: dict[NodeId, _Place] = {}
        self._heap: list[_Place] = []
        """With places that are no longer true, which are thrown away when they come up."""

    def follow(self, nodes: Mapping[NodeId, NodeView]) -> None:
        changed: Iterable[NodeId] | None = None
        order: Mapping[NodeId, int] = {}
        if isinstance(nodes, Nodes):
            changed, order = nodes.changed_since(self._seen), nodes.order
            self._seen = nodes.now
        if changed is None:
            self._now.clear()
            self._heap.clear()
            changed = nodes
        elif len(self._heap) > STALE * len(self._now):
            self._heap = sorted(self._now.values())
        order = order or {node_id: at for at, node_id in enumerate(nodes)}
        for node_id in dict.fromkeys(changed):
            self._look(node_id, nodes.get(node_id), order[node_id])

    def _look(self, node_id: NodeId, view: NodeView | None, order: int) -> None:
        self._now.pop(node_id, None)
        if view is None or node_id in self._without:
            return
        if fits(self._need, view.total):
            self._put(_Place(load(self._need, view.queued, view.available), order, node_id))

    def _put(self, place: _Place) -> None:
        self._now[place.node_id] = place
        heappush(self._heap, place)

    def take(self, count: int) -> list[NodeId]:
        found: list[NodeId] = []
        while self._now and len(found) < count:
            place = heappop(self._heap)
            if self._now.get(place.node_id) is place:
                found.append(place.node_id)
                self._put(place._replace(load=place.load + 1))
        return found

"""What the GCS and a raylet hold does not grow with what came and went: read from all their containers."""

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import pytest

import raysim as ray
from raysim.checks.cluster import Cluster as Seen
from raysim.cluster_utils import Cluster
from raysim.util import placement_group, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy

REMEMBERED = 5
BOUNDED = (
    "raysim.protocol.gcs.actors.REMEMBERED",
    "raysim.protocol.gcs.jobs._REMEMBERED",
    "raysim.protocol.raylet.bundles.REMEMBERED",
    "raysim.protocol.raylet.cluster_view.REMEMBERED",
    "raysim.protocol.raylet.envs.READY_KEPT",
    "raysim.protocol.raylet.fence.REMEMBERED",
    "raysim.protocol.raylet.groups.REMEMBERED",
)
ROUNDS = 10


@ray.remote
def double(value: Any) -> Any:
    return value * 2


@ray.remote(num_cpus=0.1)
class Keeper:
    def keep(self, value: Any) -> Any:
        return value


@ray.remote
def items(count: int) -> Any:
    yield from range(count)


def program(address: str, env: int) -> None:
    """A job with something of everything, of an environment of its own."""
    ray.init(address=address, runtime_env={"env_vars": {"NUMBER": str(env)}})
    assert ray.get(double.remote(ray.put(b"x" * 200_000))) == b"x" * 400_000
    keeper = Keeper.remote()
    assert ray.get(keeper.keep.remote(1)) == 1
    group = placement_group([{"CPU": 0.1}])
    there = PlacementGroupSchedulingStrategy(group)
    named = Keeper.options(name="named", scheduling_strategy=there).remote()
    assert ray.get(named.keep.remote(2)) == 2
    remove_placement_group(group)
    assert [ray.get(item) for item in items.remote(3)] == [0, 1, 2]
    ray.kill(keeper)
    ray.shutdown()


def sizes(role: Any) -> dict[str, int]:
    """Of all containers below it, by the attributes that lead there; those at one place together."""
    found: dict[str, int] = {}
    seen: set[int] = set()

    def look(what: Any, path: str) -> None:
        if id(what) in seen:
            return
        seen.add(id(what))
        if isinstance(what, (Mapping, Sequence, AbstractSet)) and not isinstance(
            what, (str, bytes)
        ):
            found[path] = found.get(path, 0) + len(what)
            for one in what.values() if isinstance(what, Mapping) else what:
                look(one, f"{path}[]")
        elif type(what).__module__.startswith("raysim.protocol"):
            for name, value in attributes(what):
                look(value, f"{path}.{name}")

    look(role, type(role).__name__)
    return found


def attributes(what: Any) -> Iterator[tuple[str, Any]]:
    yield from getattr(what, "__dict__", {}).items()
    for kind in type(what).__mro__:
        for name in getattr(kind, "__slots__", ()):
            if hasattr(what, name):
                yield name, getattr(what, name)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    for name in BOUNDED:
        monkeypatch.setattr(name, REMEMBERED)
    config = {"gcs_history": REMEMBERED, "task_history": REMEMBERED}
    head = {"num_cpus": 2, "_system_config": config}
    made = Cluster(initialize_head=True, head_node_args=head, backend="sim")
    yield made
    made.shutdown()


def test_neither_the_gcs_nor_a_raylet_grows_with_what_came_and_went(cluster: Cluster) -> None:
    def some(first: int) -> dict[str, int]:
        for number in range(first, first + ROUNDS):
            node = cluster.add_node(num_cpus=2)
            program(cluster.address, number)
            cluster.remove_node(node, allow_graceful=bool(number % 2))
        there = Seen.of(cluster._world)
        return sizes(there.gcs) | sizes(there.nodes[0].raylet)

    before = some(0)
    after = some(ROUNDS)
    assert len(before) > 100, "not all was found"
    grown = {path: (before.get(path, 0), size) for path, size in after.items()}
    assert {path: pair for path, pair in grown.items() if pair[1] - pair[0] >= ROUNDS} == {}

"""Labels and named nodes: one cluster of a head (zone a, 4 CPUs) and a node (zone b, 1 CPU) for all tests."""

import time
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from tests.api.conftest import JUDGE, library

SOON = 0.5
"""Seconds in which what can run has run, and what cannot has not."""


class Zones:
    """The cluster, and the tasks that tests run on it."""

    def __init__(self, lib: Any) -> None:
        self.lib = lib
        self.strategies = import_module(f"{lib.__name__}.util.scheduling_strategies")
        nodes = lib.nodes()
        self.ids = {node["Labels"]["zone"]: node["NodeID"] for node in nodes}
        names = {node_id: zone for zone, node_id in self.ids.items()}
        get = lib.get

        @lib.remote(max_retries=0)
        def where():
            return names[lib.get_runtime_context().get_node_id()]

        @lib.remote
        class Lock:
            """Holds the node's CPU while it lives."""

            def where(self):
                return names[lib.get_runtime_context().get_node_id()]

        self.where = where
        self.Lock = Lock
        self.get = lambda ref: get(ref, timeout=60)

    def run(self, **options: Any) -> str:
        return self.get(self.where.options(**options).remote())

    def idle(self) -> None:
        """Wait until every node is known to have room: what has just ended may still count."""
        end = time.monotonic() + 60
        while self.lib.available_resources().get("CPU") != 5:
            assert time.monotonic() < end, self.lib.available_resources()
            time.sleep(0.05)
        time.sleep(0.2)

    def waits(self, ref: Any) -> bool:
        with pytest.raises(self.lib.exceptions.GetTimeoutError):
            self.lib.get(ref, timeout=SOON)
        return True

    def affinity(self, zone: str, soft: bool, **more: bool) -> Any:
        return self.strategies.NodeAffinitySchedulingStrategy(self.ids[zone], soft, **more)

    def labels(self, **given: Any) -> Any:
        return self.strategies.NodeLabelSchedulingStrategy(given.pop("hard", None), **given)


@pytest.fixture(scope="module")
def zones(backend: str) -> Iterator[Zones]:
    utils = import_module("ray.cluster_utils" if backend == JUDGE else "raysim.cluster_utils")
    own = {} if backend == JUDGE else {"backend": backend}
    head = {"num_cpus": 4, "labels": {"zone": "a"}}
    made = utils.Cluster(initialize_head=True, head_node_args=head, **own)
    made.connect()
    made.add_node(num_cpus=1, labels={"zone": "b", "disk": "ssd", "empty": ""})
    made.wait_for_nodes()
    yield Zones(library(backend))
    library(backend).shutdown()
    made.shutdown()


@pytest.fixture
def busy(zones: Zones) -> Iterator[None]:
    """The only CPU of zone b is taken."""
    lock = zones.Lock.options(num_cpus=1, label_selector={"zone": "b"}).remote()
    assert zones.get(lock.where.remote()) == "b"
    yield
    zones.lib.kill(lock)


def test_every_node_has_its_id_as_a_label(zones):
    labels = {node["NodeID"]: node["Labels"] for node in zones.lib.nodes()}
    assert all(has["ray.io/node-id"] == node_id for node_id, has in labels.items())
    assert labels[zones.ids["b"]]["disk"] == "ssd"


def test_driver_reads_the_labels_of_its_node(zones):
    labels = zones.lib.get_runtime_context().get_node_labels()
    assert labels == {"zone": "a", "ray.io/node-id": zones.ids["a"]}


@pytest.mark.parametrize(
    ("selector", "zone"),
    [
        ({"zone": "b"}, "b"),
        ({"zone": "!b"}, "a"),
        ({"zone": "in(b, c)"}, "b"),
        ({"zone": "in(b,c)"}, "b"),
        ({"zone": "!in(b, c)"}, "a"),
        ({"disk": "!ssd"}, "a"),
        ({"empty": ""}, "b"),
        ({"zone": "in(a,b)", "disk": "ssd"}, "b"),
    ],
)
def test_label_selector_chooses_the_node(zones, selector, zone):
    """A negated value is also that of a node without the label."""
    assert zones.run(label_selector=selector) == zone


def test_node_id_is_a_label_to_select_by(zones):
    assert zones.run(label_selector={"ray.io/node-id": zones.ids["b"]}) == "b"


def test_task_that_no_node_can_run_for_its_labels_waits(zones):
    assert zones.waits(zones.where.options(label_selector={"zone": "nowhere"}).remote())


def test_actor_goes_where_its_label_selector_says(zones):
    lock = zones.Lock.options(label_selector={"zone": "b"}).remote()
    assert zones.get(lock.where.remote()) == "b"


def test_actor_that_no_node_can_run_for_its_labels_waits(zones):
    lock = zones.Lock.options(label_selector={"zone": "nowhere"}).remote()
    assert zones.waits(lock.where.remote())


def test_selector_in_the_decorator_can_be_replaced(zones):
    where = zones.where.options(label_selector={"zone": "b"})
    assert zones.get(where.remote()) == "b"
    assert zones.run(label_selector={"zone": "a"}) == "a"


def test_fallback_is_used_where_the_selector_can_never_be_fulfilled(zones):
    fallback = [{"label_selector": {"zone": "mars"}}, {"label_selector": {"zone": "b"}}]
    options = {"label_selector": {"zone": "nowhere"}, "fallback_strategy": fallback}
    assert zones.run(**options) == "b"
    lock = zones.Lock.options(**options).remote()
    assert zones.get(lock.where.remote()) == "b"


def test_fallback_is_used_where_the_selected_node_is_busy(zones, busy):
    fallback = [{"label_selector": {"zone": "a"}}]
    assert zones.run(label_selector={"zone": "b"}, fallback_strategy=fallback) == "a"


def test_fallback_without_selector_changes_nothing(zones):
    assert zones.run(fallback_strategy=[{"label_selector": {"zone": "nowhere"}}]) in ("a", "b")


def test_selected_node_that_is_busy_is_waited_for(zones, busy):
    assert zones.waits(zones.where.options(label_selector={"zone": "b"}).remote())


def test_spread_goes_over_the_selected_nodes(zones):
    options = {"scheduling_strategy": "SPREAD", "label_selector": {"zone": "b"}}
    assert [zones.run(**options) for _ in range(3)] == ["b"] * 3


def test_hard_labels_choose_the_node(zones):
    s = zones.strategies
    cases = [
        ({"zone": s.In("b", "c")}, "b"),
        ({"zone": s.NotIn("b", "c")}, "a"),
        ({"disk": s.Exists()}, "b"),
        ({"disk": s.DoesNotExist()}, "a"),
        ({"disk": s.NotIn("ssd")}, "a"),
    ]
    for hard, zone in cases:
        assert zones.run(scheduling_strategy=zones.labels(hard=hard)) == zone


def test_soft_labels_are_preferred(zones):
    zones.idle()
    soft = {"zone": zones.strategies.In("b")}
    assert zones.run(scheduling_strategy=zones.labels(hard={}, soft=soft)) == "b"


def test_soft_labels_do_not_make_a_task_wait(zones, busy):
    soft = {"zone": zones.strategies.In("b")}
    assert zones.run(scheduling_strategy=zones.labels(hard={}, soft=soft)) == "a"


def test_soft_labels_that_no_node_has_are_ignored(zones):
    s = zones.strategies
    strategy = zones.labels(hard={"zone": s.In("b")}, soft={"zone": s.In("nowhere")})
    assert zones.run(scheduling_strategy=strategy) == "b"


def test_hard_labels_that_no_node_has_are_waited_for(zones):
    strategy = zones.labels(hard={"zone": zones.strategies.In("nowhere")})
    assert zones.waits(zones.where.options(scheduling_strategy=strategy).remote())
    lock = zones.Lock.options(scheduling_strategy=strategy).remote()
    assert zones.waits(lock.where.remote())


def test_actor_goes_where_hard_labels_say(zones):
    strategy = zones.labels(hard={"zone": zones.strategies.In("b")})
    lock = zones.Lock.options(scheduling_strategy=strategy).remote()
    assert zones.get(lock.where.remote()) == "b"


def test_hard_labels_and_selector_that_contradict_are_waited_for(zones):
    strategy = zones.labels(hard={"zone": zones.strategies.In("b")})
    options = {"scheduling_strategy": strategy, "label_selector": {"zone": "a"}}
    assert zones.waits(zones.where.options(**options).remote())


def test_hard_affinity_against_the_label_selector_fails(zones):
    options = {"scheduling_strategy": zones.affinity("a", False), "label_selector": {"zone": "b"}}
    with pytest.raises(zones.lib.exceptions.TaskUnschedulableError):
        zones.run(**options)


def test_soft_affinity_against_the_label_selector_gives_way(zones):
    options = {"scheduling_strategy": zones.affinity("a", True), "label_selector": {"zone": "b"}}
    assert zones.run(**options) == "b"


def test_affinity_that_fails_when_the_node_is_busy(zones, busy):
    strategy = zones.affinity("b", False, _fail_on_unavailable=True)
    with pytest.raises(zones.lib.exceptions.TaskUnschedulableError):
        zones.run(scheduling_strategy=strategy)
    lock = zones.Lock.options(num_cpus=1, scheduling_strategy=strategy).remote()
    with pytest.raises(zones.lib.exceptions.ActorUnschedulableError):
        zones.get(lock.where.remote())


def test_affinity_that_goes_elsewhere_when_the_node_is_busy(zones, busy):
    strategy = zones.affinity("b", True, _spill_on_unavailable=True)
    assert zones.run(scheduling_strategy=strategy) == "a"


def test_soft_affinity_waits_for_a_busy_node(zones, busy):
    strategy = zones.affinity("b", True)
    assert zones.waits(zones.where.options(scheduling_strategy=strategy).remote())


@pytest.mark.parametrize(
    "selector", [{"zone": "in("}, {"zone": "in()"}, {"zo ne": "a"}, {"zone": "a b"}]
)
def test_label_selector_has_the_syntax_of_labels(zones, selector):
    with pytest.raises(ValueError, match=r"(?i)invalid label"):
        zones.where.options(label_selector=selector)
    with pytest.raises(ValueError, match=r"(?i)invalid label"):
        zones.Lock.options(label_selector=selector)


def test_values_of_a_label_selector_are_text(zones):
    with pytest.raises(TypeError):
        zones.where.options(label_selector={"zone": 1})


@pytest.mark.parametrize(
    "fallback",
    [["zone"], [{}], [{"resources": {"disk": 1}}], [{"label_selector": {"zone": "in("}}]],
)
def test_fallback_strategy_is_a_list_of_selectors(zones, fallback):
    with pytest.raises(ValueError, match=r"."):
        zones.where.options(label_selector={"zone": "a"}, fallback_strategy=fallback)


def test_label_strategy_needs_a_condition(zones):
    with pytest.raises(ValueError, match="both be empty"):
        zones.labels(hard={})


@pytest.mark.parametrize("hard", [{"zone": "a"}, ["zone"], {1: "a"}])
def test_conditions_map_labels_to_operators(zones, hard):
    with pytest.raises(ValueError, match="hard"):
        zones.labels(hard=hard)


def test_operators_need_text_to_compare_with(zones):
    with pytest.raises(ValueError, match="In"):
        zones.strategies.In()
    with pytest.raises(ValueError, match="NotIn"):
        zones.strategies.NotIn(1)


def test_affinity_refuses_contradicting_wishes(zones):
    with pytest.raises(ValueError, match="_spill_on_unavailable"):
        zones.affinity("a", False, _spill_on_unavailable=True)
    with pytest.raises(ValueError, match="_fail_on_unavailable"):
        zones.affinity("a", True, _fail_on_unavailable=True)

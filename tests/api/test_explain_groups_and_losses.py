"""`raysim.util.explain` of placement groups, workers that start, and objects that were lost or freed."""

import time
from types import ModuleType

import pytest

import raysim
from raysim.internal import free
from raysim.util import explain
from raysim.util.explanation import Explanation, Reason
from raysim.util.placement_group import placement_group, remove_placement_group

PATIENCE = 60


@pytest.fixture
def ready(cluster, backend):
    """A head with 1 CPU; one more node, `far`, with 2 CPUs and a shelf."""
    if backend not in ("sim", "cluster"):
        pytest.skip("explain() needs the protocol: Ray does not tell why an object is not ready")
    far = cluster.add_node(num_cpus=2, resources={"shelf": 1}, node_name="far")
    cluster.wait_for_nodes()
    return cluster, far


@pytest.fixture
def lib(ready) -> ModuleType:
    return raysim


def settled(ref, *reasons) -> Explanation:
    """The explanation, as soon as its first cause is one of these."""
    end = time.monotonic() + PATIENCE
    while True:
        found = explain(ref)
        if found.causes()[0].reason in reasons:
            return found
        assert time.monotonic() < end, f"expected {reasons}, but:\n{found}"
        time.sleep(0.02)


# --- placement groups ---


def test_group_that_no_node_could_ever_hold(lib):
    group = placement_group([{"CPU": 1}, {"CPU": 9}], name="gang")
    found = settled(group.ready(), Reason.INFEASIBLE)
    assert found.reason is Reason.PLACEMENT_GROUP
    (cause,) = found.causes()
    assert "'gang'" in cause.text
    assert "CPU=1 + CPU=9" in cause.text
    assert {node.name: node.lacks for node in cause.nodes}["far"] == {"CPU": 7.0}
    remove_placement_group(group)


def test_group_that_waits_for_room(lib):
    first = placement_group([{"shelf": 1}])
    lib.get(first.ready(), timeout=PATIENCE)
    second = placement_group([{"shelf": 1}], name="second")
    ready = second.ready()
    found = settled(ready, Reason.NO_ROOM)
    lacks = {node.name: (node.lacks, node.ever) for node in found.causes()[0].nodes}
    assert lacks["far"] == ({"shelf": 1.0}, True)
    remove_placement_group(first)
    lib.get(ready, timeout=PATIENCE)
    remove_placement_group(second)


def test_bundles_that_fit_one_by_one_only(lib):
    group = placement_group([{"CPU": 2}, {"CPU": 2}])
    found = settled(group.ready(), Reason.INFEASIBLE)
    assert "could never hold all of them at once" in str(found)
    remove_placement_group(group)


def test_bundles_of_one_node_count_together(lib):
    group = placement_group([{"CPU": 2}, {"CPU": 1}], strategy="STRICT_PACK")
    (cause,) = settled(group.ready(), Reason.INFEASIBLE).causes()
    assert "room for CPU=3" in cause.text
    remove_placement_group(group)


def test_group_of_a_pending_task(lib):
    @lib.remote
    def task():
        return 1

    group = placement_group([{"CPU": 9}])
    strategy = lib.util.scheduling_strategies.PlacementGroupSchedulingStrategy(group)
    found = settled(task.options(scheduling_strategy=strategy).remote(), Reason.INFEASIBLE)
    assert found.reason is Reason.PLACEMENT_GROUP
    assert "CPU=9" in found.causes()[0].text
    remove_placement_group(group)


def test_group_that_was_removed(lib):
    group = placement_group([{"CPU": 9}])
    ready = group.ready()
    remove_placement_group(group)
    found = settled(ready, Reason.FAILED)
    assert "was removed" in found.text


# --- workers ---


def test_worker_that_starts(fresh, backend, gate):
    """A setup hook makes it take its time."""
    if backend not in ("sim", "cluster"):
        pytest.skip("explain() needs the protocol: Ray does not tell why an object is not ready")

    def hook():
        gate.go_through()

    lib = fresh(runtime_env={"worker_process_setup_hook": hook})

    @lib.remote
    def task():
        return "ran"

    ref = task.remote()
    found = settled(ref, Reason.WORKER_STARTING)
    assert "a worker has been starting" in found.text
    gate.open()
    assert lib.get(ref, timeout=PATIENCE) == "ran"


# --- objects that are gone ---


def test_lost_object_that_is_made_again(ready, lib):
    cluster, far = ready

    @lib.remote(num_cpus=0, resources={"shelf": 1})
    def make():
        return b"x" * 500_000

    ref = make.remote()
    lib.wait([ref], timeout=PATIENCE, fetch_local=False)
    cluster.remove_node(far)
    with pytest.raises(lib.exceptions.GetTimeoutError):
        lib.get(ref, timeout=1)
    found = settled(ref, Reason.INFEASIBLE)
    assert "was lost and is being rebuilt" in found.text
    assert "shelf=1" in found.text


def test_lost_object_that_cannot_be_made_again(ready, lib):
    cluster, far = ready

    @lib.remote(num_cpus=0, resources={"shelf": 1}, max_retries=0)
    def make():
        return b"x" * 500_000

    ref = make.remote()
    lib.wait([ref], timeout=PATIENCE, fetch_local=False)
    cluster.remove_node(far)
    with pytest.raises(lib.exceptions.ObjectLostError):
        lib.get(ref, timeout=PATIENCE)
    found = explain(ref)
    assert found.reason is Reason.FAILED
    assert "lost" in found.text


def test_freed_object(lib):
    ref = lib.put(b"x" * 500_000)
    free([ref])
    found = settled(ref, Reason.FAILED, Reason.GONE)
    assert "freed" in found.text

"""`raysim.util.state.explain(id)`: why a thing of the cluster is as it is. Ray has nothing to compare with."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

import raysim
from raysim.cluster_utils import Cluster
from raysim.exceptions import RayError
from raysim.util import state
from raysim.util.explanation import Explanation, Reason
from raysim.util.placement_group import placement_group, remove_placement_group
from raysim.util.state.exception import RayStateApiException
from tests.api.patience import until

OWN = ("sim", "cluster")


@pytest.fixture(scope="module")
def cluster(backend: str) -> Iterator[Any]:
    if backend not in OWN:
        pytest.skip("explain() needs the protocol: Ray does not tell why it decided so")
    head = {"num_cpus": 2, "node_name": "head"}
    made = Cluster(initialize_head=True, head_node_args=head, backend=backend)
    made.connect()
    made.add_node(num_cpus=1, node_name="far")
    made.wait_for_nodes()
    yield made
    raysim.shutdown()
    made.shutdown()


@pytest.fixture
def lib(cluster: Any) -> Any:
    return raysim


def task_of(ref: Any) -> str:
    return str(ref.task_id().hex())


def settled(identity: str, *reasons: Reason) -> Explanation:
    """The explanation, as soon as it gives one of these reasons."""
    found: list[Explanation] = []

    def is_so() -> bool:
        try:
            found.append(state.explain(identity))
        except RayStateApiException:
            return False  # The GCS hears of it in a moment.
        return found[-1].reason in reasons

    until(is_so)
    return found[-1]


def test_a_task_that_no_node_can_run_says_what_each_lacks(lib):
    @lib.remote(num_cpus=16)
    def wide():
        return 1

    ref = wide.remote()
    found = settled(task_of(ref), Reason.INFEASIBLE)
    assert {(node.name, node.ever) for node in found.nodes} == {("head", False), ("far", False)}
    assert found.task_id == task_of(ref)
    assert "needs CPU=16" in str(found)
    lib.cancel(ref)


def test_a_task_whose_return_nobody_wants_is_explained_too(lib, gate):
    """Its entry is gone from its owner's table; the call is not."""

    @lib.remote(num_cpus=0)
    def dawdle():
        gate.go_through()

    ref = dawdle.remote()
    task_id = task_of(ref)
    del ref
    found = settled(task_id, Reason.RUNNING)
    assert "dawdle" in found.text
    gate.open()
    settled(task_id, Reason.READY)


def test_a_task_that_failed_says_why_and_what_each_attempt_did(lib):
    @lib.remote(max_retries=1, retry_exceptions=True)
    def bad():
        raise ValueError("no such luck")

    ref = bad.remote()
    with pytest.raises(ValueError, match="no such luck"):
        lib.get(ref)
    found = settled(task_of(ref), Reason.FAILED)
    assert "attempt 2, had a worker on node" in found.text
    assert "TASK_EXECUTION_EXCEPTION" in found.text
    assert "no such luck" in found.text
    [first] = found.because
    assert "attempt 1," in first.text
    of_object = state.explain(ref.hex())
    assert of_object.reason is Reason.FAILED
    assert "no such luck" in str(of_object)


def test_a_task_that_ended_well_says_what_took_how_long(lib):
    @lib.remote
    def good():
        time.sleep(0.2)

    ref = good.remote()
    lib.get(ref)
    found = settled(task_of(ref), Reason.READY)
    assert "and ran for 0.2" in found.text
    assert found.for_s is not None
    assert found.for_s >= 0.2


def test_an_object_says_where_it_is_and_who_keeps_it(lib):
    ref = lib.put(bytes(1 << 20))
    found = state.explain(ref.hex())
    assert found.reason is Reason.READY
    assert "(local reference)" in found.text
    assert "in the store of" in found.text


def test_an_object_that_was_dropped_is_nobodys(lib):
    object_id = lib.put(1).hex()
    with pytest.raises(RayStateApiException, match=r"looked for among objects, nodes, workers"):
        state.explain(object_id)


def test_an_actor_waits_for_room_lives_and_dies(lib, gate):
    @lib.remote
    class Wide:
        def call(self):
            gate.go_through()

    never = Wide.options(num_cpus=16).remote()
    waits = settled(never._ray_actor_id.hex(), Reason.ACTOR_PENDING)
    assert waits.causes()[0].reason is Reason.INFEASIBLE
    actor = Wide.options(num_cpus=0).remote()
    identity = actor._ray_actor_id.hex()
    call = actor.call.remote()
    assert "Wide.call" in settled(identity, Reason.RUNNING).text
    gate.open()
    lib.get(call)
    lib.kill(actor)
    dead = settled(identity, Reason.ACTOR_DEAD)
    assert "kill" in dead.text.lower()
    assert dead.actor_id == identity


def test_an_actor_whose_constructor_waits_for_an_argument(lib, gate):
    """The GCS does not know it yet."""

    @lib.remote(num_cpus=0)
    def dawdle():
        gate.go_through()

    @lib.remote(num_cpus=0)
    class Late:
        def __init__(self, value):
            pass

        def call(self):
            return 1

    late = Late.remote(dawdle.remote())
    found = settled(late._ray_actor_id.hex(), Reason.PENDING_ARGUMENT)
    assert "dawdle" in str(found)
    gate.open()
    assert lib.get(late.call.remote()) == 1


def test_a_placement_group_that_has_no_place_and_one_that_has(lib):
    group = placement_group([{"CPU": 16}])
    found = settled(group.id.hex(), Reason.INFEASIBLE)
    assert "CPU=16" in found.text
    remove_placement_group(group)
    settled(group.id.hex(), Reason.GONE)
    small = placement_group([{"CPU": 1}])
    lib.get(small.ready())
    assert "bundle 0 (CPU=1) on node" in settled(small.id.hex(), Reason.READY).text
    remove_placement_group(small)


def test_a_node_that_was_lost_says_why(lib, cluster):
    node = cluster.add_node(num_cpus=1, node_name="doomed")
    cluster.wait_for_nodes()
    identity = next(one["NodeID"] for one in lib.nodes() if one["NodeName"] == "doomed")
    assert "is alive" in state.explain(identity).text
    cluster.remove_node(node)
    assert "was lost" in settled(identity, Reason.GONE).text


def test_a_job_says_what_its_driver_waits_for(lib, gate):
    @lib.remote(num_cpus=0)
    def dawdle():
        gate.go_through()

    @lib.remote(num_cpus=0)
    def ask(job_id):
        end = time.monotonic() + 60
        while time.monotonic() < end:
            found = state.explain(job_id)
            if found.reason is Reason.BLOCKED:
                break
            time.sleep(0.05)
        gate.open()
        return str(found)

    context = lib.get_runtime_context()
    asked = ask.remote(context.get_job_id())
    lib.get(dawdle.remote())
    found = lib.get(asked)
    assert "its driver is in process" in found
    assert "dawdle" in found


def test_a_worker_that_ended_says_how(lib):
    @lib.remote(max_retries=0, num_cpus=0)
    def crash():
        import os

        os._exit(3)

    def crashed():
        rows = state.list_workers(filters=[("exit_type", "=", "SYSTEM_ERROR")], detail=True)
        return {row.worker_id: row for row in rows}

    before = crashed()
    with pytest.raises(RayError):
        lib.get(crash.remote())
    until(lambda: len(crashed()) > len(before))
    row = next(row for worker_id, row in crashed().items() if worker_id not in before)
    found = state.explain(row.worker_id)
    assert found.reason is Reason.GONE
    assert f"({row.exit_type})" in found.text


@pytest.mark.parametrize("identity", ["", "nonsense", "abc", "00ff"])
def test_what_is_no_id_is_told_what_one_is(lib, identity):
    with pytest.raises(RayStateApiException, match=r"48 digits \(task\)"):
        state.explain(identity)

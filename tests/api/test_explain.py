"""`raysim.util.explain`: why is this object not ready? Ray has nothing to compare with.

One cluster of a head (2 CPUs, 1 GPU) and a node (1 CPU) for all tests.
"""

import time
from collections.abc import Iterator
from typing import Any

import pytest

import raysim
from raysim.cluster_utils import Cluster
from raysim.util import explain
from raysim.util.explanation import Explanation, Reason
from raysim.util.placement_group import placement_group, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy
from tests.api.patience import until

OWN = ("sim", "cluster")


@pytest.fixture(scope="module")
def lib(backend: str) -> Iterator[Any]:
    if backend not in OWN:
        pytest.skip("explain() needs the protocol: Ray does not tell why an object is not ready")
    head = {"num_cpus": 2, "num_gpus": 1, "node_name": "head"}
    made = Cluster(initialize_head=True, head_node_args=head, backend=backend)
    made.connect()
    made.add_node(num_cpus=1, labels={"zone": "b"}, node_name="far")
    made.wait_for_nodes()
    yield raysim
    raysim.shutdown()
    made.shutdown()


@pytest.fixture
def pending(lib, gate):
    """An object that comes when the gate is opened."""

    @lib.remote(num_cpus=0)
    def dawdle():
        gate.go_through()
        return "here"

    ref = dawdle.remote()
    settled(ref, Reason.RUNNING)
    return ref


@pytest.fixture
def work(lib):
    @lib.remote(max_retries=0)
    def work(*args):
        return args

    return work


def settled(ref, *reasons) -> Explanation:
    """The explanation, as soon as it gives one of these reasons."""
    end = time.monotonic() + 60
    while True:
        found = explain(ref)
        if found.reason in reasons:
            return found
        assert time.monotonic() < end, f"expected {reasons}, but:\n{found}"
        time.sleep(0.02)


def only(explanations):
    (one,) = explanations
    return one


def test_ready_object(lib, work):
    ref = work.remote()
    lib.get(ref, timeout=60)
    assert explain(ref).reason is Reason.READY
    assert explain(lib.put(1)).reason is Reason.READY


def test_failed_object(lib):
    @lib.remote
    def fail():
        raise ValueError("no")

    ref = fail.remote()
    with pytest.raises(ValueError, match="no"):
        lib.get(ref, timeout=60)
    assert explain(ref).reason is Reason.FAILED


def test_only_references_can_be_explained(lib):
    with pytest.raises(TypeError, match="ObjectRef"):
        explain("ref")


def test_running_call_since_when_and_where(lib, gate):
    @lib.remote
    def nap():
        gate.go_through()
        return lib.get_runtime_context().get_node_id()

    ref = nap.remote()
    settled(ref, Reason.RUNNING)
    time.sleep(0.3)
    found = explain(ref)
    assert found.reason is Reason.RUNNING
    assert found.for_s >= 0.3
    assert "nap" in str(found)
    gate.open()
    assert lib.get(ref, timeout=60) == found.node_id


def test_argument_that_is_pending(lib, work, pending, gate):
    second = work.remote(pending, lib.put(1))
    third = work.remote(second)
    found = explain(third)
    assert found.reason is Reason.PENDING_ARGUMENT
    assert only(found.because).reason is Reason.PENDING_ARGUMENT
    assert only(found.because).object_id == second.hex()
    cause = only(found.causes())
    assert (cause.reason, cause.object_id) == (Reason.RUNNING, pending.hex())
    gate.open()
    assert lib.get(third, timeout=60) == (("here", 1),)


def test_task_that_no_node_could_ever_run(lib, work):
    found = settled(work.options(resources={"dragon": 2}).remote(), Reason.INFEASIBLE)
    assert {node.name: (node.lacks["dragon"], node.ever) for node in found.nodes} == {
        "head": (2.0, False),
        "far": (2.0, False),
    }
    assert "dragon=2" in str(found)


def test_task_that_no_node_has_the_labels_for(lib, work):
    found = settled(work.options(label_selector={"zone": "nowhere"}).remote(), Reason.INFEASIBLE)
    assert all("zone=nowhere" in node.why for node in found.nodes)
    assert "does not have the labels zone=nowhere" in str(found)


def test_task_that_waits_for_room_and_who_has_it(lib, work):
    @lib.remote(num_cpus=0)
    class Holder:
        def ready(self):
            return True

    holder = Holder.options(num_gpus=1).remote()
    lib.get(holder.ready.remote(), timeout=60)
    found = settled(work.options(num_gpus=1, num_cpus=0).remote(), Reason.NO_ROOM)
    lacks = {node.name: node for node in found.nodes}
    assert lacks["head"].ever
    assert not lacks["far"].ever
    held = only(found.holders)
    assert held.held == {"GPU": 1.0}
    assert "actor" in held.who
    lib.kill(holder)


def test_gpus_that_are_free_in_parts_only(lib, work):
    @lib.remote(num_cpus=0, num_gpus=0.3)
    class Holder:
        def ready(self):
            return True

    holder = Holder.remote()
    lib.get(holder.ready.remote(), timeout=60)
    found = settled(work.options(num_gpus=1, num_cpus=0).remote(), Reason.NO_ROOM)
    head = next(node for node in found.nodes if node.name == "head")
    assert head.lacks == {"GPU": pytest.approx(0.3)}
    lib.kill(holder)


def test_call_that_waits_for_its_turn(lib, gate):
    @lib.remote(num_cpus=0)
    class Slow:
        def nap(self):
            gate.go_through()

    slow = Slow.remote()
    first, second = slow.nap.remote(), slow.nap.remote()
    settled(first, Reason.RUNNING)
    found = explain(second)
    assert found.reason is Reason.BEHIND_OTHER_CALL
    assert "Slow.nap" in str(found)
    gate.open()
    lib.get([first, second], timeout=60)


def test_call_behind_one_whose_argument_is_pending(lib, pending, gate):
    @lib.remote(num_cpus=0)
    class Actor:
        def take(self, value=None):
            return value

    actor = Actor.remote()
    lib.get(actor.take.remote(), timeout=60)
    held_up = actor.take.remote(pending)
    behind = actor.take.remote(1)
    found = explain(behind)
    assert found.reason is Reason.BEHIND_OTHER_CALL
    assert only(found.because).object_id == pending.hex()
    gate.open()
    assert lib.get([held_up, behind], timeout=60) == ["here", 1]


def test_actor_that_cannot_be_placed(lib):
    @lib.remote(resources={"dragon": 1})
    class Actor:
        def go(self):
            return 1

    actor = Actor.remote()
    found = settled(actor.go.remote(), Reason.ACTOR_PENDING)
    cause = only(found.because)
    assert cause.reason is Reason.INFEASIBLE
    assert "Actor" in str(found)
    assert {node.name for node in cause.nodes} == {"head", "far"}


def test_actor_whose_constructor_waits(lib, pending, gate):
    @lib.remote(num_cpus=0)
    class Actor:
        def __init__(self, refs):
            self.value = lib.get(refs[0])

        def value(self):
            return self.value

        def read(self):
            return self.value

    actor = Actor.remote([pending])
    ref = actor.read.remote()
    end = time.monotonic() + 60
    while (found := explain(ref)).causes()[0].object_id != pending.hex():
        assert time.monotonic() < end, str(found)
        time.sleep(0.02)
    assert found.reason is Reason.ACTOR_PENDING
    assert only(found.because).reason is Reason.BLOCKED
    gate.open()
    assert lib.get(ref, timeout=60) == "here"


def test_actor_whose_argument_is_pending(lib, pending, gate):
    @lib.remote(num_cpus=0)
    class Actor:
        def __init__(self, value):
            self.kept = value

        def read(self):
            return self.kept

    actor = Actor.remote(pending)
    ref = actor.read.remote()
    found = explain(ref)
    assert found.reason is Reason.PENDING_ARGUMENT
    assert "constructor" in str(found)
    assert only(found.because).object_id == pending.hex()
    gate.open()
    assert lib.get(ref, timeout=60) == "here"


@pytest.fixture
def circle(lib):
    """Two actors, each of which waits for what the other one never gets to: the call and its reference."""

    @lib.remote(num_cpus=0)
    class Waiter:
        def meet(self, other):
            self.other = other

        def wait(self):
            return lib.get(self.other.wait.remote())

    one, other = Waiter.remote(), Waiter.remote()
    lib.get([one.meet.remote(other), other.meet.remote(one)], timeout=60)
    yield one.wait.remote()
    lib.kill(one)
    lib.kill(other)


def test_actors_that_wait_for_each_other(lib, circle):
    end = time.monotonic() + 60
    while (cause := only((found := explain(circle)).causes())).reason is not Reason.CYCLE:
        assert time.monotonic() < end, str(found)
        time.sleep(0.02)
    assert len(cause.cycle) == 2
    assert "Waiter.wait" in cause.text
    assert "Cycle" in str(found)


def test_actor_that_waits_for_one_that_needs_its_gpu(lib):
    """The cycle goes through who holds what."""

    @lib.remote(num_cpus=0, num_gpus=1)
    class Greedy:
        def ready(self):
            return True

        def ask(self, other):
            return lib.get(other.ready.remote())

    greedy = Greedy.remote()
    lib.get(greedy.ready.remote(), timeout=60)
    ref = greedy.ask.remote(Greedy.remote())
    end = time.monotonic() + 60
    while only((found := explain(ref)).causes()).reason is not Reason.CYCLE:
        assert time.monotonic() < end, str(found)
        time.sleep(0.02)
    assert "GPU=1 held by Greedy.ask" in str(found)
    lib.kill(greedy)


def test_borrowed_object_is_explained_by_its_owner(lib, pending):
    @lib.remote(num_cpus=0)
    def ask(refs):
        return explain(refs[0]).reason, str(explain(refs[0]))

    reason, text = lib.get(ask.remote([pending]), timeout=60)
    assert reason is Reason.RUNNING
    assert "dawdle" in text


def test_explanation_of_an_object_whose_owner_is_gone(lib):
    @lib.remote(num_cpus=0)
    class Owner:
        def own(self):
            return [lib.put("mine")]

    owner = Owner.remote()
    (inner,) = lib.get(owner.own.remote(), timeout=60)
    lib.kill(owner)
    # A kill takes its time, and a call or a question may overtake it.
    until(lambda: explain(inner).reason in (Reason.NO_ANSWER, Reason.FAILED))


def test_task_of_a_placement_group_without_a_place(lib, work):
    group = placement_group([{"CPU": 9}])
    strategy = PlacementGroupSchedulingStrategy(group)
    ref = work.options(scheduling_strategy=strategy).remote()
    found = settled(ref, Reason.PLACEMENT_GROUP)
    assert group.id.hex()[:8] in found.text
    assert "CPU=1" in found.text
    remove_placement_group(group)


def test_asynchronous_actor_says_what_it_awaits(lib, pending, gate):
    @lib.remote(num_cpus=0)
    class Actor:
        async def wait(self, refs):
            return await refs[0]

    ref = Actor.remote().wait.remote([pending])
    found = settled(ref, Reason.BLOCKED)
    assert only(found.because).object_id == pending.hex()
    gate.open()
    assert lib.get(ref, timeout=60) == "here"

"""An inquiry against scripted answers: whom it asks, and what it makes of what they say."""

from typing import Any

import pytest

from raysim.protocol.explaining.inquiry import QUESTIONS, Inquiry
from raysim.protocol.messages import (
    ActorStory,
    CallSeen,
    ContainedRef,
    ExplainActor,
    ExplainGroup,
    ExplainLease,
    ExplainObject,
    ExplainProcess,
    GroupStory,
    LeaseHolder,
    LeaseStage,
    LeaseStory,
    Message,
    NodeRoom,
    ObjectStage,
    ObjectStory,
    ProcessStory,
    QueueTurn,
)
from raysim.spec.actor import ActorState
from raysim.spec.address import Address
from raysim.spec.explanation import Explanation, Reason
from raysim.spec.ids import ActorId, IdSource, driver_task, job_id, named_node_id
from raysim.spec.placement_group import GroupState
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import address

IDS = IdSource(driver_task(job_id(1)))
OWNER = address("owner", "here")
WORKER = address("worker", "there")
RAYLET = address("here")
GCS = address("head")
ACTOR = ActorId(b"actor of a test.")
TASK = IDS.task()


class Cluster:
    """Answers by what is asked for; silent where nothing is scripted."""

    def __init__(self) -> None:
        self.objects: dict[bytes, ObjectStory] = {}
        self.leases: dict[int, LeaseStory] = {}
        self.actors: dict[bytes, ActorStory] = {}
        self.groups: dict[bytes, GroupStory] = {}
        self.processes: dict[bytes, ProcessStory] = {}
        self.asked: list[tuple[Address, Message]] = []

    def new(self, stage: ObjectStage, **more: Any) -> ContainedRef:
        """An object about which its owner says this."""
        ref = ContainedRef(IDS.put(), OWNER)
        self.tell(ref, stage, **more)
        return ref

    def tell(self, ref: ContainedRef, stage: ObjectStage, **more: Any) -> None:
        more = {"task_id": TASK, "name": "work", **more}
        self.objects[ref.object_id] = ObjectStory(stage, **more)

    def answer(self, to: Address, message: Message) -> Any:
        self.asked.append((to, message))
        match message:
            case ExplainObject(object_id=object_id):
                return self.objects.get(object_id)
            case ExplainLease(lease_id=lease_id):
                return self.leases.get(lease_id)
            case ExplainActor(actor_id=actor_id):
                return self.actors.get(actor_id)
            case ExplainGroup(group_id=group_id):
                assert to == GCS
                return self.groups.get(group_id)
            case ExplainProcess():
                return self.processes.get(to.worker_id)
        raise AssertionError(f"nobody asks {message}")

    def explain(self, ref: ContainedRef) -> Explanation:
        inquiry = Inquiry(GCS)
        inquiry.names = {named_node_id("here"): "here"}
        steps = inquiry.object(ref)
        answer: Any = None
        try:
            while True:
                to, make = steps.send(answer)
                answer = self.answer(to, make(len(self.asked)))
        except StopIteration as stop:
            return stop.value


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


def running(*awaited: ContainedRef, task=TASK) -> ProcessStory:
    return ProcessStory([CallSeen(task, "work", 2_000_000_000)], list(awaited))


def test_owner_that_does_not_answer(cluster):
    found = cluster.explain(ContainedRef(IDS.put(), OWNER))
    assert found.reason is Reason.NO_ANSWER
    assert "node here" in found.text


def test_worker_that_does_not_answer(cluster):
    found = cluster.explain(cluster.new(ObjectStage.PUSHED, worker=WORKER))
    assert found.reason is Reason.NO_ANSWER
    assert found.node_id == WORKER.node_id.hex()


def test_object_that_nobody_has(cluster):
    assert cluster.explain(cluster.new(ObjectStage.UNKNOWN)).reason is Reason.GONE


def test_running_call_is_timed_by_its_worker(cluster):
    ref = cluster.new(ObjectStage.PUSHED, worker=WORKER, for_ns=9_000_000_000)
    cluster.processes[WORKER.worker_id] = running()
    found = cluster.explain(ref)
    assert (found.reason, found.for_s) == (Reason.RUNNING, 2.0)
    assert found.task_id == TASK.hex()


def test_call_that_waits_in_its_worker_for_an_object(cluster):
    inner = cluster.new(ObjectStage.READY, text="somewhere")
    cluster.processes[WORKER.worker_id] = running(inner)
    found = cluster.explain(cluster.new(ObjectStage.PUSHED, worker=WORKER))
    assert found.reason is Reason.BLOCKED
    assert [one.reason for one in found.because] == [Reason.READY]


def test_objects_that_wait_for_each_other_are_a_cycle(cluster):
    one, other = cluster.new(ObjectStage.UNKNOWN), cluster.new(ObjectStage.UNKNOWN)
    cluster.tell(one, ObjectStage.ARGUMENTS, name="one", arguments=[other])
    cluster.tell(other, ObjectStage.ARGUMENTS, name="other", arguments=[one])
    outer = cluster.new(ObjectStage.ARGUMENTS, name="outer", arguments=[one])
    (cause,) = cluster.explain(outer).causes()
    assert cause.reason is Reason.CYCLE
    assert cause.cycle == [one.object_id.hex(), other.object_id.hex()]
    assert "outer" not in cause.text


def test_call_that_waits_for_itself(cluster):
    ref = cluster.new(ObjectStage.UNKNOWN)
    cluster.tell(ref, ObjectStage.PUSHED, worker=WORKER)
    cluster.processes[WORKER.worker_id] = running(ref)
    (cause,) = cluster.explain(ref).causes()
    assert cause.reason is Reason.CYCLE
    assert "itself" in cause.text


def test_object_met_on_two_ways_is_no_cycle(cluster):
    shared = cluster.new(ObjectStage.READY, text="somewhere")
    left = cluster.new(ObjectStage.ARGUMENTS, arguments=[shared])
    right = cluster.new(ObjectStage.ARGUMENTS, arguments=[shared])
    causes = cluster.explain(cluster.new(ObjectStage.ARGUMENTS, arguments=[left, right])).causes()
    assert [cause.reason for cause in causes] == [Reason.READY, Reason.READY]


def test_cycle_through_who_holds_what(cluster):
    ref = cluster.new(ObjectStage.UNKNOWN)
    cluster.tell(ref, ObjectStage.LEASE, leases=[(4, RAYLET)])
    holder = LeaseHolder(WORKER, {"GPU": 1.0}, 5)
    cluster.leases[4] = LeaseStory(
        LeaseStage.QUEUED,
        need=fixed({"GPU": 1}),
        nodes=[NodeRoom(named_node_id("here"), {"GPU": 1.0}, True)],
        holders=[holder],
    )
    cluster.processes[WORKER.worker_id] = running(ref, task=IDS.task())
    found = cluster.explain(ref)
    assert found.reason is Reason.NO_ROOM
    assert found.nodes[0].name == "here"
    assert "work" in found.holders[0].who
    assert [cause.reason for cause in found.causes()] == [Reason.CYCLE]


@pytest.mark.parametrize(
    ("turn", "reason", "told"),
    [
        (
            QueueTurn("sjf", True, 2, False, fixed({"CPU": 4}), "al", 3_000_000_000),
            Reason.NO_ROOM,
            "under the order of the queue, sjf, 2 come first, the first of them CPU=4 of al, which has waited for 3 s.",
        ),
        (
            QueueTurn("fcfs", False, 1, True, fixed({"CPU": 4}), "ann", 3_000_000_000),
            Reason.NOT_ITS_TURN,
            "there is room, but under the order of the queue, fcfs, 1 came before it, the first of them CPU=4 of ann",
        ),
        (
            QueueTurn("easy", False, 0, False),
            Reason.NO_ROOM,
            "under the order of the queue, easy, nobody is before it.",
        ),
        (
            QueueTurn("mine.py:Lazy", False, 0, True),
            Reason.NOT_ITS_TURN,
            "there is room, but under the order of the queue, mine.py:Lazy, it is to wait.",
        ),
    ],
)
def test_call_that_waits_for_its_turn(cluster, turn, reason, told):
    ref = cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)])
    cluster.leases[1] = LeaseStory(LeaseStage.QUEUED, need=fixed({"CPU": 1}), turn=turn)
    found = cluster.explain(ref)
    assert found.reason is reason
    assert f"for 0 s; {told}" in found.text


def test_call_that_a_policy_had_wait_where_it_is(cluster):
    ref = cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)])
    story = LeaseStory(LeaseStage.QUEUED, need=fixed({"CPU": 1}), ahead=2, queued_by="late_binding")
    cluster.leases[1] = story
    told = "where the policy late_binding had it wait, behind 2 like it."
    assert cluster.explain(ref).text.endswith(told)


def test_environment_that_is_being_set_up(cluster):
    ref = cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)])
    cluster.leases[1] = LeaseStory(
        LeaseStage.SETTING_UP, for_ns=3_000_000_000, runtime_env='{"pip":["hammer"]}'
    )
    found = cluster.explain(ref)
    assert (found.reason, found.for_s) == (Reason.ENV_SETTING_UP, 3)
    assert '{"pip":["hammer"]}' in found.text


def test_lost_object_that_is_made_again(cluster):
    ref = cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)], rebuilt=True, attempt=1)
    cluster.leases[1] = LeaseStory(LeaseStage.STARTING, for_ns=1_000_000_000)
    found = cluster.explain(ref)
    assert found.reason is Reason.WORKER_STARTING
    assert "was lost and is being rebuilt" in found.text
    assert "attempt 2" in found.text


def test_grant_that_is_under_way(cluster):
    cluster.leases[1] = LeaseStory(LeaseStage.GRANTED)
    found = cluster.explain(cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)]))
    assert found.reason is Reason.MESSAGE_UNDER_WAY


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (ActorStory(None), Reason.ACTOR_PENDING),
        (ActorStory(ActorState.DEAD, "A", "it was killed"), Reason.ACTOR_DEAD),
        (ActorStory(ActorState.ALIVE, "A"), Reason.MESSAGE_UNDER_WAY),
        (ActorStory(ActorState.RESTARTING, "A"), Reason.ACTOR_RESTARTING),
        (ActorStory(ActorState.PENDING_CREATION, "A"), Reason.ACTOR_PENDING),
    ],
)
def test_states_of_the_actor(cluster, story, reason):
    cluster.actors[ACTOR] = story
    found = cluster.explain(cluster.new(ObjectStage.ACTOR, actor_id=ACTOR))
    assert found.reason is reason
    assert found.actor_id == ACTOR.hex()


def test_lease_of_an_actor_is_the_gcss(cluster):
    cluster.actors[ACTOR] = ActorStory(ActorState.RESTARTING, "A", raylet=RAYLET, lease_id=9)
    cluster.leases[9] = LeaseStory(LeaseStage.STARTING)
    found = cluster.explain(cluster.new(ObjectStage.ACTOR, actor_id=ACTOR))
    assert found.causes()[0].reason is Reason.WORKER_STARTING
    assert (RAYLET, ExplainLease(2, GCS.worker_id, 9)) in cluster.asked


def test_environment_that_is_set_up_is_no_worker_that_starts(cluster):
    ref = cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)])
    cluster.leases[1] = LeaseStory(
        LeaseStage.SETTING_UP, for_ns=5_000_000_000, runtime_env="pip: numpy"
    )
    found = cluster.explain(ref)
    assert found.reason is Reason.ENV_SETTING_UP
    assert "pip: numpy is being set up" in str(found)
    assert found.for_s == 5


# --- placement groups ---


@pytest.fixture
def group():
    return IDS.placement_group()


def story_of_group(**more: Any) -> GroupStory:
    bundles = [fixed({"CPU": 9}), fixed({"GPU": 1})]
    return GroupStory(GroupState.PENDING, "gang", "PACK", unplaced=bundles, **more)


@pytest.mark.parametrize(
    ("more", "reason", "words"),
    [
        (
            {"tight": fixed({"CPU": 9}), "ever": False},
            Reason.INFEASIBLE,
            "No node could ever have room for CPU=9",
        ),
        ({"tight": fixed({"GPU": 1})}, Reason.NO_ROOM, "No node has room for GPU=1"),
        ({}, Reason.NO_ROOM, "Each alone has room somewhere, but not all of them at once"),
        ({"ever": False}, Reason.INFEASIBLE, "could never hold all of them at once"),
        ({"placed": 1}, Reason.NO_ROOM, "needs places for 2 bundles, and keeps 1: CPU=9 + GPU=1"),
    ],
)
def test_group_that_has_no_places(cluster, group, more, reason, words):
    ref = cluster.new(ObjectStage.NO_CALL, group_id=group, name="")
    lacking = [NodeRoom(named_node_id("here"), {"CPU": 5.0}, False)]
    cluster.groups[group] = story_of_group(nodes=lacking, **more)
    found = cluster.explain(ref)
    assert found.reason is Reason.PLACEMENT_GROUP
    (cause,) = found.because
    assert cause.reason is reason
    assert words in cause.text
    assert "gang" in cause.text
    assert ("node here lacks CPU=5" in str(found)) is ("tight" in more)


@pytest.mark.parametrize(
    ("story", "reason"),
    [
        (None, Reason.NO_ANSWER),
        (GroupStory(GroupState.REMOVED), Reason.GONE),
        (GroupStory(GroupState.PREPARED), Reason.MESSAGE_UNDER_WAY),
        (GroupStory(GroupState.CREATED), Reason.MESSAGE_UNDER_WAY),
    ],
)
def test_other_states_of_a_group(cluster, group, story, reason):
    ref = cluster.new(ObjectStage.NO_CALL, group_id=group)
    if story is not None:
        cluster.groups[group] = story
    assert cluster.explain(ref).causes()[0].reason is reason


def test_request_inside_a_group_is_explained_by_the_group(cluster, group):
    ref = cluster.new(ObjectStage.LEASE, leases=[(1, RAYLET)])
    cluster.leases[1] = LeaseStory(LeaseStage.INFEASIBLE, need=fixed({"CPU": 1}), group_id=group)
    cluster.groups[group] = story_of_group(ever=False)
    found = cluster.explain(ref)
    assert found.reason is Reason.PLACEMENT_GROUP
    assert found.causes()[0].reason is Reason.INFEASIBLE


def test_pending_object_that_stands_for_nothing_that_is_known(cluster):
    assert cluster.explain(cluster.new(ObjectStage.NO_CALL)).reason is Reason.NOT_FOLLOWED


def test_inquiry_ends_however_long_the_chain_is(cluster):
    ref = cluster.new(ObjectStage.READY)
    for _ in range(2 * QUESTIONS):
        ref = cluster.new(ObjectStage.ARGUMENTS, arguments=[ref])
    (cause,) = cluster.explain(ref).causes()
    assert cause.reason is Reason.NOT_FOLLOWED
    assert len(cluster.asked) <= QUESTIONS


def test_text_is_indented_by_what_waits_for_what(cluster):
    inner = cluster.new(ObjectStage.READY, text="with its owner, 3 bytes")
    outer = cluster.new(ObjectStage.ARGUMENTS, arguments=[inner])
    first, second = str(cluster.explain(outer)).splitlines()
    assert first == f"Call work ({TASK.hex()[:8]}) waits for an argument."
    assert second == f"  Object {inner.object_id.hex()} is ready with its owner, 3 bytes."

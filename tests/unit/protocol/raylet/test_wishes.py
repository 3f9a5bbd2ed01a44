"""Labels, GPUs, workers that retire, and what a raylet answers when somebody wonders."""

from raysim.protocol.messages import (
    ExitWorker,
    ExplainLease,
    LeaseExplained,
    LeaseStage,
    LeaseStory,
    ReturnWorkerLease,
    WorkerBlocked,
    WorkerExiting,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkInfeasible,
)
from raysim.spec.address import Address
from raysim.spec.labels import of_node, parse_selector
from raysim.spec.node import NodeInfo
from raysim.spec.resources import fixed
from raysim.spec.task import NodeAffinity, NodeLabels
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import ACTOR, GCS, Node, joined

OWNER = address("owner", "here")
ZONE_B = parse_selector({"zone": "b"})


def join(node: Node, name: str, cpus: float, **labels: str) -> Address:
    at = address(name)
    told = NodeInfo(at, fixed({"CPU": cpus}), name, labels=of_node(at.node_id, labels))
    node.tell(GCS, joined(told))
    return at


def why(node: Node, lease_id: int, owner: Address = OWNER) -> LeaseStory:
    sent = node.tell(address("curious", "here"), ExplainLease(7, owner.worker_id, lease_id))
    ((_, answer),) = sent
    assert isinstance(answer, LeaseExplained)
    assert answer.number == 7
    return answer.story


def gpus_of(node: Node) -> dict[int, list[int]]:
    """By lease."""
    return {m.lease_id: m.accelerators.get("GPU", []) for _, m in node.host.of(WorkerLeaseGranted)}


def gpus(count: float) -> dict[str, int]:
    return fixed({"GPU": count})


# Labels


def test_request_goes_to_the_node_with_its_labels():
    node = Node()
    there = join(node, "there", 2, zone="b")
    node.ask(OWNER, 1, selectors=(ZONE_B,))
    assert node.spilled() == {1: there}


def test_request_waits_until_a_node_with_its_labels_joins():
    node = Node()
    node.ask(OWNER, 1, selectors=(ZONE_B,))
    node.ask(OWNER, 2, strategy=NodeLabels(ZONE_B))
    assert node.spilled() == {}
    there = join(node, "there", 2, zone="b")
    assert node.spilled() == {1: there, 2: there}


def test_requests_with_other_labels_do_not_wait_behind_each_other():
    """They need the same resources, but not of the same nodes."""
    node = Node(1)
    there = join(node, "there", 1, zone="b")
    here = parse_selector({"ray.io/node-id": node.info.address.node_id.hex()})
    node.lease(OWNER, 1)
    node.ask(OWNER, 2, selectors=(here,))
    node.ask(OWNER, 3, selectors=(ZONE_B,))
    assert node.spilled() == {3: there}


def test_spilled_request_is_kept_whatever_its_labels_prefer():
    """The raylet that sent it here knew the labels: judging again would send it round."""
    node = Node()
    join(node, "there", 2, zone="b")
    node.ask(OWNER, 1, hops=1, selectors=(ZONE_B, ()))
    assert node.spilled() == {}


def test_named_node_without_room_refuses_who_will_not_wait():
    node = Node(1)
    node.lease(OWNER, 1)
    here = node.info.address.node_id
    sent = node.ask(OWNER, 2, strategy=NodeAffinity(here, fail_on_unavailable=True))
    ((_, refused),) = sent
    assert isinstance(refused, WorkerLeaseRefused)
    assert "no room now" in refused.failure.text


def test_named_node_without_room_is_left_by_who_may_go_elsewhere():
    node = Node(1)
    there = join(node, "there", 1)
    node.lease(OWNER, 1)
    here = node.info.address.node_id
    node.ask(OWNER, 2, strategy=NodeAffinity(here, soft=True, spill_on_unavailable=True))
    assert node.spilled() == {2: there}


# GPUs


def test_grant_tells_the_gpus_of_the_lease():
    node = Node(8, GPU=3)
    for lease_id, count in [(1, 1), (2, 0.5), (3, 0.5), (4, 1)]:
        node.lease(OWNER, lease_id, gpus(count))
    assert gpus_of(node) == {1: [0], 2: [1], 3: [1], 4: [2]}


def test_repeated_request_is_told_the_same_gpus():
    node = Node(8, GPU=2)
    node.lease(OWNER, 1, gpus(1))
    ((_, granted),) = node.ask(OWNER, 1, gpus(1))
    assert isinstance(granted, WorkerLeaseGranted)
    assert granted.accelerators == {"GPU": [0]}


def test_whole_gpu_waits_for_one_that_is_wholly_free():
    node = Node(8, GPU=2)
    node.lease(OWNER, 1, gpus(0.6))
    node.lease(OWNER, 2, gpus(0.6))
    node.ask(OWNER, 3, gpus(0.5))
    assert 3 not in gpus_of(node)
    assert node.free("GPU") == 0.8
    node.tell(OWNER, ReturnWorkerLease(1))
    assert gpus_of(node)[3] == [0]


def test_gpus_of_a_worker_that_died_are_free():
    node = Node(8, GPU=1)
    node.lease(OWNER, 1, gpus(1))
    node.end_worker(1)
    node.lease(OWNER, 2, gpus(1))
    assert gpus_of(node)[2] == [0]


def test_gpus_of_a_request_that_was_starting_are_free_when_its_owner_goes():
    node = Node(8, GPU=1)
    node.ask(OWNER, 1, gpus(1))
    node.lose(OWNER)
    other = address("other", "here")
    node.lease(other, 1, gpus(1))
    assert gpus_of(node)[1] == [0]


def test_actor_keeps_its_gpus():
    node = Node(8, GPU=1)
    node.ask(OWNER, 1, gpus(1), actor_id=ACTOR, lifetime=gpus(1))
    node.worker_up(1)
    assert gpus_of(node) == {1: [0]}
    node.ask(OWNER, 2, gpus(1))
    assert 2 not in gpus_of(node)


# max_calls


def test_worker_that_retires_is_told_to_exit_and_not_lent_again():
    node = Node(1)
    worker = node.lease(OWNER, 1)
    sent = node.tell(OWNER, ReturnWorkerLease(1, worker_retires=True))
    assert [to for to, message in sent if isinstance(message, ExitWorker)] == [worker]
    assert node.free() == 1
    assert node.lease(OWNER, 2) != worker


def test_worker_that_retires_may_take_its_time():
    """Others still need what it owns; its node goes on without it."""
    node = Node(1)
    worker = node.lease(OWNER, 1)
    node.tell(OWNER, ReturnWorkerLease(1, worker_retires=True))
    node.lease(OWNER, 2)
    assert node.host.workers.killed == []
    node.tell(worker, WorkerExiting("done", intended=True))
    node.end_worker(1)
    assert node.free() == 0


# Why


def test_why_a_request_waits_for_room():
    node = Node(2)
    join(node, "small", 1)
    first = node.lease(OWNER, 1, fixed({"CPU": 1.5}))
    node.host.advance(1_000)
    node.ask(OWNER, 2, fixed({"CPU": 2}))
    node.ask(OWNER, 3, fixed({"CPU": 2}))
    node.host.advance(500)
    story = why(node, 3)
    assert story.stage is LeaseStage.QUEUED
    assert (story.ahead, story.for_ns) == (1, 500)
    here, small = story.nodes
    assert (here.lacks, here.ever) == ({"CPU": 1.5}, True)
    assert (small.lacks, small.ever) == ({"CPU": 1.0}, False)
    (holder,) = story.holders
    assert (holder.worker, holder.held, holder.for_ns) == (first, {"CPU": 1.5}, 1_500)


def test_cpus_that_a_waiting_worker_lends_are_not_held_against_it():
    node = Node(1)
    worker = node.lease(OWNER, 1)
    node.tell(worker, WorkerBlocked(1))
    node.lease(OWNER, 2)
    node.ask(OWNER, 3)
    (holder,) = why(node, 3).holders
    assert holder.worker != worker


def test_why_a_gpu_in_parts_does_not_do():
    node = Node(8, GPU=2)
    node.lease(OWNER, 1, gpus(0.6))
    node.lease(OWNER, 2, gpus(0.6))
    node.ask(OWNER, 3, gpus(0.5))
    story = why(node, 3)
    assert "not in one piece" in story.nodes[0].why
    assert [holder.held for holder in story.holders] == [{"GPU": 0.6}] * 2


def test_why_no_node_could_ever_run_it():
    node = Node()
    join(node, "there", 1, zone="c")
    node.ask(OWNER, 1, selectors=(ZONE_B,))
    story = why(node, 1)
    assert story.stage is LeaseStage.INFEASIBLE
    assert all("zone=b" in room.why and not room.ever for room in story.nodes)


def test_worker_that_starts_and_lease_that_is_granted():
    node = Node()
    node.ask(OWNER, 1)
    node.host.advance(300)
    assert (why(node, 1).stage, why(node, 1).for_ns) == (LeaseStage.STARTING, 300)
    worker = node.worker_up(1)
    assert (why(node, 1).stage, why(node, 1).worker) == (LeaseStage.GRANTED, worker)


def test_nothing_is_known_of_what_was_never_asked_or_has_ended():
    node = Node()
    assert why(node, 1).stage is LeaseStage.UNKNOWN
    node.lease(OWNER, 1)
    node.tell(OWNER, ReturnWorkerLease(1))
    assert why(node, 1).stage is LeaseStage.UNKNOWN


# Warnings


def warnings(node: Node) -> list[str]:
    return [message.text for _, message in node.host.of(WorkInfeasible)]


def test_owner_is_warned_more_and_more_rarely_of_what_no_node_could_ever_run():
    node = Node()
    period_ns = node.host.config.infeasible_warning_period_ns
    for lease_id in (1, 2, 3):
        node.ask(OWNER, lease_id, fixed({"GPU": 1}))
    node.host.advance(period_ns - 1)
    assert warnings(node) == []
    node.host.advance(1)
    (text,) = warnings(node)
    assert "GPU=1" in text
    said = []
    for _ in range(15):
        node.host.advance(period_ns)
        said.append(len(warnings(node)))
    assert said == [2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4, 5]


def test_what_is_asked_for_anew_is_warned_of_after_one_period():
    node = Node()
    period_ns = node.host.config.infeasible_warning_period_ns
    node.ask(OWNER, 1, fixed({"GPU": 1}))
    node.host.advance(20 * period_ns)
    before = len(warnings(node))
    node.ask(OWNER, 2, fixed({"GPU": 2}))
    node.host.advance(period_ns)
    assert ["GPU=2" in text for text in warnings(node)[before:]] == [True]


def test_warnings_end_when_a_node_joins_that_can_run_it():
    node = Node()
    node.ask(OWNER, 1, selectors=(ZONE_B,))
    join(node, "there", 2, zone="b")
    node.host.advance(3 * node.host.config.infeasible_warning_period_ns)
    assert warnings(node) == []


def test_what_only_has_to_wait_is_not_warned_of():
    node = Node(1)
    node.lease(OWNER, 1)
    node.ask(OWNER, 2)
    node.host.advance(3 * node.host.config.infeasible_warning_period_ns)
    assert warnings(node) == []

"""A raylet hears of the other nodes while it has to choose among them, and of none otherwise."""

from raysim.config import Config
from raysim.protocol.messages import (
    CancelWorkerLease,
    ExplainLease,
    LeaseExplained,
    LeaseStage,
    NodeRegistered,
    WatchNodes,
    WorkerLeaseGranted,
    WorkerLeaseRefused,
    WorkerLeaseRejected,
    WorkerLeaseSpilled,
)
from raysim.spec.labels import parse_selector
from raysim.spec.node import NodeView
from raysim.spec.resources import fixed
from raysim.spec.task import NodeAffinity
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, Node, info, joined

OWNER = address("owner", "here")
THERE = address("there")
CPU2 = fixed({"CPU": 2})


def fresh(cpus: float = 1) -> Node:
    """It has registered, and knows no other node."""
    node = Node(cpus=cpus, registered=False, config=Config())
    node.tell(GCS, NodeRegistered())
    node.host.take()
    return node


def watches(node: Node) -> list[bool]:
    return [watch.on for _, watch in node.host.of(WatchNodes)]


def test_a_node_that_chooses_nothing_does_not_watch() -> None:
    node = fresh()
    node.ask(OWNER, 1, hops=1)
    node.worker_up(node.host.workers.started[-1])
    assert list(node.granted(OWNER)) == [1]
    assert watches(node) == []


def test_the_first_choice_waits_for_the_view() -> None:
    """Decided at once, everything would stay here, whatever the strategy says."""
    node = fresh()
    assert node.ask(OWNER, 1, CPU2) == [(GCS, WatchNodes(True))]
    sent = node.tell(GCS, joined(node.info, info("there", 4), whole=True))
    assert (OWNER, WorkerLeaseSpilled(1, THERE, 1, grant_or_reject=True)) in sent


def test_nothing_is_called_infeasible_before_the_view() -> None:
    """This node could run it, and nobody has chosen yet."""
    node = fresh()
    node.ask(OWNER, 1)
    ((_, answer),) = node.tell(address("curious", "here"), ExplainLease(7, OWNER.worker_id, 1))
    assert isinstance(answer, LeaseExplained)
    assert answer.story.stage is LeaseStage.UNKNOWN


def test_a_part_of_the_view_is_not_the_view() -> None:
    """It was on its way before the watch was asked for."""
    node = fresh()
    node.ask(OWNER, 1, CPU2)
    assert node.tell(GCS, joined(info("there", 4))) == []
    node.tell(GCS, joined(node.info, info("yonder", 4), whole=True))
    assert 1 in node.spilled()


def test_a_gcs_that_does_not_answer_is_asked_again_and_stops_nobody() -> None:
    node = fresh(cpus=4)
    node.ask(OWNER, 1)
    assert not node.host.workers.started
    node.host.advance(node.host.config.request_retry_ns)
    node.worker_up(node.host.workers.started[-1])
    assert list(node.granted(OWNER)) == [1]
    assert watches(node) == [True, True]


def test_a_gcs_that_returned_is_told_who_watches() -> None:
    node = fresh(cpus=4)
    node.ask(OWNER, 1)
    node.tell(GCS, joined(node.info, whole=True))
    node.lose(GCS)
    node.host.take()
    assert (GCS, WatchNodes(True)) in node.tell(GCS, NodeRegistered())


def test_the_watch_ends_a_while_after_the_last_choice() -> None:
    node = fresh(cpus=4)
    node.ask(OWNER, 1)
    node.tell(GCS, joined(node.info, info("there", 4), whole=True))
    keep_ns = node.host.config.node_watch_keep_ns
    node.host.advance(keep_ns // 2)
    node.ask(OWNER, 2)
    node.host.advance(keep_ns - 1)
    assert watches(node) == [True]
    node.host.advance(1)
    assert watches(node) == [True, False]
    assert list(node.raylet.view.nodes) == [node.info.address.node_id]


def test_the_watch_lasts_while_something_waits_here() -> None:
    """It may go to a node that comes free."""
    node = fresh()
    node.tell(GCS, joined(node.info, whole=True))
    node.lease(OWNER, 1)
    node.ask(OWNER, 2)
    node.host.advance(5 * node.host.config.node_watch_keep_ns)
    node.tell(GCS, joined(info("there", 1)))
    assert node.spilled() == {2: THERE}


def test_a_cancelled_request_that_waited_for_the_view_is_not_placed() -> None:
    node = fresh(cpus=4)
    node.ask(OWNER, 1)
    node.tell(OWNER, CancelWorkerLease(1))
    node.tell(GCS, joined(node.info, whole=True))
    assert not node.host.workers.started


# --- grant or reject ------------------------------------------------------------------------------


def test_a_request_that_finds_no_room_where_some_was_seen_is_rejected_with_what_is_there() -> None:
    node = fresh()
    node.ask(OWNER, 1, hops=1)
    ((to, rejected),) = node.ask(address("other"), 7, hops=1, grant_or_reject=True)
    assert to == address("other")
    assert isinstance(rejected, WorkerLeaseRejected)
    assert (rejected.lease_id, rejected.node.address) == (7, node.info.address)
    assert rejected.node.available == {"CPU": 0}
    assert node.raylet.view.local.queued == 0


def test_a_rejection_is_repeated_to_who_asks_again() -> None:
    """The first answer may be lost."""
    node = fresh()
    node.ask(OWNER, 1, hops=1)
    for _ in range(2):
        sent = node.ask(address("other"), 7, hops=1, grant_or_reject=True)
        assert isinstance(sent[0][1], WorkerLeaseRejected)


def test_what_is_shown_of_a_node_that_rejects_is_not_written_to_later() -> None:
    node = fresh()
    node.ask(OWNER, 1, hops=1)
    ((_, rejected),) = node.ask(address("other"), 7, hops=1, grant_or_reject=True)
    assert isinstance(rejected, WorkerLeaseRejected)
    node.end_worker(node.host.workers.started[-1])
    node.raylet.view.local.available["CPU"] = 10_000
    assert rejected.node.available == {"CPU": 0}


def test_a_rejected_request_goes_to_another_node() -> None:
    """The view of the node that rejected it is older than the rejection."""
    node = Node(cpus=0, others={"there": 1, "yonder": 1})
    node.ask(OWNER, 1)
    [first] = node.spilled().values()
    full = NodeView(first, fixed({"CPU": 1}), {"CPU": 0})
    node.ask(OWNER, 1, hops=1, rejected_by=full)
    [second] = node.spilled().values()
    assert second != first


def test_a_request_for_one_node_waits_there() -> None:
    node = Node(cpus=1, others={"there": 1})
    node.view_of("there", cpus=1, version=1, free=0)
    node.ask(OWNER, 1, strategy=NodeAffinity(THERE.node_id, False))
    ((_, spilled),) = node.host.of(WorkerLeaseSpilled)
    assert spilled.grant_or_reject is False
    assert node.host.of(WorkerLeaseGranted) == []


def test_a_request_for_a_node_that_only_the_gcs_could_tell_of_waits_for_the_gcs() -> None:
    """It answers nothing for a while: nobody can say that there is no such node."""
    node = fresh()
    node.ask(OWNER, 1, strategy=NodeAffinity(THERE.node_id))
    node.host.advance(10 * node.host.config.request_retry_ns)
    assert node.host.of(WorkerLeaseRefused) == []
    node.tell(GCS, joined(node.info, info("there", 1), whole=True))
    assert node.spilled() == {1: THERE}


def test_a_request_for_a_node_is_refused_when_the_gcs_has_told_of_all_others() -> None:
    node = fresh()
    node.ask(OWNER, 1, strategy=NodeAffinity(THERE.node_id))
    node.host.advance(3 * node.host.config.request_retry_ns)
    node.tell(GCS, joined(node.info, whole=True))
    node.host.advance(node.host.config.request_retry_ns)
    assert [to for to, _ in node.host.of(WorkerLeaseRefused)] == [OWNER]


def test_a_rejected_request_does_not_run_where_its_labels_exclude_it() -> None:
    """It came back: that it has been elsewhere does not mean that it was sent here."""
    node = Node(cpus=1, others={"there": 1})
    full = NodeView(THERE, fixed({"CPU": 1}), {"CPU": 0}, labels={"zone": "b"})
    selectors = (parse_selector({"zone": "b"}),)
    node.ask(OWNER, 1, hops=1, rejected_by=full, selectors=selectors)
    assert not node.host.workers.started
    assert node.spilled() == {1: THERE}


def test_who_names_a_node_is_waited_for_at_the_end_of_its_hops_too() -> None:
    """It came round so often because that node was full; without the view nobody would send it there again."""
    node = fresh()
    full = NodeView(THERE, fixed({"CPU": 1}), {"CPU": 0})
    wish = NodeAffinity(THERE.node_id, soft=False)
    hops = node.host.config.max_spillback_hops
    node.ask(OWNER, 1, strategy=wish, hops=hops, rejected_by=full)
    assert watches(node) == [True]

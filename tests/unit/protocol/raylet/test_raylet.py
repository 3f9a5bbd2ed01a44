from raysim.protocol.messages import (
    CheckHealth,
    CheckProcesses,
    Healthy,
    NodeRefused,
    NodeRegistered,
    NodeRemoved,
    RegisterDriver,
    RegisterNode,
    ReportResources,
    ReturnWorkerLease,
    WorkerDied,
    WorkerRegistered,
)
from raysim.spec.address import Address
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import CPU1, GCS, MS, Node


def test_node_registers_until_it_is_answered() -> None:
    node = Node(registered=False)
    node.host.advance(node.host.config.request_retry_ns)
    register = (GCS, RegisterNode(node.info))
    assert node.host.take() == [register, register]
    node.tell(GCS, NodeRegistered())
    node.host.take()
    node.host.advance(5 * node.host.config.request_retry_ns)
    assert node.host.of(RegisterNode) == []


def test_node_registers_again_with_a_gcs_that_was_lost() -> None:
    node = Node()
    node.lose(GCS)
    node.lose(GCS)
    assert node.host.sent == [], "not at once: a refused connection would make it a busy loop"
    node.host.advance(node.host.config.request_retry_ns)
    assert [to for to, _ in node.host.of(RegisterNode)] == [GCS]
    node.tell(GCS, NodeRegistered())
    node.host.take()
    node.host.advance(5 * node.host.config.request_retry_ns)
    assert node.host.of(RegisterNode) == []


def test_refused_node_stops(node: Node) -> None:
    node.tell(GCS, NodeRefused("it was declared dead"))
    assert len(node.host.stopped) == 1
    assert "it was declared dead" in node.host.stopped[0]


def test_node_that_hears_of_its_own_death_stops(node: Node) -> None:
    node.tell(GCS, NodeRemoved(node.info.address.node_id, "no answer"))
    assert len(node.host.stopped) == 1


def test_health_check_is_answered_with_its_number(node: Node) -> None:
    assert node.tell(GCS, CheckHealth(7)) == [(GCS, Healthy(7))]


def test_driver_that_comes_before_the_node_belongs_to_the_cluster_waits(owner: Address) -> None:
    node = Node(registered=False)
    assert node.tell(owner, RegisterDriver(1)) == []
    sent = node.tell(GCS, NodeRegistered())
    assert sent == [(owner, WorkerRegistered(GCS, "here"))]


def test_repeated_registration_of_a_driver_is_answered_again(node: Node, owner: Address) -> None:
    first = node.tell(owner, RegisterDriver(1))
    assert first == [(owner, WorkerRegistered(GCS, "here"))]
    assert node.tell(owner, RegisterDriver(1)) == first


def test_lost_node_is_told_to_every_process_of_this_node_once(node: Node, owner: Address) -> None:
    node.tell(owner, RegisterDriver(1))
    worker = node.lease(owner, 1)
    removed = NodeRemoved(address("there").node_id, "no answer")
    assert node.tell(GCS, removed) == [(worker, removed), (owner, removed)]
    assert node.tell(GCS, removed) == []


def test_end_of_a_driver_is_reported_to_the_gcs(node: Node, owner: Address) -> None:
    node.tell(owner, RegisterDriver(1))
    node.lease(owner, 1)
    sent = node.lose(owner)
    assert [type(message) for to, message in sent if to == GCS] == [WorkerDied]
    assert node.host.workers.killed == [1]


# Reports


def reports(node: Node) -> list[ReportResources]:
    return [message for _, message in node.host.of(ReportResources)]


def test_idle_node_reports_nothing(node: Node) -> None:
    node.host.advance(10 * MS)
    node.host.take()
    node.host.advance(3_600_000 * MS)
    assert node.host.sent == []
    assert node.host.timers == []


def test_changes_within_a_period_are_one_report_with_the_last_figures(
    node: Node, owner: Address
) -> None:
    node.host.advance(1_000 * MS)
    node.host.take()
    node.lease(owner, 1)
    node.lease(owner, 2)
    node.host.advance(0)
    [first] = reports(node)
    assert first.available == {"CPU": 20_000}
    node.tell(owner, ReturnWorkerLease(1))
    node.lease(owner, 3)
    node.tell(owner, ReturnWorkerLease(2))
    node.host.advance(99 * MS)
    assert len(reports(node)) == 1
    node.host.advance(1 * MS)
    [_, second] = reports(node)
    assert second.available == {"CPU": 30_000}
    assert second.version > first.version


def test_report_follows_even_if_all_is_as_before(node: Node, owner: Address) -> None:
    """Others deducted the request from their views: only a newer version corrects them."""
    node.host.advance(1_000 * MS)
    node.host.take()
    node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    node.host.advance(0)
    [report] = reports(node)
    assert report.available == {"CPU": 40_000}


def test_report_follows_a_grant_whose_worker_had_to_be_started(node: Node, owner: Address) -> None:
    """The one before had what it holds taken already: for who has asked it counts twice, once the grant is there."""
    node.host.advance(1_000 * MS)
    node.host.take()
    node.ask(owner, 1)
    node.host.advance(500 * MS)
    [before] = reports(node)
    assert before.available == {"CPU": 30_000}
    node.worker_up(node.host.workers.started[-1])
    assert 1 in node.granted(owner)
    node.host.advance(100 * MS)
    [_, after] = reports(node)
    assert after.available == {"CPU": 30_000}
    node.ask(owner, 1)  # As if the grant had been lost.
    node.host.advance(100 * MS)
    assert len(reports(node)) == 3


def test_report_is_not_changed_by_what_happens_later(node: Node, owner: Address) -> None:
    """In one process the receiver is handed this very object."""
    node.lease(owner, 1)
    node.host.advance(200 * MS)
    report = reports(node)[-1]
    node.lease(owner, 2)
    assert report.available == {"CPU": 30_000}


def test_waiting_requests_are_counted(owner: Address) -> None:
    node = Node(cpus=1)
    node.lease(owner, 1)
    node.ask(owner, 2)
    node.ask(owner, 3, {**CPU1, "GPU": 10_000})
    node.host.advance(200 * MS)
    assert reports(node)[-1].queued == 2


def test_a_gcs_that_comes_back_is_told_which_processes_have_ended(
    node: Node, owner: Address
) -> None:
    """It was away when they did."""
    ended, alive = node.lease(owner, 1), node.lease(owner, 2)
    node.end_worker(1)
    told = node.tell(GCS, CheckProcesses([ended, alive]))
    assert told == [(GCS, WorkerDied(ended, "it ended while the GCS was away"))]

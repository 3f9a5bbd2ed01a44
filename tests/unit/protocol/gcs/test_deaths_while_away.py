"""What ended while the GCS was away is found when its raylet registers again."""

from raysim.protocol.messages import (
    CheckProcesses,
    FinishJob,
    KillWorker,
    NodeRemoved,
    RegisterNode,
    SubscribeActor,
)
from raysim.spec.actor import ActorState
from raysim.spec.ids import job_id
from tests.unit.protocol.fake_host import FakeStorage, address
from tests.unit.protocol.gcs.head import DRIVER, Head, info

ONE = address("one")


def test_a_raylet_that_registers_again_is_asked_for_the_processes_of_its_actors(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job())
    raylet, worker = head.alive(spec)
    again = head.restarted()
    again.tell(raylet, RegisterNode(info(raylet, "one")))
    assert again.one(CheckProcesses) == (raylet, CheckProcesses([worker]))
    again.tell(DRIVER, SubscribeActor(spec.actor_id))
    again.news()
    again.died(raylet, worker)
    assert [i.state for i in again.news()] == [ActorState.DEAD]


def test_the_raylet_of_a_driver_is_asked_whether_it_is_still_there(head: Head) -> None:
    head.join("head")
    head.job()
    again = head.restarted()
    again.tell(address("head"), RegisterNode(info(address("head"), "head")))
    assert again.one(CheckProcesses)[1].processes == [DRIVER]


def test_a_raylet_without_such_processes_is_asked_nothing(head: Head) -> None:
    head.join("one")
    again = head.restarted()
    again.tell(ONE, RegisterNode(info(ONE, "one")))
    assert again.take(CheckProcesses) == []


def test_an_actor_of_a_node_that_is_dead_on_disk_is_not_taken_for_alive(head: Head) -> None:
    """The commit of the node's death was torn before the rows of its actors."""
    storage = FakeStorage()
    head.join("one")
    spec = head.spec(head.job(), max_restarts=1)
    head.alive(spec)
    before = {table: dict(kept) for table, kept in head.host.storage.tables.items()}
    head.process.peer_lost(ONE)
    storage.tables = {**before, "nodes": dict(head.host.storage.tables["nodes"])}
    again = Head(storage, head.host.config)
    again.tell(DRIVER, SubscribeActor(spec.actor_id))
    assert [i.state for i in again.news()] == [ActorState.RESTARTING]


def test_an_actor_of_a_job_that_is_over_on_disk_ends(head: Head) -> None:
    """The commit of the job's end was torn before the rows of its actors."""
    storage = FakeStorage()
    head.join("one")
    spec = head.spec(head.job())
    _, worker = head.alive(spec)
    before = {table: dict(kept) for table, kept in head.host.storage.tables.items()}
    head.tell(DRIVER, FinishJob(job_id(1)))
    storage.tables = {**before, "jobs": dict(head.host.storage.tables["jobs"])}
    again = Head(storage, head.host.config)
    assert [kill.worker for _, kill in again.host.of(KillWorker)] == [worker]


def test_a_raylet_that_registers_again_hears_of_the_nodes_that_died(head: Head) -> None:
    """The GCS wrote a death down, and ended before it told anybody."""
    head.join("one")
    head.join("two")
    head.process.peer_lost(address("two"))
    again = head.restarted()
    again.tell(ONE, RegisterNode(info(ONE, "one")))
    to, removed = again.one(NodeRemoved)
    assert (to, removed.node_id) == (ONE, address("two").node_id)

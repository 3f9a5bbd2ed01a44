"""A driver has one job; its end ends what belongs to it."""

from raysim.protocol.messages import FinishJob, JobFinished, JobRegistered, NodeRemoved, RegisterJob
from raysim.spec.ids import job_id
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, HEAD, Head


def test_jobs_are_numbered_in_their_order(head: Head) -> None:
    assert head.job() == job_id(1)
    assert head.job(address("other", "head")) == job_id(2)


def test_a_driver_that_asks_again_gets_the_same_job(head: Head) -> None:
    assert head.job() == head.job() == job_id(1)


def test_a_job_is_durable_before_its_driver_hears_of_it(head: Head) -> None:
    head.tell(DRIVER, RegisterJob("program.py", "space"))
    assert head.host.storage.tables["jobs"]
    assert head.host.storage.batch == []
    assert head.host.of(JobRegistered) == [(DRIVER, JobRegistered(job_id(1)))]


def test_the_end_of_a_job_is_told_once(head: Head) -> None:
    head.join("head")
    job = head.job()
    head.tell(DRIVER, FinishJob(job))
    head.tell(DRIVER, FinishJob(job))
    head.process.peer_lost(DRIVER)
    assert head.take(JobFinished) == [(HEAD, JobFinished(job, DRIVER))]


def test_a_lost_driver_ends_its_job(head: Head) -> None:
    head.join("head")
    job = head.job()
    head.process.peer_lost(DRIVER)
    assert head.take(JobFinished) == [(HEAD, JobFinished(job, DRIVER))]


def test_a_driver_dies_with_its_node(head: Head) -> None:
    head.join("head")
    one = head.join("one")
    driver = address("driver", "one")
    job = head.job(driver)
    head.process.peer_lost(one)
    assert head.take(JobFinished) == [(HEAD, JobFinished(job, driver))]


def test_a_late_copy_of_the_registration_begins_no_new_job(head: Head) -> None:
    """Nobody would ever end it."""
    head.join("head")
    job = head.job()
    head.tell(DRIVER, FinishJob(job))
    assert head.job() == job
    head.process.peer_lost(head.join("one"))
    assert [to for to, _ in head.take(NodeRemoved)] == [HEAD]

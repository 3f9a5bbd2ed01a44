"""A driver has one job; its end ends what belongs to it."""

import pytest

from raysim.config import Config
from raysim.protocol.messages import (
    FinishJob,
    Inspected,
    InspectGcs,
    JobFinished,
    JobRegistered,
    NodeRemoved,
    RegisterJob,
)
from raysim.spec.ids import JobId, job_id
from raysim.spec.state import Noun
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


def observer(head: Head, name: str = "looker") -> JobId:
    head.tell(address(name, "head"), RegisterJob("raysim list", "", observer=True))
    return head.one(JobRegistered)[1].job_id


def test_who_only_looked_is_forgotten_and_its_number_is_not_given_again(head: Head) -> None:
    head.join("head")
    looked = observer(head)
    head.process.peer_lost(address("looker", "head"))
    assert head.take(JobFinished) == [(HEAD, JobFinished(looked, address("looker", "head")))]
    assert head.gcs.jobs.seen() == []
    assert head.host.storage.tables["jobs"] == {}
    again = head.restarted()
    assert again.job() not in (looked, job_id(0))


def test_a_late_copy_of_an_observers_registration_begins_no_new_job(head: Head) -> None:
    looked = observer(head)
    head.process.peer_lost(address("looker", "head"))
    assert observer(head) == looked
    assert head.gcs.jobs.drivers() == []


def test_the_end_of_who_only_looked_is_no_event(head: Head) -> None:
    observer(head)
    head.process.peer_lost(address("looker", "head"))
    head.tell(DRIVER, InspectGcs(1, [Noun.CLUSTER_EVENTS], 10))
    assert head.one(Inspected)[1].rows == []


def test_observers_that_ended_are_remembered_up_to_a_number(
    head: Head, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raysim.protocol.gcs.jobs._REMEMBERED", 2)
    for number in range(4):
        observer(head, f"looker-{number}")
        head.process.peer_lost(address(f"looker-{number}", "head"))
    assert list(head.gcs.jobs.ended) == [job_id(3), job_id(4)]


def test_jobs_that_ended_are_remembered_up_to_a_number_and_numbers_are_used_once() -> None:
    head = Head(config=Config(gcs_history=2))
    drivers = [address(f"driver-{number}", "head") for number in range(4)]
    for driver in drivers:
        head.job(driver)
    for driver in reversed(drivers):  # The latest is the first to be forgotten.
        head.process.peer_lost(driver)
    for one in (head, head.restarted()):
        assert list(one.gcs.jobs.ended) in ([job_id(2), job_id(1)], [job_id(1), job_id(2)])
        assert len(one.gcs.jobs.seen()) == 2
    assert head.restarted().job() == job_id(5)

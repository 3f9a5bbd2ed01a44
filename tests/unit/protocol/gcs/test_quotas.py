"""The GCS and quotas of jobs: what is granted to whom, and what comes back. The tests play the raylets."""

from raysim.protocol.messages import (
    BundlesReturned,
    CreatePlacementGroup,
    FinishJob,
    JobRegistered,
    PlacementGroupRefused,
    QuotaGranted,
    RegisterJob,
    RemovePlacementGroup,
    RequestQuota,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import IdSource, JobId, driver_task
from raysim.spec.job import JobSettings
from raysim.spec.placement_group import GroupState
from raysim.spec.resources import fixed
from raysim.spec.runtime_env import with_job
from raysim.spec.state import Noun
from tests.unit.protocol.gcs.head import DRIVER, SECOND_NS, Head
from tests.unit.protocol.gcs.test_inspections import rows
from tests.unit.protocol.gcs.test_placement_groups import ONE, TWO, Groups

CPU = fixed({"CPU": 1})


class Limited(Groups):
    """Two nodes, and a job that may have three CPUs."""

    quota = fixed({"CPU": 3})

    def __init__(self) -> None:
        super().__init__(Head())
        env = with_job("", JobSettings(quota=self.quota))
        driver = Address(DRIVER.node_id, ONE.worker_id)
        self.head.tell(driver, RegisterJob("limited.py", "space", env))
        self.driver = driver
        self.job: JobId = self.head.one(JobRegistered)[1].job_id
        self._source = IdSource(driver_task(self.job))

    def say(
        self, raylet: Address, version: int, used: float, *waiting: float
    ) -> dict[Address, list[int]]:
        """What raylets are granted then. Those that wait are numbered from ten times the version on."""
        wants = {10 * version + index: fixed({"CPU": need}) for index, need in enumerate(waiting)}
        told = RequestQuota(self.job, self.quota, version, fixed({"CPU": used}), wants)
        return self.tell(raylet, told)

    def tell(self, raylet: Address, told: RequestQuota) -> dict[Address, list[int]]:
        self.head.tell(raylet, told)
        return {to: granted.numbers for to, granted in self.head.take(QuotaGranted)}


def test_nodes_together_have_no_more_than_the_quota() -> None:
    job = Limited()
    assert job.say(ONE, 1, 0, 1, 1) == {ONE: [10, 11]}
    assert job.say(TWO, 1, 0, 1, 1) == {TWO: [10]}
    assert job.say(ONE, 2, 1) == {ONE: [], TWO: [10, 11]}


def test_first_come_first_served_whichever_the_node() -> None:
    job = Limited()
    assert job.say(ONE, 1, 0, 3) == {ONE: [10]}
    assert job.say(TWO, 1, 0, 1) == {TWO: []}
    assert job.say(ONE, 2, 2, 1) == {ONE: [], TWO: [10]}


def test_a_large_request_does_not_block_a_small_one() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 2)
    assert job.say(TWO, 1, 0, 2, 1) == {TWO: [11]}


def test_copies_change_nothing_and_are_answered_as_the_first() -> None:
    job = Limited()
    first = RequestQuota(job.job, job.quota, 1, {}, {1: CPU})
    assert job.tell(ONE, first) == {ONE: [1]}
    assert job.tell(ONE, first) == {ONE: [1]}
    job.say(ONE, 2, 1)
    assert job.tell(ONE, first) == {}
    assert job.head.gcs.quotas.used(job.job) == CPU


def test_one_that_waits_no_more_is_granted_nothing() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 3)
    job.say(TWO, 1, 0, 1)
    job.say(TWO, 2, 0)
    assert job.say(ONE, 2, 0) == {ONE: []}


def test_workers_that_went_on_may_bring_it_above_and_then_nothing_begins() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 3)
    job.say(TWO, 1, 2)
    assert job.say(TWO, 2, 2, 1) == {TWO: []}
    assert job.say(ONE, 2, 0) == {ONE: [], TWO: [20]}


def test_what_a_lost_node_had_is_free() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 3)
    job.say(TWO, 1, 0, 1)
    job.head.process.peer_lost(ONE)
    assert [(to, one.numbers) for to, one in job.head.take(QuotaGranted)] == [(TWO, [10])]


def test_another_gcs_goes_on_with_what_was_granted() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 2)
    job.say(TWO, 1, 0, 2)
    job.head = job.head.restarted()
    assert job.head.gcs.quotas.used(job.job) == fixed({"CPU": 2})
    assert job.say(TWO, 1, 0, 2) == {TWO: []}  # It waits, and is asked for again.
    assert job.say(ONE, 2, 0) == {ONE: [], TWO: [10]}


def test_a_job_that_has_ended_is_forgotten_once_it_has_nothing() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 1)
    job.head.tell(job.driver, FinishJob(job.job))
    assert job.head.gcs.quotas.used(job.job) == CPU  # A detached actor, say.
    job.say(ONE, 2, 0)
    assert job.head.host.storage.load("quotas") == {}


def test_a_placement_group_has_its_part_until_it_is_given_back() -> None:
    job = Limited()
    spec = job.spec({"CPU": 1}, {"CPU": 1})
    job.created(spec)
    assert job.say(ONE, 1, 0, 1, 1) == {ONE: [10]}
    job.head.tell(DRIVER, RemovePlacementGroup(spec.group_id))
    assert job.head.take(QuotaGranted) == []
    for raylet in (ONE, TWO):
        job.head.tell(raylet, BundlesReturned(spec.group_id, 0))
    assert [one.numbers for _, one in job.head.take(QuotaGranted)] == [[10, 11]]


def test_a_placement_group_waits_for_the_quota_and_comes_when_it_has_room() -> None:
    job = Limited()
    job.say(ONE, 1, 0, 2)
    spec = job.spec({"CPU": 1}, {"CPU": 1})
    assert job.create(spec) == {}
    assert job.head.gcs.groups.quota_in_use(spec.group_id) == job.quota
    job.head.tell(ONE, RequestQuota(job.job, job.quota, 2, {}, {}))
    assert set(job.asked()) == {ONE, TWO}


def test_one_that_could_not_be_reserved_gives_its_part_back() -> None:
    job = Limited()
    spec = job.spec({"CPU": 1}, {"CPU": 1})
    asked = job.create(spec)
    job.prepared(ONE, asked[ONE], ok=False)
    for raylet in (ONE, TWO):
        job.head.tell(raylet, BundlesReturned(spec.group_id, asked[ONE].epoch))
    assert job.head.gcs.quotas.used(job.job) == {}
    assert set(job.asked(SECOND_NS)) == {ONE, TWO}
    assert job.head.gcs.quotas.used(job.job) == fixed({"CPU": 2})


def test_another_gcs_knows_what_groups_have() -> None:
    job = Limited()
    spec = job.spec({"CPU": 1}, {"CPU": 1})
    job.created(spec)
    job.head = job.head.restarted()
    assert job.state(spec) is GroupState.CREATED
    assert job.say(ONE, 1, 0, 1, 1) == {ONE: [10]}


def test_a_group_that_is_more_than_the_quota_is_refused() -> None:
    job = Limited()
    job.head.tell(DRIVER, CreatePlacementGroup(job.spec({"CPU": 2}, {"CPU": 2})))
    _, refused = job.head.one(PlacementGroupRefused)
    assert "needs CPU=4, and its job's quota is CPU=3" in refused.reason
    assert refused.kind is FailureKind.TASK_UNSCHEDULABLE


def test_a_job_shows_what_it_has_of_its_quota() -> None:
    job = Limited()
    job.created(job.spec({"CPU": 1}))
    job.say(ONE, 1, 0.5, 1, 1)
    driver = job.head.job(Address(DRIVER.node_id, TWO.worker_id))
    used = {row.job_id: row.quota_used for row in rows(job.head, Noun.JOBS)}
    assert used[job.job] == fixed({"CPU": 2.5})  # The group, what began, and what was granted.
    assert used[driver] == {}

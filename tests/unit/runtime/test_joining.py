"""A driver joins and leaves; questions are asked until they are answered."""

import pytest

from raysim.backend import InitOptions
from raysim.exceptions import RaySystemError
from raysim.protocol.messages import (
    FinishJob,
    GetNamedActor,
    GetNodes,
    JobRegistered,
    NamedActor,
    Nodes,
    RegisterDriver,
    RegisterJob,
    WorkerRegistered,
)
from raysim.runtime.core_worker import CoreWorker
from raysim.spec.ids import job_id
from raysim.spec.node import NodeInfo, NodeState, StoreStats
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_process import FakeProcessHost
from tests.unit.runtime.rig import DRIVER, GCS, RAYLET

SECOND_NS = 1_000_000_000


@pytest.fixture
def joining():
    host = FakeProcessHost(DRIVER)
    core = CoreWorker.driver(host, RAYLET, GCS, InitOptions(nodes=[], entrypoint="program.py"))
    core.process.start()
    return core


def test_driver_asks_raylet_and_gcs_until_both_have_answered(joining):
    host = joining.host
    assert [type(sent) for _, sent in host.take()] == [RegisterDriver, RegisterJob]
    joining.process.receive(RAYLET, WorkerRegistered(GCS, "near"))
    host.advance(SECOND_NS)
    assert [type(sent) for _, sent in host.take()] == [RegisterJob]
    joining.process.receive(GCS, JobRegistered(job_id(5)))
    host.advance(10 * SECOND_NS)
    assert host.take() == []
    joining.join(SECOND_NS)
    assert joining.put(1).job_id().binary() == job_id(5)
    assert joining.namespace == f"anonymous-{job_id(5).hex()}"


def test_driver_that_is_not_answered_says_so(joining):
    with pytest.raises(RaySystemError, match="is its head alive"):
        joining.join(SECOND_NS)


def test_second_copy_of_the_answers_changes_nothing(joining):
    for _ in range(2):
        joining.process.receive(RAYLET, WorkerRegistered(GCS, "near"))
        joining.process.receive(GCS, JobRegistered(job_id(5)))
    ref = joining.put(1)
    joining.process.receive(GCS, JobRegistered(job_id(5)))
    assert joining.put(2) != ref


def test_leaving_ends_the_job(driver):
    driver.core.leave()
    assert driver.host.take() == [(GCS, FinishJob(job_id(1)))]


def test_driver_that_never_joined_leaves_without_a_word(joining):
    joining.host.take()
    joining.leave()
    assert joining.host.take() == []


def test_lost_answer_is_asked_for_again_with_its_number(driver):
    info = NodeInfo(RAYLET, fixed({"CPU": 4}), "near")
    state = NodeState(info, True, fixed({"CPU": 3}), StoreStats())
    numbers = []

    def ask_twice():
        driver.host.advance(SECOND_NS)
        numbers.extend(asked.number for asked in driver.of(GetNodes))
        driver.tell(GCS, Nodes(numbers[-1], [state]))
        driver.tell(GCS, Nodes(numbers[-1], []))

    driver.host.while_blocked = ask_twice
    assert driver.core.cluster_resources() == {"CPU": 4.0}
    assert len(numbers) == 2
    assert len(set(numbers)) == 1
    driver.host.advance(10 * SECOND_NS)
    assert driver.of(GetNodes) == []


def test_name_that_nobody_has_is_a_value_error(driver):
    def nobody():
        [asked] = driver.of(GetNamedActor)
        driver.tell(GCS, NamedActor(asked.number, None))

    driver.host.while_blocked = nobody
    with pytest.raises(ValueError, match="'counter'"):
        driver.core.get_actor("counter", "")

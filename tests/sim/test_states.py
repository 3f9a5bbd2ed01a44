"""The state of a simulated cluster where parts of it are gone."""

import os
import time

import pytest

import raysim
from raysim.cluster_utils import Cluster
from raysim.util import state
from raysim.util.state.exception import RayStateApiException


@pytest.fixture
def cluster():
    """A head without CPUs and a node with two, where calls run."""
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0}, backend="sim")
    made.connect()
    made.worker = made.add_node(num_cpus=2)
    yield made
    raysim.shutdown()
    made.shutdown()


def test_a_node_that_vanished_without_a_word_makes_the_answer_incomplete(cluster):
    """Until its health checks have failed: the GCS takes it for alive."""

    @raysim.remote
    def work():
        return 1

    raysim.get(work.remote())
    cluster.remove_node(cluster.worker, allow_graceful=False)
    with pytest.raises(RayStateApiException, match="node node-1"):
        state.list_tasks(timeout=10)
    rows = state.list_tasks(timeout=10, raise_on_missing_output=False)
    assert [row.name for row in rows] == ["work"]


def test_a_task_that_waits_says_in_what(cluster):
    @raysim.remote(num_cpus=0)
    def slow():
        time.sleep(10)

    @raysim.remote(num_cpus=0)
    def waits(boxed, how):
        return getattr(raysim, how)(boxed if how == "wait" else boxed[0])

    ref = slow.remote()
    for how in ("get", "wait"):
        waits.options(name=how).remote([ref], how)
    time.sleep(1)
    states = {row.name: row.state for row in state.list_tasks()}
    assert states == {
        "slow": "RUNNING",
        "get": "RUNNING_IN_RAY_GET",
        "wait": "RUNNING_IN_RAY_WAIT",
    }


def test_what_an_actor_submitted_is_known_after_its_end(cluster):
    @raysim.remote(name="child")
    def child():
        return raysim.get_runtime_context().get_task_id()

    @raysim.remote
    class Parent:
        def call(self):
            return raysim.get(child.remote())

    parent = Parent.remote()
    task_id = raysim.get(parent.call.remote())
    del parent
    time.sleep(1)
    [row] = state.list_actors()
    assert row.state == "DEAD"
    assert state.get_task(task_id).state == "FINISHED"


def test_what_a_job_did_is_known_to_the_next(cluster):
    @raysim.remote(name="of the first job")
    def work():
        return 1

    raysim.get(work.remote())
    raysim.shutdown()
    raysim.init(address=cluster.address)
    first, second = state.list_jobs(detail=True)
    assert [first.status, second.status] == ["SUCCEEDED", "RUNNING"]
    assert first.end_time >= first.start_time
    [row] = state.list_tasks()
    assert (row.name, row.state, row.job_id) == ("of the first job", "FINISHED", first.job_id)


def test_the_same_program_has_the_same_state_again():
    def run():
        raysim.init(backend="sim", num_cpus=2, seed=3)

        @raysim.remote
        def work(x):
            time.sleep(x)

        raysim.get([work.remote(x) for x in range(3)])
        rows = [row.asdict() for row in state.list_tasks(detail=True) + state.list_workers()]
        raysim.shutdown()
        return rows

    assert run() == run()


def test_the_environment_of_a_job_is_shown():
    raysim.init(backend="sim", runtime_env={"env_vars": {"COLOUR": "green"}})
    [job] = state.list_jobs(detail=True)
    raysim.shutdown()
    assert job.runtime_env == {"env_vars": {"COLOUR": "green"}}


def test_a_name_that_was_taken_leaves_no_failed_task(cluster):
    @raysim.remote(num_cpus=0)
    class Clerk:
        pass

    first = Clerk.options(name="Anna").remote()
    with pytest.raises(ValueError, match="Anna"):
        Clerk.options(name="Anna").remote()
    time.sleep(1)
    assert [row.state for row in state.list_tasks()] == ["FINISHED"]
    assert [row.state for row in state.list_actors()] == ["ALIVE"]
    del first


def test_events_of_a_cluster(cluster):
    @raysim.remote(max_retries=0)
    def crashes():
        os._exit(1)

    with pytest.raises(raysim.exceptions.WorkerCrashedError):
        raysim.get(crashes.remote())
    cluster.remove_node(cluster.worker)
    cluster.wait_for_nodes()
    rows = state.list_cluster_events(detail=True)
    assert [row.severity for row in rows] == ["INFO", "INFO", "ERROR", "WARNING"]
    assert rows[2].source_type == "RAYLET"
    assert "was lost" in rows[3].message
    assert rows[3].custom_fields["node_id"] == cluster.worker.node_id
    errors = state.list_cluster_events(filters=[("severity", "=", "error")])
    assert [row.event_id for row in errors] == [rows[2].event_id]

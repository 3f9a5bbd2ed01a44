"""Programs that follow each other on one cluster of processes: what each leaves behind in its own process."""

import gc
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import raysim as ray
from raysim.api.defaults import Defaults, set_defaults
from raysim.cluster_utils import Cluster
from raysim.journal import Journal, TaskEnded
from tests.cluster.inspection import assert_nothing_left, processes_of, sockets_of, until


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "object_store_memory": 64 << 20}
    )
    info = made._world.address_info()
    yield made
    ray.shutdown()
    made.shutdown()
    assert_nothing_left(info)


@ray.remote
def double(x):
    return 2 * x


@ray.remote
def process():
    return os.getpid()


def session_id(cluster: Cluster) -> str:
    return cluster._world.address_info()["session_id"]


def test_driver_takes_its_descriptors_and_threads_with_it(cluster):
    def program():
        ray.init(address=cluster.address)
        assert ray.get(double.remote(ray.put(1))) == 2
        ray.shutdown()

    def held():
        gc.collect()  # Other tests' garbage may hold some.
        return len(os.listdir("/proc/self/fd")), threading.active_count()

    program()
    before = held()
    for _ in range(5):
        program()
    assert held() == before


def test_workers_of_a_job_end_with_it(cluster):
    ray.init(address=cluster.address)
    used = set(ray.get([process.remote() for _ in range(4)]))
    assert used <= set(processes_of(session_id(cluster)))
    ray.shutdown()
    assert until(lambda: used.isdisjoint(processes_of(session_id(cluster))))


def test_driver_does_not_listen_after_it_left(cluster):
    ray.init(address=cluster.address)
    there = len(sockets_of(session_id(cluster)))
    ray.shutdown()
    assert until(lambda: len(sockets_of(session_id(cluster))) < there)


def test_large_values_of_an_ended_job_can_be_read_on(cluster):
    """A view keeps the memory, though the cluster may have other things there by then."""
    ray.init(address=cluster.address)
    view = ray.get(ray.put(memoryview(b"x" * 1_000_000)))
    ray.shutdown()
    assert len(bytes(view)) == 1_000_000


def test_interrupts_are_the_programs_own_between_jobs(cluster):
    own = signal.getsignal(signal.SIGINT)
    for _ in range(2):
        ray.init(address=cluster.address)
        assert signal.getsignal(signal.SIGINT) != own
        ray.shutdown()
        assert signal.getsignal(signal.SIGINT) == own


def test_journal_goes_on_from_job_to_job():
    journal = Journal()
    set_defaults(Defaults(journal=journal))
    try:
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2})
        info = cluster._world.address_info()

        @ray.remote
        def outer(x):
            return ray.get(double.remote(x))

        for number in range(2):
            ray.init(address=cluster.address)
            ref = outer.remote(number)
            assert ray.get(ref) == 2 * number
            job = ref.job_id().binary()

            def jobs_noted(job=job):
                return [n.name for n in journal.notes(TaskEnded) if n.task_id.endswith(job)]

            # The task that a task made is noted by that one's process.
            assert until(lambda found=jobs_noted: len(found()) == 2)
            ray.shutdown()
        cluster.shutdown()
        assert_nothing_left(info)
    finally:
        set_defaults(Defaults())
    assert not Path(info["session_dir"]).exists()

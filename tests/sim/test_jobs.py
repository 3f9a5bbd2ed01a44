"""Programs that follow each other on one simulated cluster; between them it goes on."""

import asyncio
import time
from collections.abc import Iterator

import pytest

import raysim as ray
from raysim.cluster_utils import Cluster
from raysim.util import collective


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 2}, backend="sim")
    yield made
    made.shutdown()


@ray.remote
def work(value):
    time.sleep(1)
    return value


@ray.remote
class Clock:
    def now(self):
        return time.monotonic()


def test_time_goes_on_between_jobs(cluster):
    ray.init(address=cluster.address)
    before = time.monotonic()
    ray.shutdown()
    time.sleep(3600)
    assert time.monotonic() == before + 3600
    ray.init(address=cluster.address)
    assert ray.get(Clock.remote().now.remote()) > before + 3600


def test_detached_actor_goes_on_between_jobs(cluster):
    @ray.remote
    class Worker:
        def run(self):
            self.begun = time.monotonic()
            time.sleep(100)
            self.ended = time.monotonic()

        def times(self):
            return self.begun, self.ended

    ray.init(address=cluster.address, namespace="space")
    worker = Worker.options(name="worker", lifetime="detached").remote()
    ray.get(worker.__ray_ready__.remote())
    ref = worker.run.remote()
    ray.wait([ref], timeout=1)
    ray.shutdown()
    time.sleep(3600)
    ray.init(address=cluster.address, namespace="space")
    begun, ended = ray.get(ray.get_actor("worker").times.remote())
    assert ended == begun + 100
    assert time.monotonic() > ended + 3000


def test_nothing_of_a_job_is_left_on_its_nodes(cluster):
    ray.init(address=cluster.address)
    world = ray.api.session.current_world()
    assert ray.get([work.remote(i) for i in range(4)]) == [0, 1, 2, 3]
    kept = ray.put(b"x" * 1_000_000)
    holder = Clock.remote()
    ray.get(holder.now.remote())
    unfinished = [work.remote(i) for i in range(10)]
    ray.wait(unfinished, timeout=0.5)
    ray.shutdown()
    time.sleep(60)
    (node,) = world.nodes
    assert node.users == []
    assert node.store.used() == 0
    assert node.raylet.view.local.available == node.raylet.view.local.total
    assert not node.raylet._drivers
    del kept, holder, unfinished


def test_node_joins_where_nobody_drives(cluster):
    cluster.add_node(num_cpus=4)
    cluster.wait_for_nodes()
    ray.init(address=cluster.address)
    assert ray.cluster_resources()["CPU"] == 6.0


def test_coroutine_drives_one_job_after_another(cluster):
    async def program():
        results = []
        for number in range(2):
            ray.init(address=cluster.address)
            results.append(await work.remote(number))
            ray.shutdown()
        return results

    assert asyncio.run(program()) == [0, 1]


def test_same_programs_one_after_another_leave_the_same_journal():
    digests = []
    for _ in range(2):
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 2}, backend="sim")
        for number in range(3):
            ray.init(address=cluster.address)
            assert ray.get([work.remote(number) for _ in range(4)]) == [number] * 4
            ray.shutdown()
            time.sleep(number)
        world = cluster._world
        cluster.shutdown()
        digests.append(world.journal.digest())
    assert digests[0] == digests[1]


def test_what_the_ranks_of_a_group_meet_at_ends_with_their_job(cluster):
    """Though it is detached: none of them has left the group."""

    @ray.remote(num_cpus=0)
    class Rank:
        def join(self, rank):
            collective.init_collective_group(2, rank, "gloo")

    ray.init(address=cluster.address, namespace="space")
    ranks = [Rank.remote() for _ in range(2)]
    ray.get([one.join.remote(rank) for rank, one in enumerate(ranks)])
    assert ray.util.list_named_actors() == ["raysim.collective.default"]
    ray.shutdown()
    time.sleep(60)
    ray.init(address=cluster.address, namespace="space")
    assert ray.util.list_named_actors() == []

"""GPUs, whole and in parts, and `max_calls`: one node with 8 CPUs and 3 GPUs for all tests."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.conftest import library, start

GPUS = 3


@pytest.fixture(scope="module")
def gpus(backend: str) -> Iterator[Any]:
    yield start(backend, num_cpus=8, num_gpus=GPUS, resources={"accelerator_type:A100": 1})
    library(backend).shutdown()


@pytest.fixture
def ids(gpus):
    """A task that says which GPUs it has, and what its environment says."""

    @gpus.remote(max_retries=0)
    def ids():
        return gpus.get_gpu_ids(), os.environ.get("CUDA_VISIBLE_DEVICES")

    return ids


@pytest.fixture
def actors(gpus):
    """Makes actors with so many GPUs each, and ends them afterwards."""
    made: list[Any] = []

    @gpus.remote(num_cpus=0)
    class Holder:
        def ids(self):
            return gpus.get_gpu_ids()

        def all(self):
            context = gpus.get_runtime_context()
            return (
                context.get_accelerator_ids()["GPU"],
                context.get_assigned_resources(),
                os.environ.get("CUDA_VISIBLE_DEVICES"),
            )

    def make(num_gpus: float) -> Any:
        made.append(Holder.options(num_gpus=num_gpus).remote())
        return made[-1]

    yield make
    for actor in made:
        gpus.kill(actor)
    wait_for(lambda: gpus.available_resources().get("GPU") == GPUS)


def wait_for(done, seconds=30.0):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "it did not come to be"
        time.sleep(0.05)


def test_task_gets_as_many_gpus_as_it_asks_for(gpus, ids):
    (one, seen), (two, both) = gpus.get(
        [ids.options(num_gpus=1).remote(), ids.options(num_gpus=2).remote()], timeout=60
    )
    assert len(one) == 1
    assert seen == str(one[0])
    assert len(two) == 2
    assert both == ",".join(map(str, two))


def test_task_without_gpus_sees_none(gpus, ids):
    gpus.get(ids.options(num_gpus=1).remote(), timeout=60)
    assert gpus.get(ids.remote(), timeout=60) == ([], os.environ.get("CUDA_VISIBLE_DEVICES"))


def test_driver_has_no_gpus(gpus):
    assert gpus.get_gpu_ids() == []
    kinds = gpus.get_runtime_context().get_accelerator_ids()
    assert kinds["GPU"] == []
    assert not any(kinds.values())


def test_nested_task_has_its_own_gpus(gpus, ids):
    @gpus.remote(num_gpus=1, max_retries=0)
    def outer():
        inner = gpus.get(ids.remote())[0], gpus.get(ids.options(num_gpus=1).remote())[0]
        return gpus.get_gpu_ids(), inner

    own, (none, other) = gpus.get(outer.remote(), timeout=60)
    assert len(own) == 1
    assert none == []
    assert len(other) == 1
    assert other != own


def test_fractions_share_a_gpu(gpus, actors):
    """What no longer fits beside the others goes to the next one."""
    thirds = [actors(0.4) for _ in range(3)]
    found = [gpus.get(actor.ids.remote(), timeout=60) for actor in thirds]
    first, second, third = found
    assert first == second != third
    whole = gpus.get(actors(1).ids.remote(), timeout=60)
    assert whole not in (first, third)
    assert gpus.get(actors(0.2).ids.remote(), timeout=60) == first


def test_a_whole_gpu_is_not_made_of_parts(gpus, actors):
    for _ in range(GPUS):
        gpus.get(actors(0.6).ids.remote(), timeout=60)
    with pytest.raises(gpus.exceptions.GetTimeoutError):
        gpus.get(actors(0.5).ids.remote(), timeout=0.5)


def test_actor_knows_what_it_has(gpus, actors):
    ids, resources, seen = gpus.get(actors(1).all.remote(), timeout=60)
    assert len(ids) == 1
    assert seen == ids[0]
    assert resources == {"GPU": 1.0}


def test_gpus_are_free_again_when_their_actor_is_gone(gpus, actors):
    gpus.kill(holder := actors(3))
    with pytest.raises(gpus.exceptions.RayActorError):
        gpus.get(holder.ids.remote(), timeout=60)
    assert sorted(gpus.get(actors(3).ids.remote(), timeout=60)) == [0, 1, 2]


def test_several_gpus_are_whole_ones(gpus, ids, actors):
    with pytest.raises(ValueError, match="whole numbers"):
        ids.options(num_gpus=1.5).remote()
    with pytest.raises(ValueError, match="whole numbers"):
        actors(1.5)


def test_more_gpus_than_there_are_is_waited_for(gpus, ids):
    with pytest.raises(gpus.exceptions.GetTimeoutError):
        gpus.get(ids.options(num_gpus=GPUS + 1).remote(), timeout=0.5)


def test_accelerator_type_is_a_resource_of_the_node(gpus, ids):
    assert gpus.get(ids.options(accelerator_type="A100").remote(), timeout=60)[0] == []
    with pytest.raises(gpus.exceptions.GetTimeoutError):
        gpus.get(ids.options(accelerator_type="H100").remote(), timeout=0.5)


# max_calls


def worker_of(gpus, **options):
    @gpus.remote(max_retries=0, **options)
    def worker():
        return gpus.get_runtime_context().get_worker_id()

    return worker


def test_worker_ends_after_max_calls(gpus):
    worker = worker_of(gpus, max_calls=2)
    ran = [gpus.get(worker.remote(), timeout=60) for _ in range(6)]
    runs = {one: ran.count(one) for one in ran}
    assert all(count <= 2 for count in runs.values())
    assert len(runs) >= 3


def test_calls_sent_ahead_to_a_worker_that_ends_are_not_lost(gpus):
    """None of them may be retried, and none fails."""
    worker = worker_of(gpus, max_calls=1)
    ran = gpus.get([worker.remote() for _ in range(12)], timeout=60)
    assert len(set(ran)) == 12


def test_gpu_task_ends_its_worker(gpus):
    """So that nobody else's memory stays on the GPU (Ray)."""
    worker = worker_of(gpus, num_gpus=1)
    ran = [gpus.get(worker.remote(), timeout=60) for _ in range(3)]
    assert len(set(ran)) == 3


def test_max_calls_of_a_gpu_task_can_be_set(gpus):
    worker = worker_of(gpus, num_gpus=1, max_calls=100)
    ran = [gpus.get(worker.remote(), timeout=60) for _ in range(3)]
    assert len(set(ran)) == 1


def test_what_a_worker_owns_outlives_its_max_calls(gpus):
    @gpus.remote(max_calls=1, max_retries=0)
    def make():
        return [gpus.put("kept")]

    (inner,) = gpus.get(make.remote(), timeout=60)
    others = [gpus.get(make.remote(), timeout=60) for _ in range(2)]
    assert gpus.get([inner, others[0][0], others[1][0]], timeout=60) == ["kept"] * 3


def test_max_calls_is_for_the_decorator_of_tasks(gpus, ids):
    with pytest.raises(ValueError, match="max_calls"):
        ids.options(max_calls=1)
    with pytest.raises(ValueError, match="max_calls"):
        gpus.remote(max_calls=1)(type("Actor", (), {}))
    with pytest.raises(ValueError, match="max_calls"):
        worker_of(gpus, max_calls=-1)

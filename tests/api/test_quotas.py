"""A job with a quota: what is beyond it waits, wherever there is room, and what could never be within it fails."""

import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

from tests.api.conftest import JUDGE, ON_RAY


@pytest.fixture
def limited(backend: str, fresh: Callable[..., Any]) -> Callable[..., Any]:
    """`limited("CPU=3")`: a program on two nodes of four CPUs each."""
    if backend in (ON_RAY, JUDGE):
        pytest.skip("Ray knows no quotas of jobs")

    def begin(quota: str, more: dict[str, str] | None = None, **options: Any) -> Any:
        metadata = {"raysim.io/quota": quota, **(more or {})}
        config = import_module("raysim.job_config").JobConfig(metadata=metadata)
        return fresh(num_cpus=4, nodes=2, job_config=config, **options)

    return begin


def at_once(spans: list[tuple[float, float]]) -> int:
    """The most that ran at any moment. What ends is before what begins then."""
    moments = sorted([(end, -1) for _, end in spans] + [(start, 1) for start, _ in spans])
    counts = [sum(change for _, change in moments[: index + 1]) for index in range(len(moments))]
    return max(counts)


def busy(ray: Any) -> Any:
    @ray.remote
    def busy() -> tuple[float, float]:
        start = time.monotonic()
        time.sleep(0.05)
        return start, time.monotonic()

    return busy


def test_tasks_have_no_more_cpus_than_the_quota_on_all_nodes_together(limited, backend):
    ray = limited("CPU=5")
    spans = ray.get([busy(ray).remote() for _ in range(25)], timeout=60)
    most = at_once(spans)
    assert most <= 5
    assert most == 5 or backend != "sim"  # Real workers may start too late for that.


def test_a_task_that_waits_for_its_own_lends_them_its_part(limited):
    ray = limited("CPU=1")
    run = busy(ray)

    @ray.remote
    def parent() -> list[tuple[float, float]]:
        return ray.get([run.remote() for _ in range(3)])

    spans = [
        span for one in ray.get([parent.remote() for _ in range(3)], timeout=60) for span in one
    ]
    assert at_once(spans) == 1


def test_an_actor_and_a_placement_group_count_and_what_waits_says_so(limited):
    ray = limited("CPU=3")
    groups = import_module("raysim.util.placement_group")
    explain = import_module("raysim.util").explain

    @ray.remote(num_cpus=2)
    class Two:
        def ready(self) -> bool:
            return True

    first = Two.remote()
    assert ray.get(first.ready.remote(), timeout=60)
    group = groups.placement_group([{"CPU": 1}, {"CPU": 1}])
    assert not group.wait(0.3)
    assert "its job's quota of CPU=3 is in use" in str(explain(group.ready()))
    ray.kill(first)
    assert group.wait(60)
    second = Two.remote()
    ref = second.ready.remote()
    assert ray.wait([ref], timeout=0.3)[1] == [ref]
    assert "its job's quota of CPU=3 is in use" in str(explain(ref))
    assert ray.get(busy(ray).remote(), timeout=60)
    groups.remove_placement_group(group)
    assert ray.get(ref, timeout=60)


def test_what_is_more_than_the_quota_is_an_error_at_once(limited):
    ray = limited("CPU=3")
    groups = import_module("raysim.util.placement_group")
    told = "needs CPU=4, and its job's quota is CPU=3"
    with pytest.raises(ray.exceptions.TaskUnschedulableError, match=told):
        ray.get(busy(ray).options(num_cpus=4).remote(), timeout=60)
    with pytest.raises(ray.exceptions.TaskUnschedulableError, match=told):
        groups.placement_group([{"CPU": 2}, {"CPU": 2}])


@pytest.mark.parametrize("cpus", [4, 400])  # A node has four.
def test_an_actor_that_is_more_than_the_quota_is_an_error_that_says_so(limited, cpus):
    ray = limited("CPU=3")

    @ray.remote
    class Large:
        def ready(self) -> None:
            pass

    told = f"Actor .*Large .*needs CPU={cpus}, and its job's quota is CPU=3"
    with pytest.raises(ray.exceptions.ActorUnschedulableError, match=told):
        ray.get(Large.options(num_cpus=cpus).remote().ready.remote(), timeout=60)


def test_a_job_shows_its_quota_what_it_uses_of_it_and_its_priority(limited):
    ray = limited("CPU=3,GPU=0", more={"raysim.io/priority": "7"})
    state = import_module("raysim.util.state")
    [idle] = state.list_jobs()
    assert (idle.priority, idle.quota) == (7, {"CPU": 3, "GPU": 0})
    assert idle.quota_used == {"CPU": 0, "GPU": 0}

    @ray.remote(num_cpus=2)
    class Two:
        def used(self) -> dict[str, float]:
            [job] = state.list_jobs()
            return job.quota_used

    two = Two.remote()
    assert ray.get(two.used.remote(), timeout=60) == {"CPU": 2, "GPU": 0}


def test_a_job_without_a_quota_shows_none(fresh, backend):
    if backend in (ON_RAY, JUDGE):
        pytest.skip("Ray knows no quotas of jobs")
    fresh()
    [job] = import_module("raysim.util.state").list_jobs()
    assert (job.priority, job.quota, job.quota_used) == (0, None, None)


def test_a_quota_counts_the_resources_that_it_names_and_no_others(limited):
    ray = limited("tape=1", resources={"tape": 2})
    run = busy(ray)
    spans = ray.get([run.options(resources={"tape": 1}).remote() for _ in range(3)], timeout=60)
    assert at_once(spans) == 1
    assert len(ray.get([run.remote() for _ in range(12)], timeout=60)) == 12


def test_a_quota_that_cannot_be_read_is_refused_by_init(limited):
    with pytest.raises(ValueError, match="no resource is called cpu; did you mean CPU"):
        limited("cpu=3")

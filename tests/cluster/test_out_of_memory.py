"""The memory of a node runs out, by a limit that the test sets: the machine's own is never filled."""

import pytest

import raysim
from raysim.util.state.api import list_cluster_events
from tests.cluster.inspection import until

MIB = 1 << 20
LIMIT = 400 * MIB


@pytest.fixture
def ray(start):
    start(
        _system_config={
            "memory_limit_bytes": LIMIT,
            "memory_usage_threshold": 0.5,
            "memory_monitor_refresh_ms": 20,
            "task_oom_retry_delay_ms": 1,
        },
    )
    return raysim


def test_a_task_that_uses_too_much_alone_fails(ray):
    @ray.remote
    def hog():
        kept = b"x" * LIMIT
        while kept:
            ray.wait([ray.put(1)], timeout=0.01)

    with pytest.raises(ray.exceptions.OutOfMemoryError, match=r"hog .*memory_usage_threshold=0.5"):
        ray.get(hog.remote())


def test_what_was_decided_is_an_event(ray):
    @ray.remote(max_retries=0)
    def hog():
        kept = b"x" * LIMIT
        while kept:
            ray.wait([ray.put(1)], timeout=0.01)

    with pytest.raises(ray.exceptions.OutOfMemoryError):
        ray.get(hog.remote())

    def events():
        return [one for one in list_cluster_events() if "was ended" in one["message"]]

    assert until(events)
    [event] = events()
    assert event["severity"] == "WARNING"
    assert "its node ran out of memory" in event["message"]
    assert "it ends because no work here may run again" in event["message"]


def test_of_two_the_newer_makes_way_and_runs_again(ray, tmp_path):
    """Each alone has room; together they have not. No retries for crashes are used up."""

    @ray.remote(max_retries=1)
    def fill(name):
        runs = tmp_path / name
        with runs.open("a") as file:
            file.write("x")
        kept = b"x" * (LIMIT * 3 // 10)
        end = tmp_path / "enough"
        while kept and not end.exists():
            ray.wait([ray.put(1)], timeout=0.01)
            if any(len(one.read_text()) > 3 for one in tmp_path.iterdir()):
                end.touch()
        return name

    refs = [fill.remote(name) for name in ("first", "second")]
    assert ray.get(refs) == ["first", "second"]
    runs = sorted(len((tmp_path / name).read_text()) for name in ("first", "second"))
    assert runs[0] == 1
    assert runs[1] > 3, "more often than its retries for crashes allow"


def test_an_actor_that_uses_too_much_says_why_it_died(ray):
    @ray.remote
    class Hog:
        def fill(self):
            self.kept = b"x" * LIMIT
            while True:
                ray.wait([ray.put(1)], timeout=0.01)

    with pytest.raises(ray.exceptions.OutOfMemoryError, match="ran out of memory"):
        ray.get(Hog.remote().fill.remote())

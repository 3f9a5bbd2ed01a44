"""`ray.timeline`: what ran when and where, for Chrome's tracing."""

import json
import time

import pytest


def of(ray, name, count):
    """The events of a task's attempts, once so many are there: Ray hears of them late.

    Of this job: others of the same cluster are there, too.
    """
    job = ray.get_runtime_context().get_job_id()
    for _ in range(60):
        events = [e for e in ray.timeline() if e["cat"].startswith("task::") and name in e["cat"]]
        found = [event for event in events if event["args"]["task_id"].endswith(job)]
        if len(found) >= count:
            return sorted(found, key=lambda event: event["ts"])
        time.sleep(0.5)
    raise AssertionError(f"{len(found)} events of {name} instead of {count}")


def test_tasks_are_there_with_their_times(ray):
    @ray.remote
    def sleeper(seconds):
        time.sleep(seconds)
        return ray.get_runtime_context().get_task_id()

    tasks = ray.get([sleeper.remote(0.3) for _ in range(2)])
    events = of(ray, "sleeper", 2)
    assert sorted(event["args"]["task_id"] for event in events) == sorted(tasks)
    for event in events:
        assert event["ph"] == "X"
        assert event["dur"] >= 300_000  # microseconds
        assert event["tid"].startswith("worker:")


def test_methods_are_there(ray):
    @ray.remote
    class Worker:
        def method(self):
            time.sleep(0.1)

    ray.get(Worker.remote().method.remote())
    [event] = of(ray, "method", 1)
    assert event["dur"] >= 100_000


def test_failed_tasks_are_there(ray):
    @ray.remote
    def failing():
        raise ValueError("boom")

    with pytest.raises(ValueError, match="boom"):
        ray.get(failing.remote())
    assert len(of(ray, "failing", 1)) == 1


def test_tasks_of_tasks_are_there(ray):
    @ray.remote
    def grandchild():
        return 1

    @ray.remote
    def child():
        return ray.get(grandchild.remote())

    assert ray.get(child.remote()) == 1
    assert len(of(ray, "grandchild", 1)) == 1


def test_a_file(ray, tmp_path):
    @ray.remote
    def written():
        return 1

    ray.get(written.remote())
    of(ray, "written", 1)
    file = tmp_path / "timeline.json"
    assert ray.timeline(str(file)) is None
    assert any("written" in event["cat"] for event in json.loads(file.read_text("utf-8")))


OWN = ("sim", "cluster")


def events_of(ray, *kinds):
    """Slices of these kinds, in the order of their starts."""
    found = [event for event in ray.timeline() if event["cat"] in kinds and event["ph"] == "X"]
    return sorted(found, key=lambda event: event["ts"])


def test_a_long_get_and_a_large_put_are_there_and_small_ones_are_not(ray, backend):
    if backend not in OWN:
        pytest.skip("Ray's profiling has other words for it")

    @ray.remote
    def slow():
        time.sleep(0.3)

    before = len(events_of(ray, "get", "put"))
    small = ray.put(1)
    for _ in range(10):
        ray.get(small)
    large = ray.put(bytes(1 << 20))
    ref = slow.remote()
    ray.get(ref)
    put, get = events_of(ray, "get", "put")[before:]
    assert (put["name"], put["args"]["object"]) == ("put", large.hex())
    assert put["args"]["bytes"] >= 1 << 20
    assert (get["name"], get["args"]["object"], get["args"]["objects"]) == ("get", ref.hex(), 1)
    assert get["dur"] >= 200_000
    [task] = of(ray, "slow", 1)
    assert get["tid"] != task["tid"], "a driver has a row of its own"
    assert get["pid"] == task["pid"]


def test_a_wait_that_takes_long_is_there(ray, backend):
    if backend not in OWN:
        pytest.skip("Ray's profiling has other words for it")

    @ray.remote
    def slow():
        time.sleep(0.3)

    before = len(events_of(ray, "wait"))
    ray.wait([slow.remote(), slow.remote()], num_returns=2)
    [wait] = events_of(ray, "wait")[before:]
    assert wait["args"]["objects"] == 2
    assert wait["dur"] >= 200_000

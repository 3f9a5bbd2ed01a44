"""How often what is lost or fails runs again, and who decides it."""

import os

import pytest

PATIENCE = 100


@pytest.fixture
def runs(tmp_path):
    """Counts runs, in whatever process; `runs.path` has one letter for each."""
    path = tmp_path / "runs"

    def count():
        with path.open("a") as file:
            file.write("x")
        return len(path.read_text())

    count.path = path
    return count


def test_lost_task_runs_three_times_more(ray, runs):
    @ray.remote
    def crash():
        runs()
        os._exit(1)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(crash.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "xxxx"


def test_lost_task_without_retries_runs_once(ray, runs):
    @ray.remote(max_retries=0)
    def crash():
        runs()
        os._exit(1)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(crash.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "x"


def test_minus_one_is_for_ever(ray, runs):
    @ray.remote(max_retries=-1)
    def crash_five_times():
        if runs() <= 5:
            os._exit(1)
        return "sixth"

    assert ray.get(crash_five_times.remote(), timeout=PATIENCE) == "sixth"


def test_losses_and_exceptions_share_the_retries(ray, runs):
    @ray.remote(max_retries=1, retry_exceptions=True)
    def crash_and_fail():
        if runs() == 1:
            os._exit(1)
        raise ValueError("second")

    with pytest.raises(ValueError, match="second"):
        ray.get(crash_and_fail.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "xx"


def test_exceptions_named_for_retries_are_matched_with_the_cause(ray, runs):
    """What a task raises because of another task's error is an instance of that error's class too."""

    @ray.remote(max_retries=0)
    def inner():
        raise KeyError("inner")

    @ray.remote(max_retries=1, retry_exceptions=[KeyError])
    def outer():
        runs()
        return ray.get(inner.remote())

    with pytest.raises(KeyError):
        ray.get(outer.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "xx"


# --- methods ---


@pytest.fixture
def flaky(ray):
    @ray.remote(num_cpus=0, max_task_retries=1)
    class Flaky:
        def __init__(self):
            self.calls = 0

        @ray.method(retry_exceptions=True)
        def plain(self):
            self.calls += 1
            raise ValueError(self.calls)

        @ray.method(retry_exceptions=True, max_task_retries=3)
        def limited(self):
            self.calls += 1
            raise ValueError(self.calls)

        def count(self):
            return self.calls

    return Flaky


@pytest.mark.parametrize(
    ("options", "method", "call", "attempts"),
    [
        ({}, "plain", {}, 2),
        ({"max_task_retries": 2}, "plain", {}, 3),
        ({"max_task_retries": 2}, "limited", {}, 4),
        ({"max_task_retries": 2}, "limited", {"max_task_retries": 1}, 2),
        ({"max_task_retries": 2}, "plain", {"max_task_retries": 0}, 1),
    ],
    ids=["class", "options", "method", "call", "call-zero"],
)
def test_nearest_number_of_retries_counts(ray, flaky, options, method, call, attempts):
    """Of the call, before the method's, before the actor's, before the class's."""
    actor = flaky.options(**options).remote()
    with pytest.raises(ValueError, match=str(attempts)):
        ray.get(getattr(actor, method).options(**call).remote(), timeout=PATIENCE)
    assert ray.get(actor.count.remote(), timeout=PATIENCE) == attempts


def test_actors_neither_restart_nor_repeat_calls_by_default(ray, runs):
    @ray.remote(num_cpus=0)
    class Crashes:
        def crash(self):
            runs()
            os._exit(1)

    actor = Crashes.remote()
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(actor.crash.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "x"


def test_restarted_actor_does_not_repeat_calls_by_itself(ray, runs):
    @ray.remote(num_cpus=0, max_restarts=1)
    class Crashes:
        def crash(self):
            runs()
            os._exit(1)

    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(Crashes.remote().crash.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "x"


def test_constructor_that_raises_is_not_repeated(ray, runs):
    @ray.remote(num_cpus=0, max_restarts=3, max_task_retries=3)
    class Broken:
        def __init__(self):
            runs()
            raise ValueError("cannot begin")

        def method(self):
            return 1

    broken = Broken.remote()
    for _ in range(2):
        with pytest.raises(ray.exceptions.ActorDiedError, match="cannot begin"):
            ray.get(broken.method.remote(), timeout=PATIENCE)
    assert runs.path.read_text() == "x"

"""In which order the calls of an actor run, and who waits for whom."""

import pytest

from tests.api.signals import signal_class

PATIENCE = 60


@pytest.fixture
def signal(ray):
    return signal_class(ray).remote()


@pytest.fixture
def after(ray):
    @ray.remote(num_cpus=0)
    def after(signal):
        ray.get(signal.wait.remote())
        return "late"

    return after


@pytest.fixture
def log_class(ray):
    @ray.remote(num_cpus=0)
    class Log:
        def __init__(self):
            self.lines = []

        def add(self, line, fails=0):
            self.lines.append(line)
            if self.lines.count(line) <= fails:
                raise ValueError(line)
            return list(self.lines)

    return Log


def test_callers_do_not_hold_up_each_other(ray, log_class, after, signal):
    """The driver's call waits for its argument; a task's call to the same actor does not."""

    @ray.remote(num_cpus=0)
    def call(log):
        return ray.get(log.add.remote("task's"))

    log = log_class.remote()
    held_up = log.add.remote(after.remote(signal))
    assert ray.get(call.remote(log), timeout=PATIENCE) == ["task's"]
    ray.get(signal.open.remote())
    assert ray.get(held_up, timeout=PATIENCE) == ["task's", "late"]


def test_each_caller_keeps_its_own_order(ray, log_class):
    @ray.remote(num_cpus=0)
    def call(log, caller):
        for number in range(20):
            last = log.add.remote((caller, number))
        ray.get(last)

    log = log_class.remote()
    ray.get([call.remote(log, caller) for caller in range(3)], timeout=PATIENCE)
    lines = ray.get(log.add.remote("end"))[:-1]
    for caller in range(3):
        assert [line for line in lines if line[0] == caller] == [(caller, n) for n in range(20)]


def test_argument_that_is_pending_holds_up_its_own_group_only(ray, after, signal):
    """Groups are rows of their own, at the caller as at the actor."""

    @ray.remote(num_cpus=0, concurrency_groups={"one": 1, "other": 1})
    class Grouped:
        def __init__(self):
            self.seen = []

        @ray.method(concurrency_group="one")
        def one(self, value):
            self.seen.append(value)

        @ray.method(concurrency_group="other")
        def other(self):
            return list(self.seen)

        def of_the_nameless_group(self):
            return list(self.seen)

    actor = Grouped.remote()
    actor.one.remote(after.remote(signal))
    behind = actor.one.remote("early")
    assert ray.get(actor.other.remote(), timeout=PATIENCE) == []
    assert ray.get(actor.of_the_nameless_group.remote(), timeout=PATIENCE) == []
    ray.get(signal.open.remote())
    ray.get(behind, timeout=PATIENCE)
    assert ray.get(actor.other.remote(), timeout=PATIENCE) == ["late", "early"]


def test_failed_argument_lets_those_behind_go_on(ray, log_class):
    @ray.remote(num_cpus=0)
    def fail():
        raise KeyError("argument")

    log = log_class.remote()
    failing = log.add.remote(fail.remote())
    assert ray.get(log.add.remote("behind"), timeout=PATIENCE) == ["behind"]
    with pytest.raises(KeyError):
        ray.get(failing, timeout=PATIENCE)


def test_call_that_is_retried_gives_up_its_place(ray, log_class, after, signal):
    """Those behind it do not wait for its second attempt. Both wait for its argument at first: so they go together."""
    log = log_class.remote()
    again = log.add.options(max_task_retries=1, retry_exceptions=True)
    retried = again.remote(after.remote(signal), fails=1)
    behind = log.add.remote("second")
    ray.get(signal.open.remote())
    assert ray.get(behind, timeout=PATIENCE)[:2] == ["late", "second"]
    assert ray.get(retried, timeout=PATIENCE) == ["late", "second", "late"]


def test_threads_begin_with_whichever_call_is_ready(ray, after, signal):
    """Three calls wait for their arguments; the fourth, on two threads, runs at once."""

    @ray.remote(num_cpus=0, max_concurrency=2)
    class Threaded:
        def give(self, value):
            return value

    actor = Threaded.remote()
    late = [actor.give.remote(after.remote(signal)) for _ in range(3)]
    assert ray.get(actor.give.remote("early"), timeout=PATIENCE) == "early"
    ray.get(signal.open.remote())
    assert ray.get(late, timeout=PATIENCE) == ["late"] * 3

import threading
import time

import pytest

from tests.api.signals import signal_class

PATIENCE = 60


@pytest.fixture
def signal(ray):
    return signal_class(ray).remote()


@pytest.fixture
def worker(ray):
    @ray.remote
    class Worker:
        def __init__(self):
            self.seen = []

        def wait(self, signal, item=None):
            ray.get(signal.wait.remote())
            self.seen.append(item)
            return item

        def add(self, item):
            self.seen.append(item)
            return list(self.seen)

        def thread(self):
            return threading.get_ident()

        def task(self, signal):
            before = ray.get_runtime_context().get_task_id()
            ray.get(signal.wait.remote())
            return before, ray.get_runtime_context().get_task_id()

    return Worker


# --- threads ---


def test_calls_of_a_threaded_actor_run_at_the_same_time(ray, worker, signal):
    actor = worker.options(max_concurrency=3).remote()
    waiting = [actor.wait.remote(signal, i) for i in range(3)]
    ray.get(signal.until_waiting.remote(3), timeout=PATIENCE)
    ray.get(signal.open.remote())
    assert ray.get(waiting, timeout=PATIENCE) == [0, 1, 2]


def test_no_more_calls_run_than_were_allowed(ray, worker, signal):
    actor = worker.options(max_concurrency=2).remote()
    waiting = [actor.wait.remote(signal, i) for i in range(4)]
    ray.get(signal.until_waiting.remote(2), timeout=PATIENCE)
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(signal.until_waiting.remote(3), timeout=0.3)
    ray.get(signal.open.remote())
    assert sorted(ray.get(waiting, timeout=PATIENCE)) == [0, 1, 2, 3]


def test_ordinary_actor_runs_one_call_at_a_time(ray, worker, signal):
    actor = worker.remote()
    first = actor.wait.remote(signal, "first")
    second = actor.add.remote("second")
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(second, timeout=0.3)
    ray.get(signal.open.remote())
    assert ray.get(second, timeout=PATIENCE) == ["first", "second"]
    assert ray.get(first) == "first"


def test_waiting_calls_of_a_threaded_actor_hold_up_nobody(ray, worker, signal):
    @ray.remote(num_cpus=0)
    def after(signal):
        ray.get(signal.wait.remote())
        return "late"

    actor = worker.options(max_concurrency=2).remote()
    late = actor.add.remote(after.remote(signal))
    assert ray.get(actor.add.remote("early"), timeout=PATIENCE) == ["early"]
    ray.get(signal.open.remote())
    assert ray.get(late, timeout=PATIENCE) == ["early", "late"]


def test_plain_actor_out_of_order_if_it_may(ray, worker, signal):
    @ray.remote(num_cpus=0)
    def after(signal):
        ray.get(signal.wait.remote())
        return "late"

    actor = worker.options(allow_out_of_order_execution=True).remote()
    late = actor.add.remote(after.remote(signal))
    assert ray.get(actor.add.remote("early"), timeout=PATIENCE) == ["early"]
    ray.get(signal.open.remote())
    assert ray.get(late, timeout=PATIENCE) == ["early", "late"]


def test_threads_know_their_own_tasks(ray, worker, signal):
    actor = worker.options(max_concurrency=3).remote()
    asked = [actor.task.remote(signal) for _ in range(3)]
    ray.get(signal.until_waiting.remote(3), timeout=PATIENCE)
    ray.get(signal.open.remote())
    expected = [(ref.task_id().hex(), ref.task_id().hex()) for ref in asked]
    assert [tuple(pair) for pair in ray.get(asked, timeout=PATIENCE)] == expected


def test_threaded_actor_with_a_lock(ray):
    """Held while the thread that has it waits."""

    @ray.remote(max_concurrency=4)
    class Locked:
        def __init__(self):
            self.lock = threading.Lock()
            self.inside = 0

        def alone(self):
            with self.lock:
                self.inside += 1
                time.sleep(0.02)
                assert self.inside == 1
                self.inside -= 1
            return True

    actor = Locked.remote()
    assert all(ray.get([actor.alone.remote() for _ in range(8)], timeout=PATIENCE))


def test_threaded_actor_with_an_event(ray):
    @ray.remote(max_concurrency=2)
    class Gate:
        def __init__(self):
            self.event = threading.Event()

        def wait(self):
            return self.event.wait(PATIENCE)

        def open(self):
            self.event.set()

    gate = Gate.remote()
    waiting = gate.wait.remote()
    gate.open.remote()
    assert ray.get(waiting, timeout=PATIENCE)


def test_order_cannot_be_asked_of_threads(ray, worker):
    asked = worker.options(max_concurrency=2, allow_out_of_order_execution=False)
    with pytest.raises(ValueError, match="order"):
        asked.remote()


def test_negative_concurrency_is_refused(ray, worker):
    with pytest.raises(ValueError, match="max_concurrency"):
        worker.options(max_concurrency=-1)


# --- concurrency groups ---


@pytest.fixture
def grouped(ray):
    @ray.remote(concurrency_groups={"io": 2, "compute": 1})
    class Grouped:
        def __init__(self):
            self.seen = []

        @ray.method(concurrency_group="io")
        def io(self, signal):
            ray.get(signal.wait.remote())
            return "io"

        @ray.method(concurrency_group="compute")
        def compute(self, item):
            self.seen.append(item)
            return list(self.seen)

        def plain(self, signal=None):
            if signal is not None:
                ray.get(signal.wait.remote())
            return "plain"

    return Grouped


def test_groups_do_not_hold_up_each_other(ray, grouped, signal):
    actor = grouped.remote()
    waiting = [actor.io.remote(signal), actor.io.remote(signal), actor.plain.remote(signal)]
    ray.get(signal.until_waiting.remote(3), timeout=PATIENCE)
    assert ray.get(actor.compute.remote(1), timeout=PATIENCE) == [1]
    ray.get(signal.open.remote())
    assert ray.get(waiting, timeout=PATIENCE) == ["io", "io", "plain"]


def test_group_has_a_limit_of_its_own(ray, grouped, signal):
    actor = grouped.remote()
    waiting = [actor.io.remote(signal) for _ in range(3)]
    ray.get(signal.until_waiting.remote(2), timeout=PATIENCE)
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(signal.until_waiting.remote(3), timeout=0.3)
    assert ray.get(actor.plain.remote(), timeout=PATIENCE) == "plain"
    ray.get(signal.open.remote())
    assert ray.get(waiting, timeout=PATIENCE) == ["io"] * 3


def test_calls_of_one_group_run_in_order(ray, grouped):
    actor = grouped.remote()
    last = [actor.compute.remote(i) for i in range(50)][-1]
    assert ray.get(last, timeout=PATIENCE) == list(range(50))


def test_group_of_one_call(ray, grouped, signal):
    """It runs beside a call of the default group, which has one place."""
    actor = grouped.remote()
    waiting = actor.plain.remote(signal)
    ray.get(signal.until_waiting.remote(1), timeout=PATIENCE)
    beside = actor.plain.options(concurrency_group="io").remote()
    assert ray.get(beside, timeout=PATIENCE) == "plain"
    ray.get(signal.open.remote())
    ray.get(waiting, timeout=PATIENCE)


def test_groups_of_an_asynchronous_actor(ray, signal):
    @ray.remote(concurrency_groups={"io": 2})
    class Grouped:
        @ray.method(concurrency_group="io")
        async def io(self, signal):
            await signal.wait.remote()

        async def plain(self):
            return "plain"

    actor = Grouped.remote()
    waiting = [actor.io.remote(signal) for _ in range(3)]
    ray.get(signal.until_waiting.remote(2), timeout=PATIENCE)
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(signal.until_waiting.remote(3), timeout=0.3)
    assert ray.get(actor.plain.remote(), timeout=PATIENCE) == "plain"
    ray.get(signal.open.remote())
    ray.get(waiting, timeout=PATIENCE)


def test_groups_are_not_an_option_of_one_actor(ray, grouped):
    with pytest.raises(ValueError, match="concurrency_groups"):
        grouped.options(concurrency_groups={"io": 4})


def test_method_in_a_group_that_the_class_does_not_have(ray):
    @ray.remote
    class Lost:
        @ray.method(concurrency_group="nowhere")
        def method(self):
            return 1

    with pytest.raises(AssertionError):
        Lost.remote()


# --- calls that wait ---


def test_too_many_pending_calls_are_refused_at_the_caller(ray, worker, signal):
    actor = worker.options(max_pending_calls=2).remote()
    waiting = [actor.wait.remote(signal, i) for i in range(2)]
    with pytest.raises(ray.exceptions.PendingCallsLimitExceeded, match="max_pending_calls"):
        actor.add.remote(3)
    ray.get(signal.open.remote())
    assert ray.get(waiting, timeout=PATIENCE) == [0, 1]
    assert ray.get(actor.add.remote(3), timeout=PATIENCE) == [0, 1, 3]


def test_limit_of_pending_calls_goes_with_the_handle(ray, worker, signal):
    """Each caller has a limit of its own."""

    @ray.remote(num_cpus=0)
    def call(actor, signal):
        waiting = [actor.wait.remote(signal) for _ in range(2)]
        try:
            actor.add.remote(3)
        except ray.exceptions.PendingCallsLimitExceeded:
            refused = True
        else:
            refused = False
        ray.get(signal.open.remote())
        ray.get(waiting)
        return refused

    actor = worker.options(max_pending_calls=2).remote()
    assert ray.get(call.remote(actor, signal), timeout=PATIENCE)


@pytest.mark.parametrize("limit", [-1, 0])
def test_pending_calls_without_limit(ray, worker, limit):
    actor = worker.options(max_pending_calls=limit).remote()
    assert ray.get([actor.add.remote(i) for i in range(30)], timeout=PATIENCE)[-1] == list(
        range(30)
    )


# --- retries of methods ---


@pytest.fixture
def flaky(ray):
    @ray.remote
    class Flaky:
        def __init__(self):
            self.calls = 0

        @ray.method(max_task_retries=2, retry_exceptions=[ValueError, OSError])
        def fail(self, error, times):
            self.calls += 1
            if self.calls <= times:
                raise error(self.calls)
            return self.calls

        def plain(self, error, times):
            self.calls += 1
            if self.calls <= times:
                raise error(self.calls)
            return self.calls

        def count(self):
            return self.calls

    return Flaky


def test_method_is_retried_for_the_exceptions_that_it_names(ray, flaky):
    assert ray.get(flaky.remote().fail.remote(ValueError, 2), timeout=PATIENCE) == 3
    assert ray.get(flaky.remote().fail.remote(FileNotFoundError, 1), timeout=PATIENCE) == 2


def test_method_is_not_retried_for_others(ray, flaky):
    actor = flaky.remote()
    with pytest.raises(KeyError):
        ray.get(actor.fail.remote(KeyError, 1), timeout=PATIENCE)
    assert ray.get(actor.count.remote()) == 1


def test_retries_of_a_method_end(ray, flaky):
    actor = flaky.remote()
    with pytest.raises(ValueError, match="3"):
        ray.get(actor.fail.remote(ValueError, 5), timeout=PATIENCE)
    assert ray.get(actor.count.remote()) == 3


def test_exceptions_named_at_the_call(ray, flaky):
    actor = flaky.remote()
    call = actor.plain.options(max_task_retries=3, retry_exceptions=[KeyError])
    assert ray.get(call.remote(KeyError, 2), timeout=PATIENCE) == 3
    with pytest.raises(ValueError, match="4"):
        ray.get(call.remote(ValueError, 9), timeout=PATIENCE)


def test_exceptions_are_not_retried_unless_it_is_said(ray, flaky):
    actor = flaky.options(max_task_retries=3).remote()
    with pytest.raises(ValueError, match="1"):
        ray.get(actor.plain.remote(ValueError, 1), timeout=PATIENCE)

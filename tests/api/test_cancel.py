import asyncio
import time

import pytest

from tests.api.patience import pass_replies
from tests.api.signals import signal_class

PATIENCE = 60


@pytest.fixture
def signal(ray):
    return signal_class(ray).remote()


@pytest.fixture
def waits(ray):
    @ray.remote(num_cpus=0, max_retries=3)
    def waits(signal):
        ray.get(signal.wait.remote())
        return "not cancelled"

    return waits


@pytest.fixture
def never(ray):
    """Needs what no node has."""

    @ray.remote(num_cpus=1000)
    def never():
        return 1

    return never


# --- tasks that have not started ---


def test_task_that_waits_for_room(ray, never):
    ref = never.remote()
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)


def test_task_that_waits_for_its_argument(ray, waits, signal):
    @ray.remote
    def use(value):
        return value

    ref = use.remote(waits.remote(signal))
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)
    ray.get(signal.open.remote())


def test_all_returns_are_cancelled(ray):
    @ray.remote(num_cpus=1000, num_returns=2)
    def never():
        return 1, 2

    one, two = never.remote()
    ray.cancel(one)
    for ref in (one, two):
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(ref, timeout=PATIENCE)


def test_task_that_uses_a_cancelled_one_does_not_run(ray, never):
    @ray.remote
    def use(value):
        return value

    ref = never.remote()
    using = use.remote(ref)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(using, timeout=PATIENCE)


def test_cancelled_task_counts_as_ready(ray, never):
    ref = never.remote()
    ray.cancel(ref)
    assert ray.wait([ref], timeout=PATIENCE) == ([ref], [])


# --- tasks that run ---


@pytest.mark.parametrize("force", [False, True])
def test_task_that_runs(ray, waits, signal, force):
    ref = waits.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref, force=force)
    with pytest.raises((ray.exceptions.TaskCancelledError, ray.exceptions.WorkerCrashedError)):
        ray.get(ref, timeout=PATIENCE)


def test_task_that_computes(ray):
    @ray.remote
    def compute(signal):
        ray.get(signal.open.remote())
        end = time.monotonic() + 600
        while time.monotonic() < end:
            pass
        return "not cancelled"

    begun = signal_class(ray).remote()
    ref = compute.remote(begun)
    ray.get(begun.wait.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError) as caught:
        ray.get(ref, timeout=PATIENCE)
    assert isinstance(caught.value, ray.exceptions.RayTaskError)


def test_task_that_sleeps(ray):
    @ray.remote
    def sleep(signal):
        ray.get(signal.open.remote())
        for _ in range(6000):
            time.sleep(0.1)
        return "not cancelled"

    begun = signal_class(ray).remote()
    ref = sleep.remote(begun)
    ray.get(begun.wait.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)


def test_task_may_catch_it_and_finish(ray, signal):
    @ray.remote
    def stubborn(signal):
        try:
            ray.get(signal.wait.remote())
        except (KeyboardInterrupt, ray.exceptions.TaskCancelledError):
            return "finished all the same"
        return "not cancelled"

    ref = stubborn.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref, recursive=False)
    assert ray.get(ref, timeout=PATIENCE) == "finished all the same"


def test_task_cleans_up(ray, signal):
    cleaned = signal_class(ray).remote()

    @ray.remote
    def tidy(signal, cleaned):
        try:
            ray.get(signal.wait.remote())
        finally:
            cleaned.open.remote()

    ref = tidy.remote(signal, cleaned)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref, recursive=False)
    ray.get(cleaned.wait.remote(), timeout=PATIENCE)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)


def test_cancelled_task_is_not_retried(ray, signal):
    @ray.remote
    class Count:
        def __init__(self):
            self.runs = 0

        def run(self):
            self.runs += 1
            return self.runs

    @ray.remote(max_retries=5, retry_exceptions=True)
    def task(count, signal):
        ray.get(count.run.remote())
        ray.get(signal.wait.remote())

    count = Count.remote()
    ref = task.remote(count, signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)
    assert ray.get(count.run.remote()) == 2


def test_worker_goes_on_with_other_tasks(ray, waits, signal):
    refs = [waits.remote(signal) for _ in range(3)]
    ray.get(signal.until_waiting.remote(3), timeout=PATIENCE)
    ray.cancel(refs[1])
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(refs[1], timeout=PATIENCE)
    ray.get(signal.open.remote())
    assert ray.get([refs[0], refs[2]], timeout=PATIENCE) == ["not cancelled"] * 2


def test_force_ends_a_task_that_catches_everything(ray, signal):
    @ray.remote(max_retries=3)
    def stubborn(signal):
        while True:
            try:
                ray.get(signal.wait.remote())
                time.sleep(600)
            except BaseException:  # noqa: BLE001  (it is stubborn)
                time.sleep(0.01)

    ref = stubborn.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref, force=True)
    with pytest.raises((ray.exceptions.TaskCancelledError, ray.exceptions.WorkerCrashedError)):
        ray.get(ref, timeout=PATIENCE)


# --- tasks that have ended, and what is no task ---


def test_finished_task_keeps_its_value(ray):
    @ray.remote
    def one():
        return 1

    ref = one.remote()
    assert ray.get(ref, timeout=PATIENCE) == 1
    pass_replies(ray)
    ray.cancel(ref)
    ray.cancel(ref, force=True)
    assert ray.get(ref) == 1


def test_failed_task_keeps_its_error(ray):
    @ray.remote
    def fail():
        raise ValueError("first")

    ref = fail.remote()
    with pytest.raises(ValueError, match="first"):
        ray.get(ref, timeout=PATIENCE)
    pass_replies(ray)
    ray.cancel(ref)
    with pytest.raises(ValueError, match="first"):
        ray.get(ref)


def test_cancelling_twice(ray, never):
    ref = never.remote()
    ray.cancel(ref)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)


def test_object_that_was_put_stays(ray):
    ref = ray.put(1)
    ray.cancel(ref)
    assert ray.get(ref) == 1


def test_what_is_no_reference_is_refused(ray):
    with pytest.raises(TypeError):
        ray.cancel("task")


# --- children ---


@pytest.fixture
def family(ray, waits):
    """A parent that waits for its child; the child's reference is in `keeper`."""

    @ray.remote(num_cpus=0)
    class Keeper:
        def __init__(self):
            self.kept = asyncio.Event()

        async def keep(self, refs):
            self.refs = refs
            self.kept.set()

        async def give(self):
            await self.kept.wait()
            return self.refs

    @ray.remote(num_cpus=0)
    def parent(keeper, signal):
        child = waits.remote(signal)
        ray.get(keeper.keep.remote([child]))
        return ray.get(child)

    return parent, Keeper.remote()


def test_children_are_cancelled_too(ray, family, signal):
    parent, keeper = family
    ref = parent.remote(keeper, signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    [child] = ray.get(keeper.give.remote())
    ray.cancel(ref)
    for one in (ref, child):
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(one, timeout=PATIENCE)


def test_children_are_left_alone_if_so_wished(ray, family, signal):
    parent, keeper = family
    ref = parent.remote(keeper, signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    [child] = ray.get(keeper.give.remote())
    ray.cancel(ref, recursive=False)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)
    ray.get(signal.open.remote())
    assert ray.get(child, timeout=PATIENCE) == "not cancelled"


def test_borrower_cancels(ray, family, signal):
    """The driver did not submit the child."""
    parent, keeper = family
    ref = parent.remote(keeper, signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    [child] = ray.get(keeper.give.remote())
    ray.cancel(child)
    for one in (child, ref):
        with pytest.raises(ray.exceptions.TaskCancelledError):
            ray.get(one, timeout=PATIENCE)


# --- methods of actors ---


@pytest.fixture
def worker(ray):
    @ray.remote
    class Worker:
        def __init__(self):
            self.seen = []

        def wait(self, signal, item="waited"):
            ray.get(signal.wait.remote())
            self.seen.append(item)
            return item

        def add(self, item):
            self.seen.append(item)
            return list(self.seen)

        def until_cancelled(self, begun):
            begun.open.remote()
            end = time.monotonic() + PATIENCE
            while time.monotonic() < end:
                if ray.get_runtime_context().is_canceled():
                    self.seen.append("saw it")
                    return "ended early"
                time.sleep(0.01)
            return "not cancelled"

    return Worker


@pytest.fixture
def coroutines(ray):
    @ray.remote
    class Coroutines:
        def __init__(self):
            self.seen = []

        async def wait(self, signal):
            try:
                await signal.wait.remote()
            except asyncio.CancelledError:
                self.seen.append("cancelled")
                raise
            return "not cancelled"

        async def stubborn(self, signal):
            try:
                await signal.wait.remote()
            except asyncio.CancelledError:
                self.seen.append("caught")
            return "finished"

        async def so_far(self):
            return self.seen

        async def ask(self):
            return ray.get_runtime_context().is_canceled()

    return Coroutines


def test_method_that_waits_for_its_turn(ray, worker, signal):
    actor = worker.remote()
    running = actor.wait.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    queued = actor.add.remote("cancelled")
    ray.cancel(queued)
    ray.get(signal.open.remote())
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(queued, timeout=PATIENCE)
    assert ray.get(running, timeout=PATIENCE) == "waited"


def test_method_that_waits_for_its_argument(ray, worker, waits, signal):
    actor = worker.remote()
    blocked = actor.add.remote(waits.remote(signal))
    ray.cancel(blocked)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(blocked, timeout=PATIENCE)
    assert ray.get(actor.add.remote("next"), timeout=PATIENCE) == ["next"]
    ray.get(signal.open.remote())


def test_method_that_runs_sees_it(ray, worker, signal):
    """Its caller has given it up, whatever it returns."""
    actor = worker.remote()
    ref = actor.until_cancelled.remote(signal)
    ray.get(signal.wait.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)
    assert ray.get(actor.add.remote("next"), timeout=PATIENCE) == ["saw it", "next"]


def test_method_of_a_threaded_actor_sees_it(ray, worker, signal):
    actor = worker.options(max_concurrency=2).remote()
    ref = actor.until_cancelled.remote(signal)
    ray.get(signal.wait.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)


def test_coroutine_that_waits(ray, coroutines, signal):
    actor = coroutines.remote()
    ref = actor.wait.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError) as caught:
        ray.get(ref, timeout=PATIENCE)
    assert isinstance(caught.value, ray.exceptions.RayTaskError)
    assert ray.get(actor.so_far.remote(), timeout=PATIENCE) == ["cancelled"]


def test_coroutine_that_catches_it(ray, coroutines, signal):
    """Its value is nobody's all the same."""
    actor = coroutines.remote()
    ref = actor.stubborn.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref)
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(ref, timeout=PATIENCE)
    assert ray.get(actor.so_far.remote(), timeout=PATIENCE) == ["caught"]


def test_other_coroutines_go_on(ray, coroutines, signal):
    actor = coroutines.remote()
    refs = [actor.wait.remote(signal) for _ in range(3)]
    ray.get(signal.until_waiting.remote(3), timeout=PATIENCE)
    ray.cancel(refs[1])
    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(refs[1], timeout=PATIENCE)
    ray.get(signal.open.remote())
    assert ray.get([refs[0], refs[2]], timeout=PATIENCE) == ["not cancelled"] * 2


def test_force_is_not_for_methods(ray, worker, signal):
    actor = worker.remote()
    ref = actor.wait.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    with pytest.raises(ValueError, match="force"):
        ray.cancel(ref, force=True)
    ray.get(signal.open.remote())
    assert ray.get(ref, timeout=PATIENCE) == "waited"


# --- is_canceled ---


def test_task_that_was_not_cancelled(ray):
    @ray.remote
    def ask():
        return ray.get_runtime_context().is_canceled()

    assert ray.get(ask.remote(), timeout=PATIENCE) is False


def test_task_that_asks_after_it_was_interrupted(ray, signal):
    @ray.remote
    def ask(signal):
        try:
            ray.get(signal.wait.remote())
        except KeyboardInterrupt:
            return ray.get_runtime_context().is_canceled()
        return None

    ref = ask.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.cancel(ref, recursive=False)
    assert ray.get(ref, timeout=PATIENCE) is True


def test_driver_cannot_be_cancelled(ray):
    with pytest.raises(RuntimeError, match=r"worker|driver"):
        ray.get_runtime_context().is_canceled()


def test_coroutine_cannot_ask(ray, coroutines):
    with pytest.raises(RuntimeError, match="async"):
        ray.get(coroutines.remote().ask.remote(), timeout=PATIENCE)

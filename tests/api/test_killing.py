"""`kill`: what becomes of the calls of an actor, and of the actor, when somebody ends it."""

import pytest

from tests.api.patience import until
from tests.api.signals import signal_class

PATIENCE = 60


@pytest.fixture
def signal(ray):
    return signal_class(ray).remote()


@pytest.fixture
def worker(ray):
    @ray.remote(num_cpus=0)
    class Worker:
        def __init__(self):
            self.calls = 0

        def add(self):
            self.calls += 1
            return self.calls

        def wait(self, signal):
            ray.get(signal.wait.remote())

        def leave_a_trace_at_exit(self, path):
            import atexit

            atexit.register(lambda: path.write_text("exit"))

    return Worker


def is_dead(ray, actor):
    try:
        ray.get(actor.add.remote(), timeout=PATIENCE)
    except ray.exceptions.ActorDiedError:
        return True
    return False


def test_calls_that_run_or_wait_fail(ray, worker, signal):
    actor = worker.remote()
    running = actor.wait.remote(signal)
    waiting = [actor.add.remote() for _ in range(3)]
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    ray.kill(actor)
    for ref in (running, *waiting):
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(ref, timeout=PATIENCE)


def test_results_that_are_there_stay(ray, worker):
    actor = worker.remote()
    small, large = actor.add.remote(), actor.__ray_call__.remote(lambda self: b"x" * 500_000)
    ray.wait([small, large], num_returns=2, timeout=PATIENCE)
    ray.kill(actor)
    until(lambda: is_dead(ray, actor))
    assert ray.get(small) == 1
    assert len(ray.get(large, timeout=PATIENCE)) == 500_000


def test_exit_functions_do_not_run(ray, worker, tmp_path):
    trace = tmp_path / "trace"
    actor = worker.remote()
    ray.get(actor.leave_a_trace_at_exit.remote(trace), timeout=PATIENCE)
    ray.kill(actor)
    until(lambda: is_dead(ray, actor))
    assert not trace.exists()


def test_actor_that_is_being_made_can_be_killed(ray, worker):
    """It never runs a call."""
    actor = worker.options(resources={"shelf": 99}).remote()
    call = actor.add.remote()
    ray.kill(actor)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(call, timeout=PATIENCE)


def test_killing_twice(ray, worker):
    actor = worker.remote()
    ray.get(actor.add.remote(), timeout=PATIENCE)
    ray.kill(actor)
    ray.kill(actor)
    until(lambda: is_dead(ray, actor))
    ray.kill(actor)


def test_task_kills_the_actor_that_it_was_given(ray, worker):
    @ray.remote(num_cpus=0)
    def end(actor):
        ray.kill(actor)

    actor = worker.remote()
    ray.get(actor.add.remote(), timeout=PATIENCE)
    ray.get(end.remote(actor), timeout=PATIENCE)
    until(lambda: is_dead(ray, actor))


def test_restarts_without_end(ray, worker):
    """Each kill that allows it makes the actor anew."""
    actor = worker.options(max_restarts=-1, max_task_retries=-1).remote()
    for _ in range(3):
        assert ray.get(actor.add.remote(), timeout=PATIENCE) >= 1
        assert ray.get(actor.add.remote(), timeout=PATIENCE) >= 2
        ray.kill(actor, no_restart=False)
        until(lambda: ray.get(actor.add.remote(), timeout=PATIENCE) == 1)
    ray.kill(actor)
    until(lambda: is_dead(ray, actor))

import asyncio
import os
import sys
import time

import pytest

from tests.api.signals import signal_class

PATIENCE = 60
ROUNDS = 3000
"""Calls until something that takes a moment is over: each lets time go on, in every world."""


@pytest.fixture
def signal(ray):
    return signal_class(ray).remote()


@pytest.fixture
def log(ray):
    @ray.remote(num_cpus=0)
    class Log:
        def __init__(self):
            self.lines = []

        def add(self, line):
            self.lines.append(line)

        def read(self):
            return self.lines

    return Log.remote()


@pytest.fixture
def worker(ray):
    @ray.remote
    class Worker:
        def __init__(self, log=None):
            self.log = log
            self.calls = 0

        def __ray_shutdown__(self):
            if self.log is not None:
                ray.get(self.log.add.remote("shut down"))

        def add(self):
            self.calls += 1
            return self.calls

        def wait(self, signal):
            ray.get(signal.wait.remote())
            return "waited"

        def leave(self):
            ray.actor.exit_actor()

        def leave_later(self, signal):
            ray.get(signal.wait.remote())
            ray.actor.exit_actor()

        def exit(self, code):
            sys.exit(code)

        def crash(self):
            os._exit(1)

        def reconstructed(self):
            return ray.get_runtime_context().was_current_actor_reconstructed

    return Worker


def settled(ray, actor, method="add"):
    """What the method of an actor that is about to change gives at last: a value, or its death."""
    for _ in range(ROUNDS):
        try:
            return ray.get(getattr(actor, method).remote(), timeout=PATIENCE)
        except ray.exceptions.ActorUnavailableError:
            time.sleep(0.01)
    raise AssertionError("it restarts for ever")


def is_dead(ray, actor):
    for _ in range(ROUNDS):
        try:
            ray.get(actor.add.remote(), timeout=PATIENCE)
        except ray.exceptions.ActorDiedError:
            return True
        except ray.exceptions.ActorUnavailableError:
            pass
        time.sleep(0.01)
    return False


def lines(ray, log, count):
    for _ in range(ROUNDS):
        found = ray.get(log.read.remote())
        if len(found) >= count:
            return found
        time.sleep(0.01)
    return ray.get(log.read.remote())


# --- exit_actor ---


def test_actor_that_leaves_is_dead(ray, worker):
    actor = worker.remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.leave.remote(), timeout=PATIENCE)
    assert is_dead(ray, actor)


def test_calls_behind_the_one_that_leaves_fail(ray, worker, signal):
    actor = worker.remote()
    leaving = actor.leave_later.remote(signal)
    behind = [actor.add.remote() for _ in range(3)]
    ray.get(signal.open.remote())
    for ref in (leaving, *behind):
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(ref, timeout=PATIENCE)


def test_actor_that_leaves_does_not_restart(ray, worker):
    actor = worker.options(max_restarts=-1, max_task_retries=-1).remote()
    ray.get(actor.add.remote(), timeout=PATIENCE)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.leave.remote(), timeout=PATIENCE)
    assert is_dead(ray, actor)


def test_coroutines_that_run_are_finished_first(ray, signal):
    @ray.remote
    class Leaves:
        async def wait(self, signal):
            await signal.wait.remote()
            return "finished"

        async def leave(self):
            ray.actor.exit_actor()

        async def add(self):
            return 1

    actor = Leaves.remote()
    running = actor.wait.remote(signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    leaving = actor.leave.remote()
    ray.get(signal.open.remote())
    assert ray.get(running, timeout=PATIENCE) == "finished"
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(leaving, timeout=PATIENCE)
    assert is_dead(ray, actor)


def test_threaded_actor_leaves(ray, worker):
    actor = worker.options(max_concurrency=2).remote()
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(actor.leave.remote(), timeout=PATIENCE)
    assert is_dead(ray, actor)


def test_only_an_actor_can_leave(ray):
    @ray.remote
    def task():
        ray.actor.exit_actor()

    with pytest.raises(TypeError):
        ray.actor.exit_actor()
    with pytest.raises(TypeError):
        ray.get(task.remote(), timeout=PATIENCE)


# --- other ends ---


def test_exit_with_code_zero_is_meant(ray, worker):
    actor = worker.options(max_restarts=1).remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.exit.remote(0), timeout=PATIENCE)
    assert is_dead(ray, actor)


@pytest.mark.parametrize("end", ["exit", "crash"])
def test_other_ends_are_crashes(ray, worker, end):
    """After which the actor begins anew, if it may."""
    actor = worker.options(max_restarts=1).remote()
    assert ray.get(actor.add.remote(), timeout=PATIENCE) == 1
    with pytest.raises(ray.exceptions.ActorUnavailableError):
        ray.get(actor.exit.remote(1) if end == "exit" else actor.crash.remote(), timeout=PATIENCE)
    assert settled(ray, actor) == 1
    assert ray.get(actor.reconstructed.remote(), timeout=PATIENCE) is True


def test_actor_that_never_restarted_knows_that(ray, worker):
    assert ray.get(worker.remote().reconstructed.remote(), timeout=PATIENCE) is False


def test_crash_without_restarts_left(ray, worker):
    actor = worker.options(max_restarts=0).remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.crash.remote(), timeout=PATIENCE)
    assert is_dead(ray, actor)


def test_unavailable_and_dead_are_both_actor_errors(ray):
    errors = ray.exceptions
    assert issubclass(errors.ActorDiedError, errors.RayActorError)
    assert issubclass(errors.ActorUnavailableError, errors.RayActorError)
    assert not issubclass(errors.ActorUnavailableError, errors.ActorDiedError)


def test_call_that_was_lost_is_repeated_if_it_may(ray, log):
    @ray.remote(max_restarts=1, max_task_retries=1)
    class Crashes:
        def once(self, log):
            ray.get(log.add.remote("run"))
            if not ray.get_runtime_context().was_current_actor_reconstructed:
                os._exit(1)
            return "survived"

    assert ray.get(Crashes.remote().once.remote(log), timeout=PATIENCE) == "survived"
    assert ray.get(log.read.remote()) == ["run", "run"]


# --- hooks ---


@pytest.mark.parametrize("how", ["leave", "__ray_terminate__", "out of scope"])
def test_actor_that_ends_in_good_order_shuts_down(ray, worker, log, how):
    actor = worker.remote(log)
    ray.get(actor.add.remote(), timeout=PATIENCE)
    if how != "out of scope":
        getattr(actor, how).remote()
    del actor
    assert lines(ray, log, 1) == ["shut down"]


def test_threaded_actor_shuts_down(ray, worker, log):
    actor = worker.options(max_concurrency=3).remote(log)
    ray.get(actor.add.remote(), timeout=PATIENCE)
    del actor
    assert lines(ray, log, 1) == ["shut down"]


def test_killed_actor_does_not_shut_down(ray, worker, log):
    actor = worker.remote(log)
    ray.get(actor.add.remote(), timeout=PATIENCE)
    ray.kill(actor)
    assert is_dead(ray, actor)
    assert ray.get(log.read.remote()) == []


def test_error_of_the_hook_is_nobodys(ray):
    @ray.remote
    class Breaks:
        def __ray_shutdown__(self):
            raise ValueError("at the end")

        def add(self):
            return 1

        def leave(self):
            ray.actor.exit_actor()

    actor = Breaks.remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.leave.remote(), timeout=PATIENCE)
    assert is_dead(ray, actor)


def test_exit_functions_run_after_the_hook(ray, tmp_path):
    path = tmp_path / "ends"

    @ray.remote
    class Ends:
        def __init__(self):
            import atexit

            def at_exit():
                with path.open("a") as file:
                    file.write("at exit\n")

            atexit.register(at_exit)

        def __ray_shutdown__(self):
            with path.open("a") as file:
                file.write("hook\n")

        def ready(self):
            return True

    actor = Ends.remote()
    assert ray.get(actor.ready.remote(), timeout=PATIENCE)
    del actor

    @ray.remote(num_cpus=0)
    def pause():
        time.sleep(0.01)

    for _ in range(ROUNDS):
        if path.exists() and len(path.read_text().split("\n")) == 3:
            break
        ray.get(pause.remote())
    assert path.read_text().splitlines() == ["hook", "at exit"]


# --- termination ---


def test_terminated_actor_runs_what_was_called_before(ray, worker, signal):
    actor = worker.remote()
    before = [actor.wait.remote(signal), actor.add.remote()]
    actor.__ray_terminate__.remote()
    ray.get(signal.open.remote())
    assert ray.get(before, timeout=PATIENCE) == ["waited", 1]
    assert is_dead(ray, actor)


def test_call_of_termination_itself_fails(ray, worker):
    actor = worker.remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.__ray_terminate__.remote(), timeout=PATIENCE)


# --- handles ---


def test_handle_that_a_task_holds_counts(ray, worker, signal):
    @ray.remote(num_cpus=0)
    def hold(actor, signal):
        ray.get(signal.wait.remote())
        return ray.get(actor.add.remote())

    actor = worker.remote()
    held = hold.remote(actor, signal)
    ray.get(signal.until_waiting.remote(), timeout=PATIENCE)
    del actor
    ray.get(signal.open.remote())
    assert ray.get(held, timeout=PATIENCE) == 1


def test_handle_by_name_does_not_count(ray, worker, log):
    actor = worker.options(name="weak").remote(log)
    weak = ray.get_actor("weak")
    assert ray.get(weak.add.remote(), timeout=PATIENCE) == 1
    del actor
    assert lines(ray, log, 1) == ["shut down"]
    assert is_dead(ray, weak)


def test_handle_in_an_object_counts(ray, worker, signal):
    kept = ray.put([worker.remote()])
    [actor] = ray.get(kept)
    assert ray.get(actor.add.remote(), timeout=PATIENCE) == 1
    del actor
    [again] = ray.get(kept)
    assert ray.get(again.add.remote(), timeout=PATIENCE) == 2


def test_own_handle_does_not_count(ray, log):
    @ray.remote
    class Selfish:
        def __init__(self, log):
            self.log = log
            self.me = ray.get_runtime_context().current_actor

        def __ray_shutdown__(self):
            ray.get(self.log.add.remote("shut down"))

        def ready(self):
            return True

    actor = Selfish.remote(log)
    assert ray.get(actor.ready.remote(), timeout=PATIENCE)
    del actor
    assert lines(ray, log, 1) == ["shut down"]


def test_asynchronous_actor_ends_with_its_last_handle(ray, log):
    @ray.remote
    class Coroutines:
        def __init__(self, log):
            self.log = log

        def __ray_shutdown__(self):
            ray.get(self.log.add.remote("shut down"))

        async def add(self):
            await asyncio.sleep(0)
            return 1

    actor = Coroutines.remote(log)
    last = actor.add.remote()
    del actor
    assert ray.get(last, timeout=PATIENCE) == 1
    assert lines(ray, log, 1) == ["shut down"]


# --- names ---


def test_names_of_living_actors(ray, worker):
    here = worker.options(name="listed").remote()
    there = worker.options(name="elsewhere listed", namespace="beyond").remote()
    ray.get([here.add.remote(), there.add.remote()], timeout=PATIENCE)
    assert "listed" in ray.util.list_named_actors()
    assert "elsewhere listed" not in ray.util.list_named_actors()
    everywhere = ray.util.list_named_actors(all_namespaces=True)
    assert {"name": "elsewhere listed", "namespace": "beyond"} in everywhere
    ray.kill(here)
    assert is_dead(ray, here)
    assert "listed" not in ray.util.list_named_actors()

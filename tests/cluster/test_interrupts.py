"""Cancelling what runs in a real process: wherever it is, and without harm to what comes after."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

import raysim as ray
from raysim.exceptions import RayTaskError, TaskCancelledError
from tests.cluster.inspection import until

Start = Callable[..., Any]


@ray.remote(num_cpus=0)
class Told:
    """What tasks have said so far."""

    def __init__(self) -> None:
        self.words: list[str] = []

    def say(self, word: str) -> None:
        self.words.append(word)

    def heard(self) -> list[str]:
        return self.words


def begun(told: Any, word: str = "begun") -> None:
    assert until(lambda: word in ray.get(told.heard.remote(), timeout=30))


@pytest.mark.parametrize("how", ["sleep", "wait", "compute", "read"])
def test_task_is_interrupted_where_it_is(start: Start, how: str) -> None:
    start()
    told = Told.remote()

    @ray.remote
    def work(told: Any, how: str) -> None:
        ray.get(told.say.remote("begun"))
        if how == "sleep":
            time.sleep(600)
        elif how == "wait":
            ray.get(told.heard.options(num_returns=1).remote())
            threading.Event().wait(600)
        elif how == "read":
            os.read(os.pipe()[0], 1)
        while True:
            sum(range(1000))

    ref = work.remote(told, how)
    begun(told)
    ray.cancel(ref)
    with pytest.raises(TaskCancelledError) as caught:
        ray.get(ref, timeout=60)
    assert isinstance(caught.value, RayTaskError)


def test_task_that_never_leaves_the_runtime_is_interrupted(start: Start) -> None:
    """It puts and submits all the time: roles are left whole, and go on."""
    start()
    told = Told.remote()

    @ray.remote
    def busy(told: Any) -> None:
        told.say.remote("begun")
        while True:
            ray.put(b"x" * 1000)
            ray.wait([ray.put(1)], timeout=0)

    for _ in range(10):
        ref = busy.remote(told)
        begun(told)
        ray.cancel(ref)
        with pytest.raises(TaskCancelledError):
            ray.get(ref, timeout=30)


def test_worker_is_the_same_after_it(start: Start) -> None:
    start(num_cpus=1)
    told = Told.remote()

    @ray.remote
    def pid() -> int:
        return os.getpid()

    @ray.remote
    def sleep(told: Any) -> None:
        ray.get(told.say.remote(str(os.getpid())))
        time.sleep(600)

    before = ray.get(pid.remote())
    for _ in range(3):
        ref = sleep.remote(told)
        begun(told, str(before))
        ray.cancel(ref)
        with pytest.raises(TaskCancelledError):
            ray.get(ref, timeout=30)
    assert ray.get(pid.remote(), timeout=30) == before


def test_late_interrupt_does_not_hit_the_next_task(start: Start) -> None:
    """Short tasks follow each other on one worker, and every other one is cancelled at about its end."""
    start(num_cpus=1)

    @ray.remote
    def short(n: int) -> int:
        time.sleep(0.001)
        return n

    refs = [short.remote(n) for n in range(300)]
    for ref in refs[::2]:
        ray.cancel(ref)
    assert ray.get(refs[1::2], timeout=60) == list(range(1, 300, 2))
    for n, ref in enumerate(refs[::2]):
        try:
            assert ray.get(ref, timeout=60) == 2 * n
        except TaskCancelledError:
            continue


def test_method_of_an_actor_is_not_interrupted(start: Start) -> None:
    start()
    told = Told.remote()

    @ray.remote
    class Sleeper:
        def sleep(self, told: Any) -> None:
            ray.get(told.say.remote("begun"))
            while not ray.get_runtime_context().is_canceled():
                time.sleep(0.01)
            time.sleep(0.1)
            ray.get(told.say.remote("ended"))

    sleeper = Sleeper.remote()
    ref = sleeper.sleep.remote(told)
    begun(told)
    ray.cancel(ref)
    with pytest.raises(TaskCancelledError):
        ray.get(ref, timeout=30)
    begun(told, "ended")


def test_force_kills_what_takes_no_notice(start: Start) -> None:
    start()
    told = Told.remote()

    @ray.remote(max_retries=3)
    def stubborn(told: Any) -> None:
        word = str(os.getpid())
        while True:
            try:
                told.say.remote(word)
                time.sleep(600)
            except KeyboardInterrupt:
                word = "took no notice"

    ref = stubborn.remote(told)
    assert until(lambda: len(ray.get(told.heard.remote(), timeout=30)) == 1)
    [pid] = ray.get(told.heard.remote())
    ray.cancel(ref)
    begun(told, "took no notice")
    ray.cancel(ref, force=True)
    with pytest.raises(TaskCancelledError):
        ray.get(ref, timeout=30)
    assert until(lambda: not os.path.exists(f"/proc/{pid}"))
    assert ray.get(told.heard.remote()) == [pid, "took no notice"]

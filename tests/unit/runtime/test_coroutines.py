"""The calls of an asynchronous actor on a loop: who wakes it, and when the executor hears of an end."""

import asyncio
from contextlib import nullcontext

import pytest

from raysim.protocol.host import Outcome, RunnableTask
from raysim.protocol.messages import TaskStatus
from raysim.runtime.coroutines import Coroutines
from raysim.spec.address import NOWHERE
from raysim.spec.ids import TaskId
from raysim.spec.task import TaskCall


class Worker:
    """A process whose calls do what `bodies` says, by their names."""

    def __init__(self):
        self.host = self.executor = self
        self.lock = nullcontext()
        self.told = []
        self.timers = []
        self.bodies = {}

    def call_later(self, delay_ns, action):
        self.timers.append(action)
        return self

    def cancel(self):
        self.timers.clear()

    async def execute_async(self, task):
        await self.bodies[task.call.method]()
        return Outcome(TaskStatus.OK)

    def finished(self, task, outcome):
        self.told.append(task.call.method)


@pytest.fixture
def worker():
    return Worker()


@pytest.fixture
def loop():
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def call(name):
    task_id = TaskId(name.encode().ljust(24, b"-"))
    return RunnableTask(TaskCall(task_id, 0, b"", method=name), NOWHERE, ())


def turns(loop, count):
    for _ in range(count):
        loop.call_soon(loop.stop)
        loop.run_forever()


async def nothing():
    pass


def test_calls_that_come_together_wake_the_loop_once_and_begin_in_order(worker, loop):
    woken = []
    loop.call_soon_threadsafe = lambda action: woken.append(action) or loop.call_soon(action)
    coroutines = Coroutines(worker, loop)
    for name in "abc":
        worker.bodies[name] = nothing
        coroutines.begin(call(name))
    assert len(woken) == 1
    turns(loop, 3)
    assert worker.told == ["a", "b", "c"]
    coroutines.begin(call("a"))
    assert len(woken) == 2


def test_call_that_ended_is_told_of_while_the_next_one_keeps_the_loop(worker, loop):
    told = []

    async def keeps():
        for action in tuple(worker.timers):  # Time goes by, and another thread has the lock.
            action()
        told.extend(worker.told)

    worker.bodies = {"quick": nothing, "keeps": keeps}
    coroutines = Coroutines(worker, loop)
    coroutines.begin(call("quick"))
    coroutines.begin(call("keeps"))
    turns(loop, 3)
    assert told == ["quick"]
    assert worker.told == ["quick", "keeps"]


def test_last_call_is_told_of_at_once(worker, loop):
    worker.bodies["only"] = nothing
    Coroutines(worker, loop).begin(call("only"))
    turns(loop, 2)
    assert worker.told == ["only"]
    assert worker.timers == []

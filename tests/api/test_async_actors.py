import asyncio
import time
from concurrent.futures import Future

import pytest

from tests.api.signals import signal_class

PATIENCE = 60
"""Seconds for what comes at once on a machine that has nothing else to do."""


@pytest.fixture
def signal(ray):
    return signal_class(ray).remote()


@pytest.fixture
def worker(ray):
    @ray.remote
    class Worker:
        def __init__(self, *args):
            self.loop = asyncio.get_running_loop()
            self.seen = []
            self.running = self.most = 0

        async def wait(self, signal, item=None):
            self.running += 1
            self.most = max(self.most, self.running)
            await signal.wait.remote()
            self.running -= 1
            self.seen.append(item)
            return item

        async def add(self, *items):
            self.seen.extend(items)
            return self.seen

        def plain(self):
            return asyncio.get_running_loop() is self.loop

        async def at_most(self):
            return self.most

        async def value(self, refs):
            return await refs[0]

        async def all(self, refs):
            return await asyncio.gather(*refs)

        async def fail(self):
            raise KeyError("from the coroutine")

        async def stop(self):
            raise StopIteration(3)

    return Worker


# --- calls ---


def test_coroutines_run_at_the_same_time(ray, worker, signal):
    """The first ones end only after the last one has begun."""
    actor = worker.remote()
    waiting = [actor.wait.remote(signal, i) for i in range(5)]
    ray.get(signal.until_waiting.remote(5), timeout=PATIENCE)
    ray.get(signal.open.remote())
    assert ray.get(waiting, timeout=PATIENCE) == list(range(5))
    assert ray.get(actor.at_most.remote()) == 5


def test_later_call_may_end_first(ray, worker, signal):
    actor = worker.remote()
    first = actor.wait.remote(signal, "first")
    assert ray.get(actor.add.remote("second"), timeout=PATIENCE) == ["second"]
    ray.get(signal.open.remote())
    ray.get(first, timeout=PATIENCE)
    assert ray.get(actor.add.remote()) == ["second", "first"]


def test_ordinary_method_runs_on_the_loop(ray, worker):
    assert ray.get(worker.remote().plain.remote(), timeout=PATIENCE)


def test_one_coroutine_makes_the_whole_actor_asynchronous(ray, signal):
    @ray.remote
    class Mixed:
        async def coroutine(self):
            return 1

        def blocks(self):
            asyncio.get_running_loop()
            time.sleep(0.2)
            return 2

    mixed = Mixed.remote()
    assert ray.get([mixed.blocks.remote(), mixed.coroutine.remote()], timeout=PATIENCE) == [2, 1]


def test_ordinary_method_blocks_the_loop(ray):
    @ray.remote
    class Blocks:
        def __init__(self):
            self.during = []

        def block(self):
            self.during.append("begin")
            time.sleep(0.3)
            self.during.append("end")

        async def other(self):
            self.during.append("other")
            return list(self.during)  # As it is now: "begin" may be next.

    actor = Blocks.remote()
    actor.block.remote()
    assert ray.get(actor.other.remote(), timeout=PATIENCE) in (
        ["begin", "end", "other"],
        ["other"],  # There is no order: it may have come first.
    )


def test_coroutine_as_constructor(ray):
    @ray.remote
    class Slow:
        async def __init__(self, value):
            await asyncio.sleep(0.01)
            self.value = value

        async def get(self):
            return self.value

    assert ray.get(Slow.remote(7).get.remote(), timeout=PATIENCE) == 7


def test_error_of_a_coroutine_as_constructor(ray):
    @ray.remote
    class Broken:
        async def __init__(self):
            await asyncio.sleep(0)
            raise ValueError("cannot begin")

        async def get(self):
            return 1

    with pytest.raises(ray.exceptions.ActorDiedError, match="cannot begin"):
        ray.get(Broken.remote().get.remote(), timeout=PATIENCE)


def test_many_coroutines_at_once(ray, worker, signal):
    """1,000 by default."""
    actor = worker.remote()
    waiting = [actor.wait.remote(signal) for _ in range(120)]
    ray.get(signal.until_waiting.remote(120), timeout=PATIENCE)
    ray.get(signal.open.remote())
    ray.get(waiting, timeout=PATIENCE)
    assert ray.get(actor.at_most.remote()) == 120


def test_max_concurrency_limits_coroutines(ray, worker, signal):
    actor = worker.options(max_concurrency=2).remote()
    waiting = [actor.wait.remote(signal) for _ in range(6)]
    ray.get(signal.until_waiting.remote(2), timeout=PATIENCE)
    ray.get(signal.open.remote())
    ray.get(waiting, timeout=PATIENCE)
    assert ray.get(actor.at_most.remote()) == 2


def test_max_concurrency_of_one_runs_one_after_another(ray):
    @ray.remote(max_concurrency=1)
    class Single:
        def __init__(self):
            self.inside = False

        async def alone(self):
            assert not self.inside
            self.inside = True
            await asyncio.sleep(0.01)
            self.inside = False
            return True

    actor = Single.remote()
    assert all(ray.get([actor.alone.remote() for _ in range(5)], timeout=PATIENCE))


def test_call_whose_argument_is_not_ready_holds_up_nobody(ray, worker, signal):
    @ray.remote(num_cpus=0)
    def after(signal):
        ray.get(signal.wait.remote())
        return "late"

    actor = worker.remote()
    late = actor.add.remote(after.remote(signal))
    assert ray.get(actor.add.remote("early"), timeout=PATIENCE) == ["early"]
    ray.get(signal.open.remote())
    assert ray.get(late, timeout=PATIENCE) == ["early", "late"]


def test_error_of_a_coroutine(ray, worker):
    with pytest.raises(KeyError, match="from the coroutine") as caught:
        ray.get(worker.remote().fail.remote(), timeout=PATIENCE)
    assert isinstance(caught.value, ray.exceptions.RayTaskError)


def test_stop_iteration_of_a_coroutine_is_a_runtime_error(ray, worker):
    with pytest.raises(RuntimeError, match="StopIteration"):
        ray.get(worker.remote().stop.remote(), timeout=PATIENCE)


def test_coroutine_that_raises_cancelled_error_by_itself(ray):
    @ray.remote
    class GivesUp:
        async def call(self):
            raise asyncio.CancelledError

    with pytest.raises(ray.exceptions.TaskCancelledError):
        ray.get(GivesUp.remote().call.remote(), timeout=PATIENCE)


def test_each_coroutine_knows_its_own_task(ray, signal):
    @ray.remote
    class Names:
        async def name(self, signal):
            before = ray.get_runtime_context().get_task_id()
            await signal.wait.remote()
            after = ray.get_runtime_context().get_task_id()
            return before, after

    actor = Names.remote()
    asked = [actor.name.remote(signal) for _ in range(3)]
    ray.get(signal.until_waiting.remote(3), timeout=PATIENCE)
    ray.get(signal.open.remote())
    pairs = ray.get(asked, timeout=PATIENCE)
    assert all(before == after for before, after in pairs)
    assert [before for before, _ in pairs] == [ref.task_id().hex() for ref in asked]


def test_large_argument_and_result(ray, worker):
    actor = worker.remote()
    [block] = ray.get(actor.add.remote(b"x" * 1_000_000), timeout=PATIENCE)
    assert len(block) == 1_000_000


def test_coroutine_is_retried_for_the_exceptions_that_it_names(ray):
    @ray.remote
    class Flaky:
        def __init__(self):
            self.calls = 0

        @ray.method(max_task_retries=3, retry_exceptions=[ValueError])
        async def call(self):
            self.calls += 1
            if self.calls < 3:
                raise ValueError(self.calls)
            return self.calls

    assert ray.get(Flaky.remote().call.remote(), timeout=PATIENCE) == 3


def test_order_cannot_be_asked_for(ray, worker):
    asked = worker.options(allow_out_of_order_execution=False)
    with pytest.raises(ValueError, match="order"):
        asked.remote()


# --- asyncio inside ---


def test_sleeping_coroutines_sleep_at_the_same_time(ray):
    @ray.remote
    class Sleeper:
        def __init__(self):
            self.asleep = 0

        async def nap(self):
            self.asleep += 1
            while self.asleep < 40:
                await asyncio.sleep(0.01)

        async def sleep(self):
            await asyncio.gather(*[self.nap() for _ in range(10)])
            return self.asleep

    actor = Sleeper.remote()
    found = ray.get([actor.sleep.remote() for _ in range(4)], timeout=PATIENCE)
    assert found == [40] * 4


def test_primitives_of_asyncio(ray):
    @ray.remote
    class Queues:
        def __init__(self):
            self.queue = asyncio.Queue(1)
            self.lock = asyncio.Lock()

        async def put(self, items):
            async with self.lock:
                for item in items:
                    await self.queue.put(item)

        async def take(self, count):
            return [await self.queue.get() for _ in range(count)]

        async def in_time(self):
            try:
                await asyncio.wait_for(self.queue.get(), 0.05)
            except TimeoutError:
                return False
            return True

    actor = Queues.remote()
    taken = actor.take.remote(4)
    ray.get([actor.put.remote([1, 2]), actor.put.remote([3, 4])], timeout=PATIENCE)
    assert sorted(ray.get(taken, timeout=PATIENCE)) == [1, 2, 3, 4]
    assert not ray.get(actor.in_time.remote(), timeout=PATIENCE)


def test_background_task_goes_on_between_calls(ray):
    @ray.remote
    class Ticks:
        def __init__(self):
            self.ticks = 0
            self.enough = asyncio.Event()
            self.task = asyncio.get_running_loop().create_task(self.tick())

        async def tick(self):
            while self.ticks < 5:
                await asyncio.sleep(0.01)
                self.ticks += 1
            self.enough.set()

        async def wait(self):
            await self.enough.wait()
            return self.ticks

    assert ray.get(Ticks.remote().wait.remote(), timeout=PATIENCE) == 5


def test_function_beside_the_loop(ray):
    @ray.remote
    class Threads:
        async def both(self):
            slow = asyncio.to_thread(time.sleep, 0.3)
            began = time.monotonic()
            task = asyncio.ensure_future(slow)
            await asyncio.sleep(0.01)
            quick = time.monotonic() - began
            await task
            return quick < time.monotonic() - began

    assert ray.get(Threads.remote().both.remote(), timeout=PATIENCE)


def test_event_loop_of_a_task(ray):
    @ray.remote
    def run():
        async def main():
            await asyncio.sleep(0.01)
            return await asyncio.gather(*[ray.put(i) for i in range(3)])

        return asyncio.run(main())

    assert ray.get(run.remote(), timeout=PATIENCE) == [0, 1, 2]


# --- await ---


def test_await_inside_an_actor(ray, worker):
    actor = worker.remote()
    assert ray.get(actor.value.remote([ray.put(5)]), timeout=PATIENCE) == 5
    assert ray.get(actor.all.remote([ray.put(i) for i in range(4)])) == [0, 1, 2, 3]


def test_await_in_the_driver(ray):
    @ray.remote
    def double(x):
        return 2 * x

    async def main():
        return await double.remote(4)

    assert asyncio.run(main()) == 8


def test_await_of_a_large_object(ray):
    @ray.remote
    def make():
        return b"x" * 1_000_000

    async def main():
        return await make.remote()

    assert len(asyncio.run(main())) == 1_000_000


def test_gather_keeps_the_order(ray, worker, signal):
    actor = worker.remote()

    async def main():
        waiting = [actor.wait.remote(signal, i) for i in range(3)]
        await signal.until_waiting.remote(3)
        await signal.open.remote()
        return await asyncio.gather(*waiting)

    assert asyncio.run(main()) == [0, 1, 2]


def test_await_raises_what_get_raises(ray):
    @ray.remote
    def fail():
        raise ValueError("awaited")

    async def main():
        await fail.remote()

    with pytest.raises(ValueError, match="awaited") as caught:
        asyncio.run(main())
    assert isinstance(caught.value, ray.exceptions.RayTaskError)


def test_one_reference_is_awaited_twice(ray):
    async def main():
        ref = ray.put(1)
        return await ref + await ref

    assert asyncio.run(main()) == 2


def test_waiting_for_a_reference_may_time_out(ray, signal):
    """The task goes on."""

    async def main():
        waiting = signal.wait.remote()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waiting, 0.2)
        await signal.open.remote()
        return await waiting

    assert asyncio.run(main()) is None


def test_driver_sleeps_while_it_awaits(ray, signal):
    async def main():
        waiting = asyncio.ensure_future(asyncio.wait_for(signal.wait.remote(), 60))
        await signal.until_waiting.remote()
        await asyncio.sleep(0.05)
        assert not waiting.done()
        await signal.open.remote()
        await waiting
        return True

    assert asyncio.run(main())


# --- future ---


def test_future_of_a_reference(ray):
    @ray.remote
    def double(x):
        return 2 * x

    future = double.remote(4).future()
    assert isinstance(future, Future)
    assert future.result(timeout=PATIENCE) == 8
    assert future.done()
    assert future.exception() is None
    assert not future.cancel()


def test_future_of_an_error(ray):
    @ray.remote
    def fail():
        raise ValueError("in the future")

    future = fail.remote().future()
    assert isinstance(future.exception(timeout=PATIENCE), ValueError)
    with pytest.raises(ValueError, match="in the future"):
        future.result()


def test_future_that_is_not_there_in_time(ray, signal):
    future = signal.wait.remote().future()
    with pytest.raises(TimeoutError):
        future.result(timeout=0.2)
    assert not future.done()
    ray.get(signal.open.remote())
    assert future.result(timeout=PATIENCE) is None


def test_cancelled_future_leaves_the_task_alone(ray, worker, signal):
    actor = worker.remote()
    waiting = actor.wait.remote(signal, "done")
    future = waiting.future()
    assert future.cancel()
    assert future.cancelled()
    ray.get(signal.open.remote())
    assert ray.get(waiting, timeout=PATIENCE) == "done"


def test_future_calls_back(ray):
    async def main():
        loop = asyncio.get_running_loop()
        called = loop.create_future()
        future = ray.put(3).future()
        future.add_done_callback(
            lambda done: loop.call_soon_threadsafe(called.set_result, done.result())
        )
        return await called

    assert asyncio.run(main()) == 3


def test_wrapped_future(ray, signal):
    async def main():
        waiting = asyncio.wrap_future(signal.wait.remote().future())
        await signal.until_waiting.remote()
        await signal.open.remote()
        return await waiting

    assert asyncio.run(main()) is None


def test_future_of_a_reference_in_a_task(ray):
    @ray.remote
    def inner():
        return 1

    @ray.remote
    def outer():
        return inner.remote().future().result()

    assert ray.get(outer.remote(), timeout=PATIENCE) == 1

"""asyncio and threaded actors in virtual time: as elsewhere, and the same in every run."""

import asyncio
import os
import queue
import subprocess
import sys
import threading
import time

import pytest

import raysim as ray

PROGRAM = """
import asyncio, random, time
import raysim as ray
from raysim.faults import parse_fault
from raysim.journal import Journal, Level

journal = Journal(Level.ALL)
faults = [parse_fault("kill_node(at=4s)"), parse_fault("kill_worker(at=2s)")]
ray.init(backend="sim", nodes=3, num_cpus=2, seed={seed}, journal=journal, world={{"faults": faults}})

@ray.remote(max_restarts=-1, max_task_retries=-1)
class Crawler:
    def __init__(self):
        self.queue = asyncio.Queue(3)
        self.order = []

    async def fetch(self, number):
        await asyncio.sleep(random.uniform(0.01, 1))
        return number

    async def crawl(self, numbers):
        left = {{asyncio.ensure_future(self.fetch(number)) for number in numbers}}
        while left:
            done, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                await self.queue.put(task.result())
                self.order.append(await self.queue.get())
        return len(numbers)

    async def so_far(self):
        return self.order

@ray.remote(max_concurrency=4, max_restarts=-1, max_task_retries=-1)
class Threads:
    def nap(self, number):
        time.sleep(random.uniform(0.01, 1))
        return number

async def main():
    crawlers = [Crawler.remote() for _ in range(3)]
    threads = Threads.remote()
    naps = asyncio.gather(*[threads.nap.remote(i) for i in range(8)])
    counts = await asyncio.gather(*[c.crawl.remote(list(range(12))) for c in crawlers])
    orders = await asyncio.gather(*[c.so_far.remote() for c in crawlers])
    return sum(counts), await naps, orders

print(asyncio.run(main()), time.time(), journal.count, journal.digest())
ray.shutdown()
"""


def run(seed: int, hash_seed: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(seed=seed)],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("seed", [1, 2])
def test_asynchronous_actors_run_alike_in_any_process(seed):
    first, second = run(seed, "1"), run(seed, "2")
    assert first.startswith("(36, ")
    assert first == second


# --- time ---


def test_sleeping_takes_virtual_time_only(init):
    init()

    async def main():
        began = time.time()
        await asyncio.gather(*[asyncio.sleep(1_000) for _ in range(100)])
        return time.time() - began

    began = os.times().elapsed
    assert asyncio.run(main()) == pytest.approx(1_000)
    assert os.times().elapsed - began < 60


def test_coroutine_that_only_yields_lets_others_work(init):
    """It waits for what another process does, without ever sleeping."""
    init()

    @ray.remote
    class Flag:
        def __init__(self):
            self.up = False

        async def wait(self):
            while not self.up:
                await asyncio.sleep(0)
            return "up"

        async def raise_it(self):
            self.up = True

    flag = Flag.remote()
    waiting = flag.wait.remote()
    flag.raise_it.remote()
    assert ray.get(waiting) == "up"


def test_two_loops_in_turn(init):
    """The driver's, and those of tasks that run while it waits."""
    init()

    @ray.remote
    def inner(seconds):
        async def main():
            await asyncio.sleep(seconds)
            return asyncio.current_task() is not None

        return asyncio.run(main())

    async def main():
        mine = asyncio.current_task()
        assert all(await asyncio.gather(*[inner.remote(s) for s in (3, 1, 2)]))
        return asyncio.current_task() is mine

    assert asyncio.run(main())


def test_real_loops_are_back_after_the_end(init):
    init()
    asyncio.run(asyncio.sleep(1))
    ray.shutdown()

    async def kind():
        return type(asyncio.get_running_loop()).__module__

    assert not asyncio.run(kind()).startswith("raysim")


def test_loop_that_starts_the_world_is_virtual_until_its_end(init):
    """`init` inside of `asyncio.run`: the loop was there before. What it slept on already goes on."""

    async def main():
        sleeper = asyncio.ensure_future(asyncio.sleep(0.5, "slept"))
        await asyncio.sleep(0)
        init()

        @ray.remote
        class Bell:
            async def ring(self, seconds):
                await asyncio.sleep(seconds)
                return seconds

        bell = Bell.remote()
        began = time.time()
        assert await asyncio.gather(*[bell.ring.remote(s) for s in (1_000, 500)]) == [1_000, 500]
        await asyncio.sleep(1_000)
        assert sleeper.done()
        assert await asyncio.get_running_loop().run_in_executor(None, ray.get, ray.put(1)) == 1
        took = time.time() - began
        late = asyncio.ensure_future(asyncio.sleep(0.1, "real again"))
        await asyncio.sleep(0)
        ray.shutdown()
        kind = type(asyncio.get_running_loop()).__module__
        return took, kind, await sleeper, await late

    began = os.times().elapsed
    took, kind, *slept = asyncio.run(main())
    assert took == pytest.approx(2_000, abs=10)
    assert kind.startswith("asyncio.")
    assert slept == ["slept", "real again"]
    assert os.times().elapsed - began < 60


def test_loop_that_ends_before_the_world_it_started_is_closed(init):
    """Its sockets too: what is left open would be a warning, and so an error."""

    async def main():
        init()
        await asyncio.sleep(100)
        return asyncio.get_running_loop()

    assert asyncio.run(main()).is_closed()
    assert ray.get(ray.put(1)) == 1
    assert asyncio.run(asyncio.sleep(100, "later")) == "later"


def test_loop_of_another_library_cannot_start_a_world(init):
    class Foreign(asyncio.BaseEventLoop):
        class _selector:
            @staticmethod
            def select(timeout):
                return []

        def _process_events(self, event_list):
            pass

    async def main():
        with pytest.raises(RuntimeError, match="Foreign, which cannot run in virtual time"):
            init()

    loop = Foreign()
    loop.run_until_complete(main())
    loop.close()


def test_ordinary_method_that_blocks_the_loop_takes_the_time_of_all(init):
    init()

    @ray.remote
    class Blocks:
        async def nap(self):
            await asyncio.sleep(1)
            return time.monotonic()

        def block(self):
            time.sleep(5)
            return time.monotonic()

    actor = Blocks.remote()
    ray.get(actor.nap.remote())
    blocked, napped = ray.get([actor.block.remote(), actor.nap.remote()])
    assert napped >= blocked + 1


# --- ends ---


def test_actor_that_dies_closes_what_waits_in_it(init, capfd):
    init()

    @ray.remote
    class Waits:
        async def wait(self, number):
            try:
                await asyncio.Event().wait()
            finally:
                print("closed", number)

        async def ready(self):
            return True

    actor = Waits.remote()
    refs = [actor.wait.remote(i) for i in range(3)]
    assert ray.get(actor.ready.remote())
    ray.kill(actor)
    for ref in refs:
        with pytest.raises(ray.exceptions.ActorDiedError):
            ray.get(ref)
    out, err = capfd.readouterr()
    assert out == "closed 0\nclosed 1\nclosed 2\n"
    assert err == ""


def test_end_of_the_session_closes_what_waits(init, capfd):
    init()

    @ray.remote
    class Waits:
        async def wait(self):
            try:
                await asyncio.Event().wait()
            finally:
                print("closed")

        async def background(self):
            self.task = asyncio.ensure_future(self.wait())

    actor = Waits.remote()
    ray.get(actor.background.remote())
    actor.wait.remote()
    ray.get(actor.background.remote())
    ray.shutdown()
    out, err = capfd.readouterr()
    assert out == "closed\n" * 3
    assert err == ""


def test_waiting_for_ever_is_found(init):
    init()

    @ray.remote
    class Waits:
        async def forever(self):
            await asyncio.Event().wait()

    actor = Waits.remote()
    ref = actor.forever.remote()
    with pytest.raises(ray.exceptions.RaySystemError, match=r"Deadlock.*Waits\.forever"):
        ray.get(ref)


def test_driver_that_awaits_for_ever_is_found(init):
    init()
    with pytest.raises(ray.exceptions.RaySystemError, match="Deadlock"):
        asyncio.run(asyncio.wait_for(asyncio.Event().wait(), None))


# --- threads ---


def test_what_threads_share(init):
    """Locks, conditions and queues of a threaded actor, held and waited for across sleeps."""
    init()

    @ray.remote(max_concurrency=8)
    class Shared:
        def __init__(self):
            self.lock = threading.RLock()
            self.queue = queue.Queue(2)
            self.barrier = threading.Barrier(3)
            self.inside = 0

        def alone(self):
            with self.lock, self.lock:
                self.inside += 1
                time.sleep(1)
                self.inside -= 1
                return self.inside

        def put(self, count):
            for number in range(count):
                self.queue.put(number)

        def take(self, count):
            return [self.queue.get() for _ in range(count)]

        def empty(self):
            try:
                self.queue.get(timeout=2)
            except queue.Empty:
                return True
            return False

        def meet(self):
            return self.barrier.wait()

    actor = Shared.remote()
    began = time.monotonic()
    assert ray.get([actor.alone.remote() for _ in range(4)]) == [0] * 4
    assert time.monotonic() - began >= 4
    taken = actor.take.remote(5)
    ray.get(actor.put.remote(5))
    assert ray.get(taken) == [0, 1, 2, 3, 4]
    assert ray.get(actor.empty.remote())
    assert sorted(ray.get([actor.meet.remote() for _ in range(3)])) == [0, 1, 2]


def test_lock_of_a_thread_that_never_lets_go_is_found(init):
    init()

    @ray.remote(max_concurrency=2)
    class Stuck:
        def __init__(self):
            self.lock = threading.Lock()

        def take(self):
            self.lock.acquire()

    actor = Stuck.remote()
    ray.get(actor.take.remote())
    with pytest.raises(ray.exceptions.RaySystemError, match=r"Deadlock.*Stuck\.take"):
        ray.get(actor.take.remote())

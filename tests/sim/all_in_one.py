"""A program that does all that could make two runs differ. Its own process, as its modules' state is part of it."""

import asyncio
import datetime
import random
import sys
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import numpy as np

import raysim as ray
from raysim.faults import parse_fault
from raysim.journal import Journal, Level

TAGS = {"red", "green", "blue", "grey", "black"}


@ray.remote
def draw(number):
    time.sleep(random.uniform(0.01, 1))
    noise = np.random.normal(size=40_000)  # Too large to travel in a message.
    tags = {f"{tag}-{number}-{uuid.uuid4().hex[:6]}" for tag in sorted(TAGS)}
    return tags, float(np.random.default_rng().random()), noise


@ray.remote
def with_threads(count):
    """What threads of a task do, in whichever order they come."""
    seen, lock = [], threading.Lock()

    def work(name):
        time.sleep(random.random())
        with lock:
            seen.append((name, time.monotonic_ns() % 1000))

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(count)))
    timer = threading.Timer(0.1, work, ["timer"])
    timer.start()
    timer.join()
    return seen


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Log:
    def __init__(self):
        self.lines = []

    def add(self, line):
        self.lines.append((line, datetime.datetime.now().isoformat()))  # noqa: DTZ005  (as a program may ask)
        return len(self.lines)

    def read(self):
        return self.lines


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Async:
    async def gather(self, refs):
        """In the order in which they came."""
        come = []

        async def one(ref):
            await asyncio.sleep(random.random())
            tags, unit, noise = await ref
            come.append((sorted(tags)[0], unit, float(noise.sum())))

        await asyncio.gather(*(one(ref) for ref in refs))
        return come


@ray.remote
def count_up(limit):
    for value in range(limit):
        time.sleep(random.expovariate(10))
        yield value, str(uuid.uuid1())


def program():
    log = Log.remote()
    draws = [draw.remote(number) for number in range(12)]
    gathering = Async.remote().gather.remote([*draws])
    adding = [log.add.remote(sorted(TAGS)[number % 5]) for number in range(5)]
    threads = [with_threads.remote(4) for _ in range(2)]
    items = [ray.get(ref) for ref in count_up.remote(4)]
    ready, _ = ray.wait(draws, num_returns=6)
    first = [draws.index(ref) for ref in ready]
    ray.get(adding)
    told = [ray.get(gathering), ray.get(threads), items, first, ray.get(log.read.remote())]
    return [*told, sorted(set().union(*(ray.get(ref)[0] for ref in draws))), time.time()]


journal = Journal(Level.ALL)
ray.init(
    backend="sim",
    nodes=3,
    num_cpus=4,
    seed=int(sys.argv[1]),
    journal=journal,
    world={
        "faults": [parse_fault("kill_worker(at=400ms)"), parse_fault("restart_node(at=1s)")],
        "order": "random(bound=1ms)",
    },
)
print(program())
print(journal.count, journal.digest())
ray.shutdown()

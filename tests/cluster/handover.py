"""Many threads and processes that submit together: `make handover`.

Only one thread of a process can pump its sockets; which one changes at every `get`. Each repetition has 64 threads
of one driver submit tasks, calls of shared actors, puts and waits, then 8 workers of 8 threads each, and at its end
8 drivers at once, each a process with a cluster of its own. Wrong answers fail it, and so does one that has not ended
in time.
"""

import argparse
import faulthandler
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import Any

import raysim as ray

LIMIT_SECONDS = 240
"""Nobody needs so long: what has not ended then hangs, and every thread's place is printed."""


@ray.remote
def add(one: int, other: int) -> int:
    return one + other


@ray.remote
def total(values: list[Any]) -> int:
    return int(sum(ray.get(values)))


@ray.remote
class Counter:
    """Counts what each caller says, and holds that to come in the caller's order."""

    def __init__(self) -> None:
        self._last: dict[Any, int] = {}

    def count(self, caller: Any, number: int) -> int:
        assert number == self._last.get(caller, 0) + 1, f"{number} of {caller} after {self._last}"
        self._last[caller] = number
        return number


@ray.remote
class Submitter:
    """A worker that submits as a driver does."""

    def run(self, name: int, threads: int, rounds: int, counter: Any) -> int:
        return submit_together(threads, rounds, [counter], name)


def submit(caller: Any, rounds: int, counters: list[Any], chance: Random) -> int:
    """One thread's work. Returns how many answers it has checked."""
    counter = counters[chance.randrange(len(counters))]
    checked = counted = 0
    for turn in range(rounds):
        kind = chance.randrange(6)
        if kind == 0:
            assert ray.get(add.remote(turn, 1)) == turn + 1
            checked += 1
        elif kind == 1:
            assert ray.get([add.remote(turn, i) for i in range(8)]) == [turn + i for i in range(8)]
            checked += 8
        elif kind == 2:
            size = chance.choice([1, 3])
            calls = [counter.count.remote(caller, counted + 1 + i) for i in range(size)]
            assert ray.get(calls) == [counted + 1 + i for i in range(size)]
            counted += size
            checked += size
        elif kind == 3:
            data = chance.randbytes(chance.choice([10, 200_000]))
            assert ray.get(ray.put(data)) == data
            checked += 1
        elif kind == 4:
            left = [add.remote(i, turn) for i in range(4)]
            found = 0
            while left:
                ready, left = ray.wait(left, num_returns=1, timeout=LIMIT_SECONDS)
                found += ray.get(ready[0])
            assert found == 6 + 4 * turn
            checked += 4
        else:
            assert ray.get(total.remote([add.remote(i, 1) for i in range(3)])) == 6
            checked += 4
    return checked


def submit_together(threads: int, rounds: int, counters: list[Any], seed: int) -> int:
    with ThreadPoolExecutor(threads) as pool:
        running = [
            pool.submit(submit, (seed, i), rounds, counters, Random(f"{seed}/{i}"))
            for i in range(threads)
        ]
        return sum(one.result() for one in running)


def in_one_driver(seed: int, threads: int = 64, rounds: int = 4) -> int:
    """Within a session."""
    counters = [Counter.options(num_cpus=0).remote() for _ in range(3)]
    return submit_together(threads, rounds, counters, seed)


def in_workers(seed: int, workers: int = 8, threads: int = 8, rounds: int = 3) -> int:
    """Within a session."""
    counter = Counter.options(num_cpus=0).remote()
    submitters = [Submitter.options(num_cpus=0).remote() for _ in range(workers)]
    runs = [
        submitter.run.remote(seed * workers + i, threads, rounds, counter)
        for i, submitter in enumerate(submitters)
    ]
    return sum(ray.get(runs))


def start() -> Any:
    return ray.init(backend="cluster", num_cpus=2, object_store_memory=128 << 20)


def in_drivers(seed: int, drivers: int = 8, threads: int = 8, rounds: int = 3) -> None:
    """Each is a process, with a cluster of its own."""
    command = [sys.executable, "-m", "tests.cluster.handover", "--driver"]
    processes = [
        subprocess.Popen([*command, str(seed * drivers + i), str(threads), str(rounds)])
        for i in range(drivers)
    ]
    try:
        codes = [process.wait(LIMIT_SECONDS + 30) for process in processes]
    finally:
        for process in processes:
            process.kill()
            process.wait()
    assert codes == [0] * drivers, f"drivers ended with {codes}"


def _as_driver(seed: int, threads: int, rounds: int) -> None:
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    start()
    in_one_driver(seed, threads, rounds)
    ray.shutdown()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0, help="of the first repetition")
    parser.add_argument("--driver", type=int, nargs=3, metavar=("SEED", "THREADS", "ROUNDS"))
    given = parser.parse_args()
    if given.driver is not None:
        _as_driver(*given.driver)
        return
    for seed in range(given.seed, given.seed + given.times):
        faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
        begun = time.monotonic()
        start()
        checked = in_one_driver(seed) + in_workers(seed)
        ray.shutdown()
        in_drivers(seed)
        faulthandler.cancel_dump_traceback_later()
        took = time.monotonic() - begun
        print(f"seed {seed}: {checked} answers right, 8 drivers ended; {took:.1f} s", flush=True)


if __name__ == "__main__":
    main()

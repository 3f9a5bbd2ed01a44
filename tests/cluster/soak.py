"""A cluster of a head and two nodes under a mixed load, while something of it is killed all the time: `make soak`.

Programs come and go through `init(address=...)`, on every node: tasks, actors, generators, groups, and objects beyond
the stores, so that they spill. Every few seconds a worker, a node, a program or the GCS is killed, at random; nodes are
started again. Held: every answer is right or a typed error, and at the end no process, descriptor or file is left. How
the head's memory goes after its first quarter is printed as a slope with its interval, and has to be flat.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Any

from tests.cluster.inspection import called, children_of, until
from tests.cluster.started import Machine

STORE = ("--object-store-memory", "64MiB", "--num-cpus", "2")
WARM_UP = 0.25
"""Of the time, in which the head's memory may grow."""

GROWTH_MIB = 8.0
"""Of the head's node after that, by the lower end of the slope's interval. What it remembers is less."""

DESCRIPTORS = 8
"""That a head may have at the end beyond those that it began with: connections that go when their time is up."""

PATIENCE_SECONDS = 120.0


# --- a program ---


def run_program(address: str, seed: int, seconds: float, folder: str) -> None:
    """For so long; then what came of all its answers, as a line of JSON."""
    import raysim as ray
    from tests.cluster.mixed_load import Judge, Load

    try:
        ray.init(address=address, log_to_driver=False)
    except (ConnectionError, ray.exceptions.RayError, RuntimeError) as error:
        print(json.dumps({"joined": False, "why": str(error)}), flush=True)
        return

    def spill(judge: Judge, chance: Random) -> None:
        """Twice what the store has, each part different."""
        import numpy

        numbers = [chance.randrange(1 << 20) for _ in range(32)]
        parts = [ray.put(numpy.full(500_000, number)) for number in numbers]
        for number, part in zip(numbers, parts, strict=True):
            judge.look(
                "a spilled part", number, lambda part=part: int(ray.get(part, timeout=60)[-1])
            )

    judge = Judge()
    try:
        load = Load(seed, folder)
    except ray.exceptions.RayError as error:
        judge.errors[type(error).__name__] += 1
    else:
        judge = load.judge
        stop = threading.Timer(seconds, load.stopping.set)
        stop.start()

        def spills() -> None:
            chance = Random(f"{seed}/spills")
            while not load.stopping.wait(1.0):
                with contextlib.suppress(ray.exceptions.RayError):
                    spill(judge, chance)

        names = ("tasks", "unrepeated", "actors", "groups", "generators")
        with ThreadPoolExecutor(len(names) + 1) as pool:
            running = [pool.submit(load.run, name) for name in names]
            running.append(pool.submit(spills))
            for one in running:
                one.result()
    said = {"joined": True, "right": judge.right, "errors": judge.errors, "wrong": judge.wrong}
    print(json.dumps(said), flush=True)
    ray.shutdown()


class Program:
    def __init__(
        self, machine: Machine, address: str, seed: int, seconds: float, folder: Path
    ) -> None:
        self.killed = False
        self._errors = (folder / f"program-{seed}.txt").open("w+")
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.cluster.soak", "--program", address),
                *(str(seed), str(seconds), str(folder)),
            ],
            env=machine.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        self.until = time.monotonic() + seconds + PATIENCE_SECONDS

    def kill(self) -> None:
        self.killed = True
        self.process.kill()

    def ended(self) -> bool:
        return self.process.poll() is not None or time.monotonic() > self.until

    def report(self) -> dict[str, Any]:
        """What it told; a program that hangs, or ends badly by itself, is wrong."""
        hangs = self.process.poll() is None
        if hangs:
            self.process.kill()
        said, _ = self.process.communicate()
        self._errors.seek(0)
        errors = self._errors.read()
        self._errors.close()
        if self.killed:
            return {"killed": True}
        if hangs or self.process.returncode != 0 or not said:
            how = "hangs" if hangs else f"ended with {self.process.returncode}"
            return {"wrong": [f"a program {how}: {errors[-2_000:]}"]}
        told: dict[str, Any] = json.loads(said.splitlines()[-1])
        return told


# --- the cluster ---


class Soak:
    def __init__(self, folder: Path, seed: int, minutes: float, every_s: float) -> None:
        self._folder = folder
        self._chance = Random(seed)
        self._end_s = minutes * 60
        self._every_s = every_s
        self._machines = [Machine(folder, name) for name in ("", "-2", "-3")]
        self._address = ""
        self._programs: dict[int, Program] = {}
        """By machine."""
        self._seeds = seed * 100_000
        self._samples: list[tuple[float, float]] = []
        """Seconds since the start, and the memory of the head's node in MiB."""
        self._gcs: list[tuple[float, float]] = []
        """The same of the GCS, which begins anew whenever it is killed."""
        self.kills: Counter[str] = Counter()
        self.told: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.wrong: list[str] = []

    def run(self) -> None:
        head = self._machines[0]
        self._address = head.start_head(*STORE[2:])
        for number in (1, 2):
            self._join(number)
        descriptors = self._descriptors()
        begun = time.monotonic()
        kill_at = self._every_s
        while (now := time.monotonic() - begun) < self._end_s:
            self._look_after_programs()
            if now >= kill_at:
                kill_at += self._every_s
                self._kill()
            self._samples.append((now, memory_of(processes(head, "raysim-node"))))
            self._gcs.append((now, memory_of(head.gcs_pids())))
            time.sleep(1)
        for program in self._programs.values():
            assert until(program.ended, PATIENCE_SECONDS)
        self._look_after_programs(more=False)
        if not until(lambda: self._descriptors() <= descriptors + DESCRIPTORS):
            left = self._descriptors()
            self.wrong.append(f"the head has {left} descriptors, and began with {descriptors}")
        self._judge_memory()
        self._stop()

    def _join(self, number: int) -> None:
        address = ("--node-ip-address", f"127.0.0.{number + 1}", "--node-name", f"node-{number}")
        self._machines[number].join(self._address, *STORE[2:], *address)

    def _look_after_programs(self, more: bool = True) -> None:
        for number in range(len(self._machines)):
            program = self._programs.get(number)
            if program is not None and program.ended():
                del self._programs[number]
                self._hear(program.report())
            if more and number not in self._programs and self._machines[number].supervisors():
                self._seeds += 1
                seconds = self._chance.uniform(5, 40)
                self._programs[number] = Program(
                    self._machines[number], self._address, self._seeds, seconds, self._folder
                )

    def _hear(self, report: dict[str, Any]) -> None:
        if report.get("killed"):
            self.told["killed"] += 1
        elif report.get("joined") is False:
            self.told["found no node to join"] += 1
        else:
            self.told["ended"] += 1
            self.told["right answers"] += report.get("right", 0)
            self.errors.update(report.get("errors", {}))
            self.wrong += report.get("wrong", [])

    # --- kills ---

    def _kill(self) -> None:
        victim = self._chance.choice(("worker", "node", "driver", "gcs"))
        if getattr(self, f"_kill_{victim}")():
            self.kills[victim] += 1

    def _kill_worker(self) -> bool:
        workers = [
            worker
            for machine in self._machines
            for pid in processes(machine)
            if called(pid) == "raysim-node"
            for forks in children_of(pid)
            if called(forks) != "raysim-gcs"
            for worker in children_of(forks)
        ]
        return bool(workers) and _end(self._chance.choice(workers))

    def _kill_node(self) -> bool:
        """Who looks after it, with all of it; another one is started at once."""
        number = self._chance.choice((1, 2))
        supervisors = self._machines[number].supervisors()
        if not supervisors or not _end(supervisors[0]):
            return False
        gone = until(lambda: not processes(self._machines[number], "raysim-node"))
        if not gone:
            self.wrong.append("the processes of a killed node go on")
        self._join(number)
        return True

    def _kill_driver(self) -> bool:
        if not self._programs:
            return False
        self._programs[self._chance.choice(sorted(self._programs))].kill()
        return True

    def _kill_gcs(self) -> bool:
        pids = self._machines[0].gcs_pids()
        return bool(pids) and _end(pids[0])

    # --- what is held ---

    def _descriptors(self) -> int:
        """Of the head's node and of its GCS."""
        found = 0
        for pid in [*processes(self._machines[0], "raysim-node"), *self._machines[0].gcs_pids()]:
            with contextlib.suppress(OSError):
                found += len(os.listdir(f"/proc/{pid}/fd"))
        return found

    def _judge_memory(self) -> None:
        steady = [one for one in self._samples if one[0] >= WARM_UP * self._end_s]
        slope, least, most = slope_of(steady)
        half_hour = [one * 1800 for one in (slope, least, most)]
        print(
            f"The head's node: {steady[0][1]:.1f} MiB after the warm-up, {steady[-1][1]:.1f} MiB at the end; "
            f"slope {half_hour[0]:+.1f} MiB in 30 min (95 %: {half_hour[1]:+.1f} to {half_hour[2]:+.1f})",
            flush=True,
        )
        middle = self._end_s / 2
        most_before = max(one for at, one in self._gcs if at < middle)
        most_after = max(one for at, one in self._gcs if at >= middle)
        print(
            f"The GCS, whichever of its lives: at most {most_before:.1f} MiB in the first half, "
            f"{most_after:.1f} MiB in the second",
            flush=True,
        )
        grown = least * (steady[-1][0] - steady[0][0])
        if grown > GROWTH_MIB:
            self.wrong.append(f"the head's node has grown by {grown:.1f} MiB at least")

    def _stop(self) -> None:
        for machine in reversed(self._machines):
            machine.raysim("stop")
        for machine in self._machines:
            if not until(lambda machine=machine: not machine.leftovers()):
                self.wrong.append(f"left behind: {machine.leftovers()}")

    def close(self) -> None:
        for machine in self._machines:
            machine.__exit__(None, None, None)
        for program in self._programs.values():
            program.process.kill()
            program.process.communicate()


def processes(machine: Machine, name: str = "") -> list[int]:
    """Of its nodes: those who look after them, and their children. `name`: only those of this name."""
    found = [one for pid in machine.supervisors() for one in (pid, *children_of(pid))]
    return [pid for pid in found if not name or called(pid) == name]


def memory_of(pids: list[int]) -> float:
    """MiB of their own, without what they share: the object store, say."""
    return sum(map(_memory, pids))


def _memory(pid: int) -> float:
    with contextlib.suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        sizes = {line.split()[0]: int(line.split()[1]) for line in lines[1:]}
        return (sizes["Pss_Anon:"]) / 1024
    return 0.0


def slope_of(samples: list[tuple[float, float]]) -> tuple[float, float, float]:
    """Least squares, and its interval of 95 %. Samples a second apart are not independent: means of tens are."""
    tens = list(_means(samples, 10))
    at, mean_at = [one[0] for one in tens], fmean(one[0] for one in tens)
    mean = fmean(one[1] for one in tens)
    spread = sum((one - mean_at) ** 2 for one in at)
    slope = sum((a - mean_at) * (m - mean) for a, m in tens) / spread
    left = sum((m - mean - slope * (a - mean_at)) ** 2 for a, m in tens)
    error = 2 * (left / max(1, len(tens) - 2) / spread) ** 0.5
    return slope, slope - error, slope + error


def _means(samples: list[tuple[float, float]], size: int) -> Iterator[tuple[float, float]]:
    for begin in range(0, len(samples) - size + 1, size):
        part = samples[begin : begin + size]
        yield fmean(one[0] for one in part), fmean(one[1] for one in part)


def _end(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--every", type=float, default=10.0, help="seconds between two kills")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--program", nargs=4, metavar=("ADDRESS", "SEED", "SECONDS", "FOLDER"))
    given = parser.parse_args()
    if given.program is not None:
        address, seed, seconds, folder = given.program
        run_program(address, int(seed), float(seconds), folder)
        return
    if given.minutes < 2:
        parser.error("--minutes: a slope takes two minutes at least")
    with tempfile.TemporaryDirectory(prefix="raysim-soak-") as folder:
        soak = Soak(Path(folder), given.seed, given.minutes, given.every)
        try:
            soak.run()
        finally:
            soak.close()
            print(f"Killed: {dict(soak.kills)}. Programs: {dict(soak.told)}.", flush=True)
            print(f"Typed errors: {dict(soak.errors)}.", flush=True)
            for text in soak.wrong:
                print(f"WRONG: {text}", flush=True)
    sys.exit(1 if soak.wrong else 0)


if __name__ == "__main__":
    main()

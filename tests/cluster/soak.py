"""A cluster of a head and two nodes under a mixed load, while something of it is killed all the time: `make soak`.

Programs come and go on every node, by `init(address=...)` and by `raysim job submit`: tasks, actors, generators,
groups, and objects beyond the stores, so that they spill. Every few seconds a process is killed, at random; nodes are
started again. In the first quarter of the time that may be one of the head's, its GCS or all of it; after that these
live on, so that it shows how their memory goes: as a slope with its interval, of each. Held: every answer is
right or a typed error; no process of the head grows, in memory, descriptors or files; at the end nothing is left.
"""

import argparse
import os
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from random import Random

from tests.cluster.inspection import called, children_of, until
from tests.cluster.measures import (
    Samples,
    descriptors,
    files_in,
    own_memory,
    proportional_memory,
    shared_memory,
    slope_of,
)
from tests.cluster.soak_programs import PATIENCE_SECONDS, Job, Program, Told, run_program
from tests.cluster.started import Machine

REMEMBERED = '{"gcs_history": 500, "task_history": 2500}'
"""What the head remembers of the past for people who ask: little, so that it is full of it after the warm-up."""

STORE = ("--num-cpus", "2")
HEAD_DIES = 1 / 4
"""Of the time, in which the head's processes are killed."""

WARM_UP = 0.4
"""Of the time, in which the head's memory may grow."""

GROWTH_MIB_PER_HOUR = 12.0
"""Of a process of the head after that, by the lower end of its slope's interval."""

GROWTH_MIB = 3.0
"""By the same reckoning in all: what a short run grows by is still its warm-up."""

DESCRIPTORS = 4
"""Of one kind, that a process may have at the end beyond those that it began with: their time is not up."""

FILES = 60
"""In the folders of the head, at the end beyond those after the warm-up: logs of workers that live still."""

ROLES = ("supervisor", "raylet", "GCS", "fork server")


class Soak:
    def __init__(self, folder: Path, seed: int, minutes: float, every_s: float) -> None:
        self._folder = folder
        self._chance = Random(seed)
        self._end_s = minutes * 60
        self._every_s = every_s
        self._machines = [Machine(folder, name) for name in ("", "-2", "-3")]
        self._address = ""
        self._programs: dict[int, Program | Job] = {}
        """By place: one of each machine, and one for a submitted job."""
        self._seeds = seed * 100_000
        self._steady: dict[str, Samples] = {role: [] for role in ROLES}
        """Of the head after the warm-up."""
        self._shared = shared_memory()
        self.kills: Counter[str] = Counter()
        self.told = Told()

    def run(self) -> None:
        head = self._machines[0]
        self._address = head.start_head(*STORE, "--system-config", REMEMBERED)
        for number in (1, 2):
            self._join(number)
        begun = time.monotonic()
        kill_at, look_at = self._every_s, 0.0
        warm = False
        pids: dict[str, int] = {}
        before: dict[str, Counter[str]] = {}
        files: Counter[str] = Counter()
        while (now := time.monotonic() - begun) < self._end_s:
            if not warm and now >= WARM_UP * self._end_s:
                warm = True
                assert until(lambda: len(of_head(head)) == len(ROLES))
                pids = of_head(head)
                before = {role: descriptors(pid) for role, pid in pids.items()}
                files = files_in(head.temporary)
            self._look_after_programs()
            if now >= kill_at:
                of_head_too = ("gcs", "head") if now < HEAD_DIES * self._end_s else ()
                self._kill(("worker", "node", "driver", *of_head_too))
                # From when what was killed is back: a head that ends soon after its start is not started again.
                kill_at = time.monotonic() - begun + self._every_s
            if warm:
                for role, pid in pids.items():
                    self._steady[role].append((now, own_memory(pid)))
            if now >= look_at:
                look_at = now + 60
                self._show(now)
            time.sleep(1)
        for program in self._programs.values():
            assert until(program.ended, PATIENCE_SECONDS)
        self._look_after_programs(more=False)
        self._show(time.monotonic() - begun)
        self._judge_head(pids, before, files)
        self._stop()

    def _join(self, number: int) -> None:
        address = ("--node-ip-address", f"127.0.0.{number + 1}", "--node-name", f"node-{number}")
        self._machines[number].join(self._address, *STORE, *address)

    def _look_after_programs(self, more: bool = True) -> None:
        for place in range(len(self._machines) + 1):
            program = self._programs.get(place)
            if program is not None and program.ended():
                del self._programs[place]
                program.tell(self.told)
            machine = self._machines[place % len(self._machines)]
            if more and place not in self._programs and machine.supervisors():
                self._seeds += 1
                seconds = self._chance.uniform(5, 40)
                given = (self._seeds, seconds, self._folder)
                self._programs[place] = (
                    Program(machine, self._address, *given)
                    if place < len(self._machines)
                    else Job(machine, *given)
                )

    # --- kills ---

    def _kill(self, victims: tuple[str, ...]) -> None:
        victim = self._chance.choice(victims)
        if getattr(self, f"_kill_{victim}")():
            self.kills[victim] += 1

    def _kill_worker(self) -> bool:
        workers = [
            worker
            for machine in self._machines
            for pid in processes(machine, "raysim-node")
            for forks in children_of(pid)
            if called(forks) != "raysim-gcs"
            for worker in children_of(forks)
        ]
        return bool(workers) and _end(self._chance.choice(workers))

    def _kill_node(self) -> bool:
        """Who looks after it, its raylet, or its fork server; another one is started at once."""
        number = self._chance.choice((1, 2))
        machine = self._machines[number]
        victims = _family(machine)
        if not victims or not _end(self._chance.choice(victims)):
            return False
        if not until(lambda: not any(map(_lives_as_node, victims))):
            self.told.wrong.append("the processes of a killed node go on")
        self._join(number)
        return True

    def _kill_driver(self) -> bool:
        """Not of a submitted job: its supervisor is one of the workers."""
        programs = [one for one in self._programs.values() if isinstance(one, Program)]
        if programs:
            self._chance.choice(programs).kill()
        return bool(programs)

    def _kill_gcs(self) -> bool:
        pids = self._machines[0].gcs_pids()
        return bool(pids) and _end(pids[0])

    def _kill_head(self) -> bool:
        """Its raylet, and all that ends with that. Who looks after it has another one begin."""
        nodes = processes(self._machines[0], "raysim-node")
        if not nodes or not _end(nodes[0]):
            return False
        if not until(lambda: len(of_head(self._machines[0])) == len(ROLES)):
            self.told.wrong.append("the head does not come back")
        return True

    # --- what is held ---

    def _show(self, now: float) -> None:
        pids = of_head(self._machines[0])
        memory = ", ".join(f"{role} {own_memory(pid):.1f}" for role, pid in pids.items())
        together = sum(map(proportional_memory, pids.values()))
        held = ", ".join(f"{role} {descriptors(pid).total()}" for role, pid in pids.items() if pid)
        files = files_in(self._machines[0].temporary).total()
        print(
            f"{now / 60:5.1f} min  MiB of its own: {memory}; of the head in all: {together:.1f}; "
            f"descriptors: {held}; files: {files}",
            flush=True,
        )

    def _judge_head(
        self, pids: dict[str, int], before: dict[str, Counter[str]], files: Counter[str]
    ) -> None:
        head, wrong = self._machines[0], self.told.wrong
        if of_head(head) != pids:
            wrong.append(f"the head's processes were {pids} and are {of_head(head)}")
        for role, samples in self._steady.items():
            slope = slope_of(samples)
            first, last = samples[0][1], samples[-1][1]
            print(f"{role}: {first:.1f} to {last:.1f} MiB, {slope}", flush=True)
            hours = (samples[-1][0] - samples[0][0]) / 3600
            if slope.least > GROWTH_MIB_PER_HOUR and slope.least * hours > GROWTH_MIB:
                wrong.append(f"the head's {role} grows by {slope}")

        def more() -> dict[str, Counter[str]]:
            now = {role: descriptors(pid) - before[role] for role, pid in pids.items()}
            return {
                role: held for role, held in now.items() if max([*held.values(), 0]) > DESCRIPTORS
            }

        if not until(lambda: not more()):
            wrong.append(f"the head has more descriptors than before: {more()}")
        grown = files_in(head.temporary) - files
        if grown.total() > FILES:
            wrong.append(f"the head's folders have more files than before: {grown}")

    def _stop(self) -> None:
        for machine in reversed(self._machines):
            machine.raysim("stop")
        for machine in self._machines:
            if not until(lambda machine=machine: not machine.leftovers()):
                self.told.wrong.append(f"left behind: {machine.leftovers()}")
        left = sorted(name for name in shared_memory() - self._shared if "raysim" in name)
        if left:
            self.told.wrong.append(f"left behind: shared memory {left}")

    def close(self) -> None:
        for machine in self._machines:
            machine.__exit__(None, None, None)


def processes(machine: Machine, name: str = "") -> list[int]:
    """Of its nodes: those who look after them, and their children. `name`: only those of this name."""
    found = [one for pid in machine.supervisors() for one in (pid, *children_of(pid))]
    return [pid for pid in found if not name or called(pid) == name]


def of_head(machine: Machine) -> dict[str, int]:
    """Its processes by role: all of them, unless some have just ended."""
    found = dict(zip(ROLES, machine.supervisors(), strict=False))
    for node in processes(machine, "raysim-node"):
        found["raylet"] = node
        for child in children_of(node):
            role = {"raysim-gcs": "GCS", "raysim-forks": "fork server"}.get(called(child))
            if role is not None:
                found[role] = child
    return found


def _family(machine: Machine) -> list[int]:
    """Those without whom its node does not go on."""
    nodes = processes(machine, "raysim-node")
    servers = [one for node in nodes for one in children_of(node) if called(one) == "raysim-forks"]
    return [*machine.supervisors(), *nodes, *servers]


def _lives_as_node(pid: int) -> bool:
    return called(pid) in ("raysim-node", "raysim-forks")


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
    if given.minutes < 3:
        parser.error("--minutes: a slope takes three minutes at least")
    with tempfile.TemporaryDirectory(prefix="raysim-soak-") as folder:
        soak = Soak(Path(folder), given.seed, given.minutes, given.every)
        try:
            soak.run()
        finally:
            soak.close()
            print(f"Killed: {dict(soak.kills)}. {dict(soak.told.programs)}.", flush=True)
            print(f"Typed errors: {dict(soak.told.errors)}.", flush=True)
            for text in soak.told.wrong:
                print(f"WRONG: {text}", flush=True)
    sys.exit(1 if soak.told.wrong else 0)


if __name__ == "__main__":
    main()

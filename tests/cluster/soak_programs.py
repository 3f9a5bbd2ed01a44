"""The programs of `soak.py`: by themselves, or submitted as jobs; and how it is told what came of them."""

import contextlib
import json
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from tests.cluster.started import Machine

PATIENCE_SECONDS = 120.0
"""For whatever was under way when a program's time was up."""

APP = """
import pathlib, sys
from tests.cluster.soak import main
assert pathlib.Path("mark.txt").read_text() == sys.argv.pop(1), "the working directory of another job"
main()
"""
"""Of a submitted job."""

FOLDERS = 4
"""That jobs have as theirs, by what is in them: what a node has unpacked stays until it ends."""

KINDS = ("tasks", "unrepeated", "actors", "groups", "generators")


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
                if judge.errors["LocalRayletDiedError"]:
                    load.stopping.set()  # There would be nothing else any more.

        with ThreadPoolExecutor(len(KINDS) + 1) as pool:
            running = [pool.submit(load.run, kind) for kind in KINDS]
            running.append(pool.submit(spills))
            for one in running:
                one.result()
    said = {"joined": True, "right": judge.right, "errors": judge.errors, "wrong": judge.wrong}
    print(json.dumps(said), flush=True)
    ray.shutdown()


class Told:
    """What all of them told."""

    def __init__(self) -> None:
        self.programs: Counter[str] = Counter()
        self.errors: Counter[str] = Counter()
        self.wrong: list[str] = []

    def hear(self, said: str, who: str) -> None:
        """What a program that came to its end has printed."""
        lines = [line for line in said.splitlines() if line.startswith("{")]
        if not lines:
            self.wrong.append(f"{who} ended well and told nothing: {said[-500:]!r}")
            return
        report: dict[str, Any] = json.loads(lines[-1])
        if not report["joined"]:
            self.programs["found no node to join"] += 1
            return
        self.programs[f"{who.partition(' ')[0]}s that ended"] += 1
        self.programs["right answers"] += report["right"]
        self.errors.update(report["errors"])
        self.wrong += report["wrong"]


class _Command:
    """A process whose output goes into files: nobody reads it before its end."""

    def __init__(self, machine: Machine, folder: Path, name: str, args: list[str]) -> None:
        self._out, self._err = ((folder / f"{name}.{end}").open("w+") for end in ("out", "err"))
        self.process = subprocess.Popen(
            args,
            env=machine.environment,
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._err,
        )

    def said(self) -> tuple[str, str]:
        """All of it; what hangs is ended."""
        self.process.kill()
        self.process.wait()
        texts = []
        for file in (self._out, self._err):
            file.seek(0)
            texts.append(file.read())
            file.close()
            Path(file.name).unlink()
        return texts[0], texts[1]


class Program:
    """A driver of a node."""

    def __init__(
        self, machine: Machine, address: str, seed: int, seconds: float, folder: Path
    ) -> None:
        self.killed = False
        given = (address, str(seed), str(seconds), str(folder))
        args = [sys.executable, "-m", "tests.cluster.soak", "--program", *given]
        self._command = _Command(machine, folder, f"program-{seed}", args)
        self._until = time.monotonic() + seconds + PATIENCE_SECONDS

    def kill(self) -> None:
        self.killed = True
        self._command.process.kill()

    def ended(self) -> bool:
        return self._command.process.poll() is not None or time.monotonic() > self._until

    def tell(self, told: Told) -> None:
        """A program that hangs, or ends badly by itself, is wrong."""
        code = self._command.process.poll()
        said, errors = self._command.said()
        if self.killed:
            told.programs["programs killed"] += 1
        elif code != 0:
            how = "hangs" if code is None else f"ended with {code}"
            told.wrong.append(f"a program {how}: {errors[-2_000:]}")
        else:
            told.hear(said, "program")


class Job:
    """A program that is submitted, and followed from where it was submitted. Some are stopped; all are deleted.

    Its supervisor is a worker that may be killed: it may fail, and says so.
    """

    def __init__(self, machine: Machine, seed: int, seconds: float, folder: Path) -> None:
        self._machine, self._folder, self._seed = machine, folder, seed
        self._id = f"soak-{seed}"
        self._app = folder / self._id
        self._app.mkdir()
        (self._app / "app.py").write_text(APP)
        mark = str(seed % FOLDERS)
        (self._app / "mark.txt").write_text(mark)
        self._stop_at = time.monotonic() + (seconds / 2 if seed % 4 == 0 else 1e9)
        self._stopping: _Command | None = None
        program = ("auto", str(seed), str(seconds), str(folder))
        submit = ("submit", "--submission-id", self._id, "--working-dir", str(self._app), "--")
        app = (sys.executable, "app.py", mark, "--program", *program)
        self._command = self._raysim("follows", *submit, *app)
        self._until = time.monotonic() + seconds + PATIENCE_SECONDS

    def _raysim(self, name: str, *args: str) -> _Command:
        command = [sys.executable, "-m", "raysim", "job", *args]
        return _Command(self._machine, self._folder, f"{self._id}-{name}", command)

    def ended(self) -> bool:
        now = time.monotonic()
        if self._stopping is None and now > self._stop_at:
            self._stopping = self._raysim("stops", "stop", self._id)
        over = self._command.process.poll() is not None or now > self._until
        stopped = self._stopping is None or self._stopping.process.poll() is not None
        return over and (stopped or now > self._until)

    def tell(self, told: Told) -> None:
        code = self._command.process.poll()
        said, errors = self._command.said()
        if code is None:
            told.wrong.append(f"job {self._id} hangs: {errors[-2_000:]}")
        elif code == 0:
            told.hear(said, f"job {self._id}")
        else:
            self._judge(told, errors, said)
        if self._stopping is not None:
            self._judge_command(told, "stop", self._stopping)
        deleting = self._raysim("deletes", "delete", self._id)
        with contextlib.suppress(subprocess.TimeoutExpired):
            deleting.process.wait(PATIENCE_SECONDS)
        self._judge_command(told, "delete", deleting)
        shutil.rmtree(self._app)

    def _judge(self, told: Told, errors: str, said: str) -> None:
        last = errors.strip().splitlines()[-1] if errors.strip() else ""
        if self._stopping is not None and "STOPPED" in last:
            told.programs["jobs stopped"] += 1
        elif "Traceback" in errors or "exit code" in last or not last:
            told.wrong.append(f"job {self._id} fails: {errors[-2_000:]}\n{said[-2_000:]}")
        else:
            told.programs["jobs that failed"] += 1
            told.errors[last.replace(self._id, "ID")[:120]] += 1

    def _judge_command(self, told: Told, name: str, command: _Command) -> None:
        code = command.process.poll()
        said, errors = command.said()
        if code is None or "Traceback" in errors:
            told.wrong.append(f"raysim job {name} {self._id}, {code}: {said}{errors[-2_000:]}")
        elif code != 0:
            told.errors[f"job {name}: {errors.strip().replace(self._id, 'ID')[:120]}"] += 1

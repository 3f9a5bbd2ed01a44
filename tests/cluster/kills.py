"""SIGKILL at random moments of a mixed load: `make kills`.

The load is a program of its own (`mixed_load.py`) on two nodes. One run kills one process of it, at a moment that its
seed decides, and then holds: every `get` of a program that lives on ends in the right value or a typed error, what
may run once only never ran twice, and 2 s after the end of anything nothing of it is left that should not be.
"""

import argparse
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any
from uuid import uuid4

from tests.cluster.inspection import called, children_of, leftovers, lives, marked, until

VICTIMS = ("driver", "worker", "node", "head", "forks", "gcs")
"""Where the GCS is one, it is a process of its own."""
LATEST_SECONDS = 1.0
"""Of the load until the kill."""

GONE_SECONDS = 2.0
"""The promise: so long afterwards nothing is left."""

END_SECONDS = 100.0
"""Until a program that lives on has ended, on a slow machine."""


class Load:
    """The program, and what is known of its cluster."""

    def __init__(self, seed: int, folder: Path, gcs_process: bool = False) -> None:
        self.mark = f"raysim-test-{uuid4()}"
        self._errors = (folder / "stderr").open("w+")
        self.folder = folder / "session"
        self.folder.mkdir()
        environment = {
            **os.environ,
            "TMPDIR": str(self.folder),
            "RAYSIM_TEST_MARK": self.mark,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "tests.cluster.mixed_load"),
                *(str(seed), str(folder / "ran"), str(int(gcs_process))),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=environment,
        )
        self.info: dict[str, Any] = json.loads(self._line(END_SECONDS))
        self.nodes = [int(pid) for pid in self.info["node_pids"].split(",")]

    def _line(self, seconds: float) -> str:
        assert self.process.stdout is not None
        readable, _, _ = select.select([self.process.stdout], (), (), seconds)
        line = self.process.stdout.readline() if readable else ""
        assert line, f"the program said nothing for {seconds:g} s:\n{self.errors()}"
        return line

    def errors(self) -> str:
        self._errors.flush()
        return Path(self._errors.name).read_text(errors="replace")[-4_000:]

    def choose(self, victim: str, chance: Random) -> int:
        """The pid of one, chosen among those that there are."""
        head, other = self.nodes
        if victim == "driver":
            return self.process.pid
        if victim in ("head", "node"):
            return head if victim == "head" else other
        if victim == "gcs":
            (gcs,) = (pid for pid in children_of(head) if called(pid) == "raysim-gcs")
            return gcs
        servers = [pid for node in self.nodes for pid in children_of(node)]
        if victim == "forks":
            return chance.choice(servers)
        workers: list[int] = []
        assert until(lambda: bool(workers.extend(_all_children(servers)) or workers))
        return chance.choice(workers)

    def finish(self) -> dict[str, Any]:
        """Have it stop submitting, and get what is under way: what it tells of that."""
        assert self.process.stdin is not None
        self.process.stdin.write("stop\n")
        self.process.stdin.flush()
        report: dict[str, Any] = json.loads(self._line(END_SECONDS))
        assert self.process.wait(END_SECONDS) == 0, self.errors()
        return report

    def end(self) -> None:
        for pid in marked(self.mark):
            os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
        self._errors.close()


def _all_children(pids: list[int]) -> list[int]:
    return [child for pid in pids for child in children_of(pid)]


def kill_once(victim: str, seed: int, folder: Path) -> str:
    """One run. Raises AssertionError for a promise that was not kept; returns what happened, in words."""
    chance = Random(f"{victim}/{seed}")
    load = Load(seed, folder, victim == "gcs")
    try:
        after = chance.uniform(0, LATEST_SECONDS)
        time.sleep(after)  # Which moment it hits is the thing under test.
        pid = load.choose(victim, chance)
        below = _below(pid) if victim != "driver" else []
        os.kill(pid, signal.SIGKILL)
        text = f"{victim} {pid} killed {after:.3f} s after the begin"
        if victim == "driver":
            load.process.wait()
            _assert_gone(lambda: [*marked(load.mark), *_files(load.folder)], load, text)
            _assert_gone(lambda: leftovers(load.info), load, text)
            return text
        _assert_gone(lambda: [child for child in below if lives(child)], load, text)
        time.sleep(chance.uniform(0, 0.5))  # The load goes on for a moment.
        report = load.finish()
        assert not report["wrong"], f"{text}: {report['wrong']}\n{load.errors()}"
        assert victim != "gcs" or not report["errors"], f"{text}: {report['texts']}"
        assert victim in ("head", "forks") or report["works"], (
            f"{text}: the cluster does not work any more: {report}\n{load.errors()}"
        )
        _assert_gone(lambda: [*marked(load.mark), *_files(load.folder)], load, text)
        _assert_gone(lambda: leftovers(load.info), load, text)
        return f"{text}: {report['right']} right, errors {report['errors']}"
    finally:
        load.end()


def _below(pid: int) -> list[int]:
    """It, and what ends with it."""
    return [pid, *(one for child in children_of(pid) for one in _below(child))]


def _files(folder: Path) -> list[Path]:
    return list(folder.iterdir())


def _assert_gone(what: Callable[[], list[Any]], load: Load, text: str) -> None:
    until(lambda: not what(), GONE_SECONDS)
    left = what()
    assert not left, f"{text}: still there after {GONE_SECONDS:g} s: {left}\n{load.errors()}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--victim", choices=[*VICTIMS, "all"], default="all")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0, help="of the first run")
    given = parser.parse_args()
    failed = 0
    for seed in range(given.seed, given.seed + given.times):
        for victim in VICTIMS if given.victim == "all" else (given.victim,):
            folder = Path(tempfile.mkdtemp(prefix="raysim-kills-"))
            try:
                print(f"seed {seed}: {kill_once(victim, seed, folder)}", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"seed {seed}: FAILED: {error}", flush=True)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    sys.exit(f"{failed} runs failed" if failed else 0)


if __name__ == "__main__":
    main()

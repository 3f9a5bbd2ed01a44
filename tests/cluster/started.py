"""A machine for tests, on which `raysim start` starts nodes and programs join them: a home and a folder of its own."""

import contextlib
import json
import os
import re
import select
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any
from uuid import uuid4

from tests.cluster.inspection import called, children_of, marked, until

PATIENCE_SECONDS = 60.0
GONE_SECONDS = 5.0


class Machine:
    def __init__(self, folder: Path, name: str = "") -> None:
        """`name`: of another one that has the same token."""
        self.mark = f"raysim-test-{uuid4()}"
        self.temporary = folder / f"tmp{name}"
        self.temporary.mkdir()
        home = folder / "home"
        home.mkdir(exist_ok=True)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RAY_", "RAYSIM_"))
        }
        self.environment = {
            **kept,
            "HOME": str(home),
            "TMPDIR": str(self.temporary),
            "RAYSIM_TEST_MARK": self.mark,
            "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        }
        self.address = ""
        self.dashboard_port = 0

    def __enter__(self) -> "Machine":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Nothing of it goes on, however its test ends."""
        for pid in marked(self.mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def raysim(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "raysim", *args],
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

    def start_head(self, *more: str) -> str:
        """Its address."""
        size = ("--object-store-memory", "64MiB")
        started = self.raysim("start", "--head", "--port", "0", *size, *more)
        assert started.returncode == 0, started.stderr
        found = re.search(r"runs at (\S+:\d+)\.", started.stdout)
        assert found, started.stdout
        self.address = found[1]
        if shown := re.search(r"https?://127\.0\.0\.1:(\d+)", started.stdout):
            self.dashboard_port = int(shown[1])
        return self.address

    def join(self, address: str, *more: str) -> None:
        size = ("--object-store-memory", "64MiB")
        started = self.raysim("start", "--address", address, *size, *more)
        assert started.returncode == 0, started.stderr
        assert f"has joined the cluster at {address}" in started.stdout

    def run_node(self, *args: str) -> "subprocess.Popen[str]":
        """`raysim start --block`, once its node has joined."""
        size = ("--object-store-memory", "64MiB")
        process = subprocess.Popen(
            [sys.executable, "-m", "raysim", "start", "--block", *size, *args],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        assert "has joined the cluster" in process.stdout.readline()
        return process

    def status(self) -> dict[str, Any]:
        shown = self.raysim("status", "--json")
        assert shown.returncode == 0, shown.stderr
        status: dict[str, Any] = json.loads(shown.stdout)
        return status

    def program(self, code: str, *args: str, **variables: str) -> "Program":
        return Program(code, args, {**self.environment, **variables})

    def supervisors(self) -> list[int]:
        """Of its nodes, in the order of their starts."""
        entries = sorted(
            self.temporary.glob("raysim-nodes-*/*.json"), key=lambda file: file.stat().st_mtime_ns
        )
        return [json.loads(entry.read_text())["pid"] for entry in entries]

    def gcs_pids(self) -> list[int]:
        return [
            gcs
            for supervisor in self.supervisors()
            for node in children_of(supervisor)
            for gcs in children_of(node)
            if called(gcs) == "raysim-gcs"
        ]

    def leftovers(self) -> list[str]:
        """Processes, files and sockets."""
        left = [f"process {pid} {called(pid)}" for pid in marked(self.mark)]
        return left + [f"file {path}" for path in self.temporary.rglob("*")]

    def assert_nothing_left(self) -> None:
        until(lambda: not self.leftovers(), GONE_SECONDS)
        assert self.leftovers() == []


class Program:
    """A driver, which prints a line of JSON now and then and goes on when it is given one."""

    BEGIN = """
import json, os, sys, time
import raysim as ray
from raysim.util import placement_group
def tell(what): print(json.dumps(what), flush=True)
def wait(): return sys.stdin.readline()
@ray.remote
class Keeper:
    def __init__(self): self.calls = 0
    def call(self):
        self.calls += 1
        return self.calls, os.getpid()
@ray.remote
def pid(): return os.getpid()
"""

    def __init__(self, code: str, args: Sequence[str], environment: dict[str, str]) -> None:
        self.ids: Any = None
        """What it told of what it made, where others ask for it."""
        self._said = b""
        """What has come of its next lines."""
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.BEGIN + code, *args],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> "Program":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.process.kill()
        self.process.communicate()

    def told(self) -> Any:
        return json.loads(self.line())

    def line(self) -> str:
        assert self.process.stdout is not None
        fd = self.process.stdout.fileno()
        while b"\n" not in self._said:
            readable, _, _ = select.select([fd], (), (), PATIENCE_SECONDS)
            data = os.read(fd, 65_536) if readable else b""
            if not data:
                self.process.kill()
                raise AssertionError(f"the program said nothing: {self.process.communicate()[1]}")
            self._said += data
        line, _, self._said = self._said.partition(b"\n")
        return line.decode()

    def go_on(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> str:
        """Until it has ended well; what it wrote on its standard error."""
        _, errors = self.process.communicate(timeout=PATIENCE_SECONDS)
        assert self.process.returncode == 0, errors
        return errors

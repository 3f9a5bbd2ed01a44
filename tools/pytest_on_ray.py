"""Runs tests on Ray, and tries again what failed there. Never excuses a test: each has to pass.

    python -m tools.pytest_on_ray tests/api tests/on_ray -- -m "not own_ray"

Ray 2.60 loses an actor or a group's room about once in a thousand tests, and now and then ends its driver in
the middle, without a word. So a failure ends its pytest, as what it left of Ray is not for other tests. A
fresh process goes on with them, and after all others another one tries again what failed.

`--within` bounds the time: tests that had no turn by then are left out, and their number is said.
"""

import argparse
import ctypes
import json
import math
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ATTEMPTS = 3
"""Of one test. What Ray loses once in a thousand times it does not lose three times on end."""
MOST_TROUBLE = 10
"""Failures in a run that may be Ray's. It fails one test of a thousand, and a run has 1,700 to 1,800."""
SILENCE_S = 240.0
"""Without news this is a hang. pytest-timeout ends a test after 180 s, if that still listens to it."""
GRACE_S = 30.0
"""For a pytest that was interrupted, to end its cluster of Ray."""

INTERRUPTED = 128 + signal.SIGINT
PR_SET_CHILD_SUBREAPER = 36


@dataclass
class Test:
    path: str
    outcome: str = ""
    """Passed or skipped; empty as long as it has failed, or was not run."""
    failures: list[str] = field(default_factory=list)
    """Why, of each attempt that failed."""


class Run:
    """What is known of all tests."""

    def __init__(self, most_trouble: int, within_s: float) -> None:
        self.most_trouble = most_trouble
        self._within_s = within_s
        self._begun = time.monotonic()
        self.tests: dict[str, Test] = {}
        self.lost: list[str] = []
        """How processes ended too early while no test ran."""

    def is_late(self) -> bool:
        """No test gets its first turn any more; one that failed is tried again."""
        return time.monotonic() - self._begun > self._within_s

    def todo(self) -> dict[str, Test]:
        """Those that failed least: what failed waits until all others had their turn."""
        left = {
            name: test
            for name, test in self.tests.items()
            if not test.outcome and (test.failures or not self.is_late())
            if len(test.failures) < ATTEMPTS
        }
        fewest = min((len(test.failures) for test in left.values()), default=0)
        return {name: test for name, test in left.items() if len(test.failures) == fewest}

    def troubled(self) -> dict[str, Test]:
        return {name: test for name, test in self.tests.items() if test.failures}

    def has_too_much_trouble(self) -> bool:
        return len(self.troubled()) + len(self.lost) > self.most_trouble

    def passed(self) -> bool:
        if not any(test.outcome for test in self.tests.values()):
            return False
        return all(
            test.outcome or (self.is_late() and not test.failures) for test in self.tests.values()
        )

    def report(self) -> None:
        outcomes = [test.outcome or "failed" for test in self.troubled().values()]
        outcomes += [test.outcome or "not run" for test in self.tests.values() if not test.failures]
        counts = (f"{outcomes.count(each)} {each}" for each in dict.fromkeys(sorted(outcomes)))
        print(f"\n== {len(self.tests)} tests: {', '.join(counts)} ==")
        if "not run" in outcomes and self.is_late():
            print(f"Not run, as {self._within_s:g} s were over: `make test-ray` runs all.")
        if self.troubled():
            print(
                f"Needed more than one attempt (of {self.most_trouble} that are put down to Ray):"
            )
        for name, test in self.troubled().items():
            print(f"  {name}: {test.outcome or 'FAILED'}")
            for number, why in enumerate(test.failures, 1):
                print(f"    attempt {number}: {why}")
        for how in self.lost:
            print(f"  between two tests: {how}")
        if self.has_too_much_trouble():
            print("That is too much to be put down to Ray.")
        sys.stdout.flush()


class Process:
    """One pytest, as it is told of by tools/outcomes.py."""

    def __init__(self, run: Run, folder: Path) -> None:
        self.began = False
        """Any test."""
        self.failed = False
        """Any test."""
        self.status: int | None = None
        """What pytest found, once it is through."""
        self.stopped = False
        """As the time was over."""
        self._is_first_turn = not run.tests or not any(
            test.failures for test in run.todo().values()
        )
        self._run = run
        self._told, self._only = folder / "told", folder / "only"
        self._read = 0
        self._running = ""

    def command(self, paths: Sequence[str], arguments: Sequence[str]) -> list[str]:
        """Of all tests at first, then of those that are left."""
        command = [sys.executable, "-m", "pytest", "-p", "tools.outcomes", "--exitfirst"]
        command += [f"--outcomes={self._told}", *arguments]
        if not self._run.tests:
            return [*command, *paths]
        todo = self._run.todo()
        self._only.write_text(json.dumps(list(todo)), "utf-8")
        return [
            *command,
            f"--only={self._only}",
            *dict.fromkeys(each.path for each in todo.values()),
        ]

    def play(self, command: Sequence[str], silence_s: float) -> None:
        pytest = subprocess.Popen(command, start_new_session=True)  # Ctrl-C is for us to pass on.
        try:
            how = self._watch(pytest, silence_s)
        except KeyboardInterrupt:
            _end(pytest, signal.SIGINT)
            self._listen()
            raise
        finally:
            _end_descendants()
        if self.stopped:
            return
        if not self.began:
            self.status = max(pytest.returncode, 1)
        elif how:
            self._died(how)

    def _watch(self, pytest: subprocess.Popen[bytes], silence_s: float) -> str:
        """How it came to an end, where that was too early."""
        heard: float | None = (
            None  # Until tests are collected, nothing of Ray is there to wait for.
        )
        while True:
            try:
                ended = pytest.wait(0.2) is not None
            except subprocess.TimeoutExpired:
                ended = False
            if self._listen():
                heard = time.monotonic()
            if ended:
                break
            if heard is not None and self._is_first_turn and self._run.is_late():
                self.stopped = True
                _end(pytest, signal.SIGINT)
                self._listen()
                return ""
            if heard is not None and time.monotonic() - heard > silence_s:
                _end(pytest, signal.SIGABRT)  # pytest shows then where it is.
                return f"no news for {silence_s:g} s"
        if self.failed or pytest.returncode == self.status:
            return ""
        return f"its process ended with status {pytest.returncode}"

    def _listen(self) -> bool:
        """Whether there was news."""
        if not self._told.exists():
            return False
        with self._told.open("rb") as file:
            file.seek(self._read)
            lines = [
                line for line in file if line.endswith(b"\n")
            ]  # The last one may be half there.
        for line in lines:
            self._read += len(line)
            self._on(json.loads(line))
        return bool(lines)

    def _on(self, event: dict[str, object]) -> None:
        match event:
            case {"collected": dict(paths)}:
                for name, path in paths.items():
                    self._run.tests.setdefault(name, Test(path))
            case {"began": str(name)}:
                self.began = True
                self._running = name
            case {"ended": str(name), "outcome": "failed", "why": str(why)}:
                self.failed = True
                self._running = ""
                self._run.tests[name].failures.append(why)
            case {"ended": str(name), "outcome": str(outcome)}:
                self._running = ""
                self._run.tests[name].outcome = outcome
            case {"finished": int(status)}:
                self.status = status
            case _:
                raise AssertionError(f"tools/outcomes.py tells what is not known here: {event}")

    def _died(self, how: str) -> None:
        print(f"\n== {self._running or 'Between two tests'}: {how} ==", flush=True)
        if self._running:
            self.failed = True
            self._run.tests[self._running].failures.append(how)
        else:
            self._run.lost.append(how)


def main() -> int:
    mine, theirs = _parted(sys.argv[1:])
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("paths", nargs="+", help="for pytest, whose arguments follow --")
    parser.add_argument("--silence", type=float, default=SILENCE_S, help="seconds that are a hang")
    trouble = "failures that may be put down to Ray"
    parser.add_argument("--trouble", type=int, default=MOST_TROUBLE, help=trouble)
    within = "seconds after which no test gets its first turn any more"
    parser.add_argument("--within", type=float, default=math.inf, help=within)
    options = parser.parse_args(mine)
    # What loses its parent becomes a child of this process, so that all that Ray starts is found.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    run = Run(options.trouble, options.within)
    try:
        status = _play_all(run, options.paths, theirs, options.silence)
    except KeyboardInterrupt:
        status = INTERRUPTED
    run.report()
    return status


def _parted(arguments: list[str]) -> tuple[list[str], list[str]]:
    end = arguments.index("--") if "--" in arguments else len(arguments)
    return arguments[:end], arguments[end + 1 :]


def _play_all(run: Run, paths: Sequence[str], arguments: Sequence[str], silence_s: float) -> int:
    while not run.tests or run.todo():
        with tempfile.TemporaryDirectory(prefix="raysim-outcomes-") as folder:
            process = Process(run, Path(folder))
            process.play(process.command(paths, arguments), silence_s)
        if not process.stopped and (
            not process.began or (process.status not in (None, 0, 1) and not process.failed)
        ):
            return (
                process.status or 1
            )  # A mistake in the tests or the arguments: no matter of Ray's.
        if run.has_too_much_trouble():
            return 1
    return 0 if run.passed() else 1


def _end(pytest: subprocess.Popen[bytes], number: signal.Signals) -> None:
    pytest.send_signal(number)
    try:
        pytest.wait(GRACE_S)
    except subprocess.TimeoutExpired:
        pytest.kill()
        pytest.wait()


def _end_descendants() -> None:
    """Clusters of Ray whose pytest has died."""
    while left := psutil.Process().children(recursive=True):
        for process in left:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                pass
        psutil.wait_procs(left, timeout=0.2)


if __name__ == "__main__":
    sys.exit(main())

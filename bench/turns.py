"""Contenders take turns, each with a group of lines in a fresh process, round after round. Never judges a value."""

import contextlib
import json
import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import IO, NamedTuple

from bench.contenders import Ready
from bench.lines import OURS, Line

ROOT = Path(__file__).resolve().parent.parent
TIMEOUT_S = 900
"""Of one turn. The longest is Ray's, which needs a minute or two for a group."""

LAST_WORDS_S = 10.0
"""Seconds that a turn has to end after Ctrl-C, before it is killed."""

LAST_LINES = 15
"""Of what a turn said that failed."""

Rounds = dict[int, float]
"""Round -> value. A turn that failed leaves a gap."""

Values = dict[str, dict[str, Rounds]]
"""By contender, and by line."""


class Found(NamedTuple):
    """Of one turn, by the line's name."""

    values: dict[str, float]
    cpu: dict[str, float]
    """Microseconds of all processes for each thing done: what a busy machine changes least."""


class Settings(NamedTuple):
    rounds: int
    seconds: float
    """For each line of each turn, about."""
    scale: float
    """Of tasks and bytes."""
    grouped: bool
    """Turns change by group of lines, or only by round."""


class Turn(NamedTuple):
    number: int
    """Of the round, from 1."""
    ready: Ready
    lines: tuple[str, ...]
    group: str


class TurnFailedError(Exception):
    """Of one contender. What it found, why that is not all, and the end of what it said."""


def turns(lines: Sequence[Line], ready: Sequence[Ready], settings: Settings) -> Iterator[Turn]:
    """In the order in which they are taken: all contenders of a group of lines, one after the other."""
    grouped = settings.grouped
    groups = groupby(lines, lambda line: line.group) if grouped else [("all lines", iter(lines))]
    parts = [(name, tuple(members)) for name, members in groups]
    for number in range(1, settings.rounds + 1):
        for name, members in parts:
            for one in ready:
                taken = [line.name for line in members if asked_of(line, one)]
                if taken:
                    yield Turn(number, one, tuple(taken), name)


def asked_of(line: Line, one: Ready) -> bool:
    """What a size costs is asked of raysim alone."""
    if line.size is not None:
        return one.participant.name == OURS
    return one.participant.does(line.group)


def take(turn: Turn, settings: Settings) -> Found:
    """All lines that this contender does. `TurnFailedError` tells of fewer."""
    with tempfile.TemporaryDirectory(prefix="raysim-bench-") as folder:
        out, log = Path(folder) / "turn.json", Path(folder) / "log"
        with log.open("wb") as said:
            status = run(command(turn, settings, out), said)
        found = read(out)
        if status == 0:
            return found
        why = f"no end after {TIMEOUT_S} s" if status is None else f"exit code {status}"
        raise TurnFailedError(found, why, tail(log))


def run(arguments: list[str], said: IO[bytes]) -> int | None:
    """Its exit code; None if it had to be ended. Nothing of it is left, however this function is left."""
    process = None
    try:
        with held_back():
            process = subprocess.Popen(
                arguments,
                cwd=ROOT,
                env=surroundings(),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                # Ctrl-C is passed on by us, once, to the one that ends the rest.
                start_new_session=True,
            )
        return process.wait(TIMEOUT_S)
    except BaseException as error:
        if process is not None:
            end(process)
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        return None


@contextlib.contextmanager
def held_back() -> Iterator[None]:
    """A Ctrl-C in here is one at its end: a process that is just being started would be nobody's."""
    asked: list[int] = []
    usual = {
        number: signal.signal(number, lambda number, frame: asked.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt


def command(turn: Turn, settings: Settings, out: Path) -> list[str]:
    given = [turn.ready.python, "-m", "pytest", "-c", "bench/pytest.ini", "bench/test_lines.py"]
    given += ["--contender", turn.ready.participant.name, "--benchmark-json", str(out)]
    given += ["--seconds", str(settings.seconds), "--scale", str(settings.scale)]
    return [*given, *(f"--line={name}" for name in turn.lines)]


def surroundings() -> dict[str, str]:
    """Nothing of the caller's may lead a contender to a cluster, or to modules, of somebody else, or have
    each of its processes compile what others had compiled when they were installed."""
    left_out = ("RAY_ADDRESS", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    kept = {k: v for k, v in os.environ.items() if k not in left_out}
    return kept | {"RAY_USAGE_STATS_ENABLED": "0"}


def read(out: Path) -> Found:
    """What pytest-benchmark wrote: nothing, where not one line was measured."""
    if not out.exists() or not out.stat().st_size:
        return Found({}, {})
    told = [each["extra_info"] for each in json.loads(out.read_text())["benchmarks"]]
    return Found(
        {info["line"]: info["value"] for info in told},
        {info["line"]: info["cpu_us"] for info in told if "cpu_us" in info},
    )


def tail(log: Path) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-LAST_LINES:])


def end(process: subprocess.Popen[bytes]) -> None:
    """As Ctrl-C does; then, whoever is left of its session, by force."""
    with contextlib.suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)
    try:
        process.wait(LAST_WORDS_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


class Told(NamedTuple):
    """What came of all turns."""

    values: Values
    cpu: Values
    failures: list[str]

    def add(self, turn: Turn, found: Found) -> None:
        name = turn.ready.participant.name
        for kept, new in ((self.values, found.values), (self.cpu, found.cpu)):
            for line, value in new.items():
                kept.setdefault(name, {}).setdefault(line, {})[turn.number] = value


def take_all(
    all_turns: Sequence[Turn], settings: Settings, told: Told, say: Callable[[str], None]
) -> None:
    """Adds to `told` after each turn: whoever stops early keeps it."""
    began = time.monotonic()
    for index, turn in enumerate(all_turns):
        name = turn.ready.participant.name
        left = (time.monotonic() - began) / index * (len(all_turns) - index) if index else None
        say(
            f"[{index + 1}/{len(all_turns)}] round {turn.number} of {settings.rounds}, "
            f"{turn.group}: {name}" + (f" (about {left:.0f} s left)" if left else "")
        )
        try:
            told.add(turn, take(turn, settings))
        except TurnFailedError as failure:
            found, why, said = failure.args
            told.add(turn, found)
            told.failures.append(f"{name}, {turn.group}, round {turn.number}: {why}")
            say(f"{told.failures[-1]}\n{said}")

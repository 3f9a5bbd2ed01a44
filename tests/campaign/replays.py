"""`make replays`: runs that fail and runs that pass, each again in a process of its own. Part of it is in the suite.

The first time, all run one after the other in one process, as a hunt has them. The second time each is the first of a
fresh process, in which strings hash otherwise. To the last message they have to be the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext, redirect_stdout
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from raysim.journal import Journal, Level
from raysim.tape import SeededTape
from raysim.testing.case import Case
from raysim.testing.running import run_case
from raysim.testing.target import find_target
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutate import without

ROOT = Path(__file__).resolve().parent.parent.parent
SEARCHED = 60
"""Seeds of each source of failures that are looked through, at most."""
BROKEN = [
    "test_bank.py:test_money_is_kept_by_careless_tellers",
    "test_processor.py:test_each_order_is_shipped_once_in_two_steps",
    "test_parameter_server.py:test_training_ends_if_one_waits_for_the_server",
]
MENDED = [
    "test_bank.py:test_money_is_kept_by_careful_tellers",
    "test_processor.py:test_each_order_is_shipped_once_in_one_transaction",
    "test_parameter_server.py:test_training_ends_if_one_replaces_the_lost",
]


class Run(NamedTuple):
    """`target`: as a hunt names it. `mutant`: the safeguard that is taken out; none, if empty."""

    target: str
    mutant: str
    seed: int


class Result(NamedTuple):
    """`digest`: over every message, timer and note. `cause`: of its failure; empty where it passed."""

    digest: str
    cause: str


def result_of(run: Run, level: Level = Level.ALL) -> Result:
    mutant = next((one for one in MUTANTS if one.name == run.mutant), None)
    target = find_target(run.target)
    with (
        open(os.devnull, "w") as nowhere,
        redirect_stdout(nowhere),
        nullcontext() if mutant is None else without(mutant),
    ):
        case = Case.sampled(target, SeededTape(run.seed), run.seed)
        verdict = run_case(target, case, Journal(level))
    return Result(verdict.digest, verdict.group)


def first_time(runs: int) -> Iterator[tuple[Run, Result]]:
    """In this process. Half of the runs fail, if so many are found: tests of examples, and the protocol without one of
    its safeguards."""
    failing = list(islice(_failing(), runs // 2))
    yield from failing
    for index in range(runs // 4):
        run = Run(_example(MENDED[index % len(MENDED)]), "", index // len(MENDED))
        yield run, result_of(run)
    for seed in range(runs - runs // 4 - len(failing)):
        run = Run("protocol", "", seed)
        yield run, result_of(run)


def _failing() -> Iterator[tuple[Run, Result]]:
    """Of each source one, then of each source another."""
    sources = [_failing_of(_example(name), "") for name in BROKEN]
    sources += [_failing_of("protocol", mutant.name) for mutant in MUTANTS]
    while sources:
        for source in list(sources):
            found = next(source, None)
            if found is None:
                sources.remove(source)
            else:
                yield found


def _failing_of(target: str, mutant: str) -> Iterator[tuple[Run, Result]]:
    for seed in range(SEARCHED):
        run = Run(target, mutant, seed)
        if result_of(run, Level.NOTES).cause:
            yield run, result_of(run)


def _example(name: str) -> str:
    return str(ROOT / "examples" / "testing" / name)


def again(run: Run) -> Result:
    """In a fresh process."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.campaign.replays", "--one", json.dumps(run)],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": str(1 + run.seed)},
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"{run} could not be run again:\n{done.stderr}")
    return Result(*json.loads(done.stdout))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="make replays")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.one:
        print(json.dumps(result_of(Run(*json.loads(asked.one)))))
        return 0
    runs = list(first_time(asked.runs))
    failing = sum(bool(result.cause) for _, result in runs)
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {version}: {len(runs)} runs, of which {failing} fail, each in a fresh process:")
    differ = [(run, result, other) for run, result in runs if (other := again(run)) != result]
    for run, result, other in differ:
        print(f"{run}\n  first  {result}\n  again  {other}")
    print(f"{len(runs) - len(differ)} are the same, {len(differ)} are not.")
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

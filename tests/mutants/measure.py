"""`make mutants`: how many seeds find each mutant, by mode. Never part of the test suite.

Each seed runs as it is first, which tells what safeguards it needs. Only where it needs one can its mutant
make a difference, and only there it is run without.
"""

from __future__ import annotations

import argparse
import gc
import logging
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import msgspec

from raysim.faults.order import FIFO, PCT, RANDOM
from raysim.tape import SeededTape
from raysim.testing.campaign.driver import CAMPAIGN, ProtocolCampaign
from raysim.testing.case import Case
from raysim.testing.hunt import run_guarded
from tests.mutants import shrinking
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutate import Mutant, Patch, Watch, without

_SWARM = CAMPAIGN.swarm
MODES = {
    "random": msgspec.structs.replace(
        _SWARM,
        kinds_on=1.0,
        knobs_changed=0.0,
        groups_changed=0.0,
        orders=((RANDOM, 1),),
        buggify=None,
    ),
    "swarm": msgspec.structs.replace(_SWARM, orders=((FIFO, 1), (RANDOM, 1)), buggify=None),
    "swarm+buggify": _SWARM,
    "pct": msgspec.structs.replace(_SWARM, orders=((PCT, 1),), buggify=None),
}


class Measured(msgspec.Struct):
    """Of one mutant in one mode."""

    name: str
    runs: int = 0
    """Seeds that were tried."""
    needed: int = 0
    """Of these, how many needed the safeguard."""
    found: list[int] = []
    """Of these, which failed without it."""
    invariants: Counter[str] = msgspec.field(default_factory=Counter)

    def row(self, mode: str, seconds: float) -> str:
        """`seconds` of a run."""
        gaps = [b - a for a, b in zip([-1, *self.found], self.found, strict=False)]
        first = f"{median(gaps):g}" if gaps else f"> {self.runs}"
        wall = f"{median(gaps) * seconds:.1f}" if gaps else "-"
        caught = ", ".join(f"{name} {count}" for name, count in self.invariants.most_common(3))
        rates = f"{_of_1000(self.needed, self.runs)} | {_of_1000(len(self.found), self.runs)}"
        return f"| {self.name} | {mode} | {self.runs} | {rates} | {first} | {wall} | {caught} |"


HEAD = """\
| mutant | mode | seeds | needed by, of 1,000 | found by, of 1,000 | median seeds | median s | caught by |
|---|---|---|---|---|---|---|---|"""


class Measurement:
    """All of these mutants in one mode. Each is left alone when `enough` seeds have found it."""

    def __init__(self, mutants: Sequence[Mutant], mode: str, enough: int) -> None:
        self.target = ProtocolCampaign(CAMPAIGN.operations, MODES[mode])
        self.mode = mode
        self.by_name = {mutant.name: Measured(mutant.name) for mutant in mutants}
        self.plain_runs = 0
        self.plain_s = 0.0
        self.failed: list[int] = []
        """Seeds that fail as the protocol is: to be mended."""
        self._enough = enough
        self._without: dict[str, Patch] = {mutant.name: without(mutant) for mutant in mutants}
        self._watch = Watch(mutants)

    def open(self) -> list[Measured]:
        """Those that not enough seeds have found."""
        return [one for one in self.by_name.values() if len(one.found) < self._enough]

    def seed(self, seed: int) -> None:
        case = Case.sampled(self.target, SeededTape(seed), seed)
        began = time.process_time()
        with self._watch.over() as arose:
            verdict = run_guarded(self.target, case)
        self.plain_s += time.process_time() - began
        self.plain_runs += 1
        needed = set(arose)
        if not verdict.ok:
            self.failed.append(seed)
        for measured in self.open():
            measured.runs += 1
            if measured.name not in needed:
                continue
            measured.needed += 1
            with self._without[measured.name]:
                verdict = run_guarded(self.target, case)
            if not verdict.ok:
                measured.found.append(measured.runs - 1)
                measured.invariants[verdict.findings[0].invariant] += 1

    def rows(self) -> list[str]:
        seconds = self.plain_s / max(1, self.plain_runs)
        return [one.row(self.mode, seconds) for one in self.by_name.values()]


def measure(
    mutants: Sequence[Mutant],
    mode: str,
    seeds: range,
    enough: int,
    told: Callable[[Measurement], None] = lambda _: None,
) -> Measurement:
    """Until enough seeds have found each, or Ctrl-C ends it. `told` hears of it now and then."""
    measurement = Measurement(mutants, mode, enough)
    with _ctrl_c() as pressed:
        for number, seed in enumerate(seeds):
            if pressed or not measurement.open():
                break
            measurement.seed(seed)
            if number % 32 == 0:
                gc.collect()
            if number % 100 == 99:
                told(measurement)
    return measurement


@contextmanager
def _ctrl_c() -> Iterator[list[int]]:
    """Filled when it is pressed, which is heeded between two runs; also in the background, where shells ignore it."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield pressed
    finally:
        signal.signal(signal.SIGINT, before)


def _tell(measurement: Measurement) -> None:
    left = ", ".join(f"{one.name} {len(one.found)}/{one.needed}" for one in measurement.open())
    failed = f"; fail as it is: {measurement.failed}" if measurement.failed else ""
    done = f"{measurement.mode}, {measurement.plain_runs} seeds: {left}{failed}"
    print(done, file=sys.stderr, flush=True)


def _of_1000(count: int, runs: int) -> str:
    return f"{1000 * count / max(1, runs):.3g}"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--enough", type=int, default=1_000, help="go on to the next at so many")
    parser.add_argument("--mode", dest="modes", action="append", choices=list(MODES))
    parser.add_argument("--shrink", action="store_true", help="instead, shrink a failure of each")
    parser.add_argument("--seconds", type=float, default=60.0, help="to shrink one")
    parser.add_argument("--out", type=Path, help="folder for what was shrunk")
    parser.add_argument("names", nargs="*", metavar="MUTANT")
    asked = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.disable()
    chosen = [mutant for mutant in MUTANTS if not asked.names or mutant.name in asked.names]
    seeds = range(asked.first, asked.first + asked.seeds)
    if asked.shrink:
        shrinking.report(chosen, seeds, asked.seconds, asked.out)
        return
    print(HEAD)
    failed: list[str] = []
    for mode in asked.modes or MODES:
        measured = measure(chosen, mode, seeds, asked.enough, _tell)
        print(*measured.rows(), sep="\n", flush=True)
        failed += [f"{mode} {seed}" for seed in measured.failed]
    if failed:
        sys.exit(f"seeds that fail with no safeguard taken away: {', '.join(failed)}")


if __name__ == "__main__":
    main(sys.argv[1:])

"""`make mutants`: how many seeds find each mutant, by mode. Never part of the test suite."""

from __future__ import annotations

import argparse
import gc
import logging
import sys
import time
from collections import Counter
from statistics import median

import msgspec

from raysim.faults.order import FIFO, PCT, RANDOM
from raysim.tape import SeededTape
from raysim.testing.campaign.driver import CAMPAIGN, ProtocolCampaign
from raysim.testing.case import Case
from raysim.testing.hunt import run_guarded
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutate import Mutant, applied

_SWARM = CAMPAIGN.swarm
MODES = {
    "random": msgspec.structs.replace(
        _SWARM, kinds_on=1.0, knobs_changed=0.0, orders=((RANDOM, 1),), buggify=None
    ),
    "swarm": msgspec.structs.replace(_SWARM, orders=((FIFO, 1), (RANDOM, 1)), buggify=None),
    "swarm+buggify": _SWARM,
    "pct": msgspec.structs.replace(_SWARM, orders=((PCT, 1),), buggify=None),
}


class Measured(msgspec.Struct):
    """Of one mutant in one mode."""

    runs: int
    seconds: float
    found: list[int]
    """Seeds."""
    invariants: Counter[str]

    def row(self, mutant: str, mode: str) -> str:
        rate = 1000 * len(self.found) / self.runs
        gaps = [b - a for a, b in zip([-1, *self.found], self.found, strict=False)]
        first = f"{median(gaps):g}" if gaps else f"> {self.runs}"
        wall = f"{median(gaps) * self.seconds / self.runs:.1f}" if gaps else "-"
        caught = ", ".join(f"{name} {count}" for name, count in self.invariants.most_common(3))
        return f"| {mutant} | {mode} | {rate:.0f} | {first} | {wall} | {caught} |"


def measure(mutant: Mutant, mode: str, first: int, seeds: int, enough: int) -> Measured:
    """Until so many seeds have found it."""
    target = ProtocolCampaign(CAMPAIGN.operations, MODES[mode])
    found: list[int] = []
    invariants: Counter[str] = Counter()
    began, runs = time.process_time(), 0
    with applied(mutant):
        for seed in range(first, first + seeds):
            verdict = run_guarded(target, Case.sampled(target, SeededTape(seed), seed), 20)
            runs += 1
            if not verdict.ok:
                found.append(seed - first)
                invariants[verdict.findings[0].invariant] += 1
                if len(found) >= enough:
                    break
            if runs % 32 == 0:
                gc.collect()
    return Measured(runs, time.process_time() - began, found, invariants)


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--seeds", type=int, default=1_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--enough", type=int, default=1_000, help="go on to the next at so many")
    parser.add_argument("--mode", dest="modes", action="append", choices=list(MODES))
    parser.add_argument("names", nargs="*", metavar="MUTANT")
    asked = parser.parse_args(arguments)
    logging.disable(logging.CRITICAL)
    gc.freeze()
    gc.disable()
    print("| mutant | mode | found by, of 1,000 seeds | median seeds | median s | caught by |")
    print("|---|---|---|---|---|---|")
    for mutant in MUTANTS:
        if asked.names and mutant.name not in asked.names:
            continue
        for mode in asked.modes or MODES:
            measured = measure(mutant, mode, asked.first, asked.seeds, asked.enough)
            print(measured.row(mutant.name, mode), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])

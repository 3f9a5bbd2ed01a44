"""`make mutants ARGS=--shrink`: how small a failing run with many faults becomes. Never part of the test suite."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Final

import msgspec

from raysim.faults.swarm import Swarm
from raysim.tape import SeededTape
from raysim.testing.bundle import bundle_of
from raysim.testing.campaign import operations as ops
from raysim.testing.campaign.driver import CAMPAIGN, ProtocolCampaign
from raysim.testing.campaign.operations import Program
from raysim.testing.case import Case
from raysim.testing.hunt import run_guarded
from raysim.testing.shrink import Shrinker, Shrunk
from tests.mutants.mutate import Mutant, Watch, without

LEAST_FAULTS: Final = 50
MOST_FAULTS: Final = 100

MANY_FAULTS: Final[Swarm] = msgspec.structs.replace(
    CAMPAIGN.swarm,
    kinds_on=1.0,
    budget=msgspec.structs.replace(CAMPAIGN.swarm.budget, faults=MOST_FAULTS),
)
HEAD: Final = """\
| mutant | seed | caught by | faults | operations | tasks | runs |
|---|---|---|---|---|---|---|"""

_ALONE: Final = frozenset(
    (ops.TASK, ops.NESTED, ops.BOOM, ops.CALL, ops.KEEP, ops.GIVE, ops.STREAM, ops.INNER, ops.THROUGH, ops.RELAY,
    ops.GROUP)
)  # fmt: skip
"""Operations that are one task, or one call of an actor."""


def tasks_of(program: Program) -> int:
    """How many tasks and calls of actors it is, constructors apart."""
    trees = [op for op in program if op.kind == ops.TREE]
    below = sum(op.count * (1 + op.count) if op.flag else op.count for op in trees)
    return sum(op.kind in _ALONE for op in program) + len(trees) + below


def failing(mutant: Mutant, target: ProtocolCampaign, seeds: range) -> Case | None:
    """The first run with many faults that passes as the protocol is, and fails without the safeguard."""
    watch, gone = Watch([mutant]), without(mutant)
    for seed in seeds:
        case = Case.sampled(target, SeededTape(seed), seed)
        if len(case.profile.faults) < LEAST_FAULTS:
            continue
        with watch.over() as arose:
            passes = run_guarded(target, case).ok
        if passes and arose:
            with gone:
                if not run_guarded(target, case).ok:
                    return case
    return None


def shrunk(mutant: Mutant, target: ProtocolCampaign, case: Case, seconds: float) -> Shrunk:
    with without(mutant):
        return Shrinker(target, case, run_guarded(target, case), seconds).run()


def report(mutants: Sequence[Mutant], seeds: range, seconds: float, folder: Path | None) -> None:
    """`folder`: where the shrunk failures go, each named for its mutant."""
    target = ProtocolCampaign(CAMPAIGN.operations, MANY_FAULTS)
    left: list[tuple[int, int, int]] = []
    print(HEAD)
    for mutant in mutants:
        case = failing(mutant, target, seeds)
        if case is None:
            print(f"| {mutant.name} | not found by {len(seeds)} seeds | | | | | |", flush=True)
            continue
        best = shrunk(mutant, target, case, seconds)
        smaller, verdict = best.case, best.verdict
        sizes = [
            (len(one.profile.faults), len(one.program), tasks_of(one.program))
            for one in (case, smaller)
        ]
        left.append(sizes[1])
        cells = " | ".join(f"{before} -> {after}" for before, after in zip(*sizes, strict=True))
        invariant = verdict.findings[0].invariant
        print(f"| {mutant.name} | {case.seed} | {invariant} | {cells} | {best.runs} |", flush=True)
        if folder is not None:
            bundle_of("", smaller, verdict).write(folder / f"{mutant.name}.json")
    if left:
        faults, operations, tasks = (median(column) for column in zip(*left, strict=True))
        print(f"median left: {faults:g} faults, {operations:g} operations, {tasks:g} tasks")

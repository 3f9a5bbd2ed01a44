"""Policies over the same scenarios and seeds: who does better, and how surely. Never prints: see report.comparison.

Every policy runs every seed, and a seed draws the same tasks at the same moments for all (common random numbers), so
that policies are compared run by run, with paired differences from the first one, the baseline. A policy is here
whatever contends: where tasks go, whose turn it is, or one of each (contenders).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Final

import msgspec

from raysim.journal import Journal, Level
from raysim.scenario.contenders import fields_of
from raysim.scenario.expression import Figure, Measure
from raysim.scenario.figures import SAMPLES
from raysim.scenario.loading import load_experiment
from raysim.scenario.pool import in_processes
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.samples import sample
from raysim.scenario.statistics import Interval, interval, paired
from raysim.scenario.task_records import Records

MEASURES: Final = (
    *("makespan_s", "mean(task_wait)", "p95(task_wait)", "mean(slowdown)"),
    *("utilisation", "failed"),
)
"""What is compared unless something else is asked for."""


class Plan(msgspec.Struct, frozen=True):
    """What is to be compared. The first policy is the baseline."""

    scenarios: tuple[str, ...]
    """Files."""
    policies: tuple[str, ...]
    """What is compared, as `contenders` reads it: `best_fit`, `sjf`, `best_fit + sjf`."""
    seeds: int = 20
    first: int = 0
    """Seed."""
    measures: tuple[str, ...] = MEASURES
    warm_up_s: float = 0.0
    """Tasks that came before are not counted in measures of tasks: until then the cluster fills."""

    def cells(self) -> Iterator[Cell]:
        """Every run, the policies of one seed side by side."""
        for scenario in self.scenarios:
            for seed in range(self.first, self.first + self.seeds):
                for policy in self.policies:
                    yield Cell(scenario, policy, seed)


class Cell(msgspec.Struct, frozen=True):
    """One run."""

    scenario: str
    policy: str
    seed: int


class Outcome(msgspec.Struct, frozen=True):
    """What one run came to: a value for each measure, None where it has none."""

    cell: Cell
    values: tuple[float | None, ...]


class Line(msgspec.Struct, frozen=True):
    """One measure of one policy in one scenario."""

    scenario: str
    measure: str
    policy: str
    runs: int
    """That have a value."""
    mean: Interval | None
    """None where no run has a value."""
    difference: Interval | None = None
    """From the baseline, over the seeds that have both; None for the baseline itself."""
    relative: float | None = None
    """That difference, as a share of the baseline's mean."""

    @property
    def shown(self) -> bool:
        """Whether the runs show a difference from the baseline."""
        return self.difference is not None and self.difference.excludes_zero


class Comparison(msgspec.Struct, frozen=True):
    """All runs of a plan, and what they say."""

    plan: Plan
    outcomes: tuple[Outcome, ...]

    def lines(self) -> Iterator[Line]:
        """By scenario, measure and policy, in the plan's order."""
        values = {
            (one.cell, measure): value
            for one in self.outcomes
            for measure, value in zip(self.plan.measures, one.values, strict=True)
        }
        seeds = range(self.plan.first, self.plan.first + self.plan.seeds)
        for scenario in self.plan.scenarios:
            for measure in self.plan.measures:
                columns = [
                    [values.get((Cell(scenario, policy, seed), measure)) for seed in seeds]
                    for policy in self.plan.policies
                ]
                for policy, column in zip(self.plan.policies, columns, strict=True):
                    yield _line(scenario, measure, policy, column, columns[0])


def check(plan: Plan) -> None:
    """Raises ScenarioError for a file, a policy or a measure that cannot be: before anything runs."""
    problems: list[Problem] = []
    for scenario in plan.scenarios:
        for policy in plan.policies:
            try:
                experiment = load_experiment(Path(scenario), **fields_of(policy))
            except ValueError as error:
                problems.append(Problem("--policy", None, str(error)))
            except ScenarioError as error:
                problems += [one for one in error.problems if one not in problems]
            else:
                if experiment.workflow is None:
                    what = "is a program: only scenarios of tasks and workflows can be compared"
                    problems.append(Problem(scenario, None, what))
    if problems:
        raise ScenarioError(dict.fromkeys(problems))


def compare(
    plan: Plan, jobs: int = 1, progress: Callable[[int, int], None] | None = None
) -> Comparison:
    """Run it all, over so many processes. `progress` is told (runs that ended, runs).

    Raises ScenarioError as `check` does, KeyboardInterrupt where a person ends it.
    """
    check(plan)
    cells = list(plan.cells())
    outcomes: dict[Cell, Outcome] = {}
    for _, outcome in in_processes(partial(run_cell, plan), cells, jobs):
        outcomes[outcome.cell] = outcome
        if progress is not None:
            progress(len(outcomes), len(cells))
    return Comparison(plan, tuple(outcomes[cell] for cell in cells))


def run_cell(plan: Plan, cell: Cell) -> Outcome:
    """One run on the simulator."""
    experiment = load_experiment(Path(cell.scenario), seed=cell.seed, **fields_of(cell.policy))
    run = run_workflow(experiment, RunOptions(journal=Journal(Level.NOTES)))
    measures = [Measure(text) for text in plan.measures]
    figures: dict[str, Figure] = msgspec.structs.asdict(run.summary)
    for name in {name for one in measures for name in one.names if name in SAMPLES}:
        values = sample(name, run.records)
        figures[name] = _warm(name, values, run.records, plan.warm_up_s)
    return Outcome(cell, tuple(one.value(figures) for one in measures))


def _warm(
    name: str, values: Sequence[float], records: Records, warm_up_s: float
) -> Sequence[float]:
    """Of the tasks that came after the warm-up. A sample has a value for each task that completed."""
    if not warm_up_s:
        return values
    spans = zip(records.submitted_s, records.start_s, records.end_s, strict=True)
    came = [at for at, start, end in spans if (end > start if name == "slowdown" else end == end)]
    return [value for at, value in zip(came, values, strict=True) if at >= warm_up_s]


def _line(
    scenario: str,
    measure: str,
    policy: str,
    column: Sequence[float | None],
    baseline: Sequence[float | None],
) -> Line:
    rng = Random(f"{scenario}/{measure}/{policy}")
    values = [value for value in column if value is not None]
    if not values:
        return Line(scenario, measure, policy, 0, None)
    mean = interval(values, rng)
    both = [
        (one, other)
        for one, other in zip(column, baseline, strict=True)
        if one is not None and other is not None
    ]
    if column is baseline or not both:
        return Line(scenario, measure, policy, len(values), mean)
    difference = paired([one for one, _ in both], [other for _, other in both], rng)
    base = fmean(other for _, other in both)
    relative = difference.mean / abs(base) if base else None
    return Line(scenario, measure, policy, len(values), mean, difference, relative)

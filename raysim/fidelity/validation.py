"""The same experiment simulated and on real processes, and how far apart they are. Never prints."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, median

from raysim.scenario.loading import Experiment
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.programs import run_experiment
from raysim.scenario.running import Run, RunOptions
from raysim.scenario.samples import sample

POINTS = 200
"""Quantiles at which two distributions are compared, at most."""


@dataclass(frozen=True)
class Validated:
    """One experiment, in seconds of its own time."""

    name: str
    time_scale: float
    simulated_s: float
    measured_s: tuple[float, ...]
    """Of each real run."""
    tasks: int
    task_time_error: float
    """Between the distributions of what tasks took from submission to end, as a part of their mean."""

    @property
    def real_s(self) -> float:
        return median(self.measured_s)

    @property
    def error(self) -> float:
        """Of the makespan, signed: above 0 where the simulator says more than it takes."""
        return (self.simulated_s - self.real_s) / self.real_s

    @property
    def spread(self) -> float:
        """Between the real runs themselves."""
        return (max(self.measured_s) - min(self.measured_s)) / self.real_s


def validated(experiment: Experiment, seconds: float, runs: int) -> Validated:
    """Run it once in virtual time and `runs` times in real time.

    A workflow's durations are scaled so that it takes about `seconds`, if it would take longer. Raises ScenarioError.
    """
    _check(experiment)
    scale = _scale(experiment, seconds)
    simulated = _run(experiment, "sim", scale)
    real = [_run(experiment, "cluster", scale) for _ in range(runs)]
    ordered = sorted(real, key=_makespan)
    return Validated(
        name=experiment.name,
        time_scale=scale,
        simulated_s=_makespan(simulated),
        measured_s=tuple(_makespan(one) for one in real),
        tasks=simulated.summary.tasks,
        task_time_error=distance(_task_times(simulated), _task_times(ordered[len(ordered) // 2])),
    )


def distance(one: Sequence[float], other: Sequence[float]) -> float:
    """Between two samples: the area between their quantile functions, by the mean of the other.

    That is the first Wasserstein distance; 0 where both are alike, 0.1 where one is the other times 1.1.
    """
    mean = fmean(other)
    if not mean:
        return 0.0
    points = min(POINTS, max(len(one), len(other)))
    at = [(index + 0.5) / points for index in range(points)]
    pairs = zip(_quantiles(one, at), _quantiles(other, at), strict=True)
    return fmean(abs(here - there) for here, there in pairs) / mean


def _quantiles(values: Sequence[float], at: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    ranks = [(index + 1) / len(ordered) for index in range(len(ordered))]
    return [ordered[min(bisect_left(ranks, share), len(ordered) - 1)] for share in at]


def _check(experiment: Experiment) -> None:
    if experiment.scenario.faults:
        what = "has faults: what they change depends on when they strike, to the millisecond; validate it without"
        raise ScenarioError([Problem(str(experiment.file), None, what)])


def _scale(experiment: Experiment, seconds: float) -> float:
    bound_ns = experiment.expected_makespan_ns
    if bound_ns is None:
        return 1.0  # A program's durations are its own.
    return min(1.0, seconds * 1e9 / bound_ns)


def _run(experiment: Experiment, backend: str, scale: float) -> Run:
    ended = run_experiment(experiment, RunOptions(backend=backend, time_scale=scale))
    summary = ended.run.summary
    if ended.status or summary.failed or summary.makespan_s is None:
        what = (
            f"did not end well on {backend}: {summary.failed} tasks failed, status {ended.status}"
        )
        raise ScenarioError([Problem(str(experiment.file), None, what)])
    return ended.run


def _makespan(run: Run) -> float:
    assert run.summary.makespan_s is not None
    return run.summary.makespan_s


def _task_times(run: Run) -> Sequence[float]:
    return sample("task_time", run.records)

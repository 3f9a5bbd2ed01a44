"""C. Sparrow: Ousterhout et al., SOSP 2013, Figure 3, at 80 % load

Jobs of 100 tasks of one exponential duration come to workers with four slots and a queue each. The published
figures are those of the steady state. With random placement a worker takes 2.2 s to forget where it began, so
the 3.1 s of 10,000 jobs on 10,000 workers would end before, and show 540 ms: here 1,000 workers run half as many
jobs, for 15.6 s, and the first half is left out. Queues that are probed settle in less than a second.

Gaps and durations are stratified, or the work that happens to come in such a time would differ by 3 %, and the
response to it by 15 %. Messages take no time: a worker's slot has none to pay for in the model, and a lease would.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from math import log
from pathlib import Path
from random import Random
from statistics import fmean
from typing import Final

from bench.paper import arrivals
from bench.paper.row import Row, ordered, within
from raysim.journal import TaskEnded

WORKERS: Final = 1_000
SLOTS: Final = 4
TASKS: Final = 100
"""Of a job."""
JOBS: Final = {"random_queue": 5_000}
"""Of the others 1,500."""
LOAD: Final = 0.8
MEAN_S: Final = 0.1
"""Of a job's duration."""
LEFT_OUT_S: Final = {"random_queue": 8.0}
"""Of the others 1 s."""
STRATA: Final = 50

RANDOM, PER_TASK, BATCH, LATE, OMNISCIENT = (
    "random_queue",
    "power_of_d(d=2)",
    "batch_sampling(ratio=2)",
    "late_binding(ratio=2)",
    "omniscient",
)


def rows(data: Path) -> Iterator[Row]:
    mean_ms = {}
    for policy in (RANDOM, PER_TASK, BATCH, LATE, OMNISCIENT):
        mean_ms[policy] = response_ms(policy)
        yield _row(policy, mean_ms)
    found = list(mean_ms.items())
    for (slower, more), (faster, less) in pairwise(found):
        yield ordered(f"{slower} over {faster}", more, less)


def _row(policy: str, mean_ms: dict[str, float]) -> Row:
    """Some are published as a share of another, which is the one measured here."""
    figure, measured = f"mean job response in ms, {policy}", mean_ms[policy]
    if policy == RANDOM:
        return within(figure, 684, measured, 0.05 * 684)
    if policy == OMNISCIENT:
        return within(figure, 101, measured, 0.2 * 101)
    if policy == LATE:
        return Row(figure, mean_ms[BATCH], measured, 0, mean_ms[BATCH], "below batch sampling")
    if policy == BATCH:
        published, note = 0.73 * mean_ms[PER_TASK], "0.73 of per-task sampling"
    else:
        published, note = mean_ms[RANDOM] / 3, "a third of random placement"
    return within(figure, published, measured, 0.2 * published, note)


def jobs(count: int) -> Iterator[arrivals.Job]:
    """The same for each policy, but for how many."""
    rng, at_s = Random("sparrow"), 0.0
    gaps = exponential(TASKS * MEAN_S / (LOAD * WORKERS * SLOTS), rng)
    durations = exponential(MEAN_S, rng)
    for number in range(count):
        at_s += next(gaps)
        lasts_ns = round(next(durations) * arrivals.SECOND_NS)
        yield arrivals.Job(at_s, str(number), TASKS, lasts_ns)


def exponential(mean: float, rng: Random) -> Iterator[float]:
    """Stratified: one of each fiftieth of the distribution, in random order, and so on."""
    while True:
        for stratum in rng.sample(range(STRATA), STRATA):
            yield -mean * log(1 - (stratum + rng.random()) / STRATA)


def response_ms(policy: str) -> float:
    """Mean time from a job's submission to the end of its last task."""
    came: dict[str, int] = {}
    ended: dict[str, int] = {}

    def told(note: TaskEnded) -> None:
        came.setdefault(note.name, note.submitted_ns)
        ended[note.name] = max(ended.get(note.name, 0), note.end_ns)

    arrivals.run(
        WORKERS,
        SLOTS,
        policy,
        jobs(JOBS.get(policy, 1_500)),
        told,
        seed=1,
        fresh=policy == OMNISCIENT,
    )
    begun = min(came.values()) + LEFT_OUT_S.get(policy, 1.0) * arrivals.SECOND_NS
    return fmean((ended[one] - at) / 1e6 for one, at in came.items() if at >= begun)

"""Backfilling on a published log: HPC2N, 240 processors, arrivals compressed

Parallel Workloads Archive (Ake Sandgren): the first 3,170 jobs, of which it is known of 3,145 how long they ran. One
node; backfilling goes by the times that users requested, which one job in ten exceeds. The order is the one that
Mu'alem and Feitelson (IEEE TPDS 12(6), 2001) and many since found: backfilling has a far smaller bounded slowdown
(of at least 10 s) than first come, first served.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from bench.paper.row import Row, exact, ordered
from raysim.scenario.loading import parse_scenario
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.samples import sample

LOG = "swf/HPC2N-2002-2.2-first3171.swf"
JOBS = 3_145
SPEEDUPS = (1.5, 2.0)
SCENARIO = """
cluster: {{cpus: 240, network: free}}
queue: {queue}
workload: {{kind: trace, format: swf, file: {file}, speedup: {speedup}}}
"""


def rows(data: Path) -> Iterator[Row]:
    """Raises FileNotFoundError where the log is not there."""
    file = (data / LOG).resolve(strict=True)
    for speedup in SPEEDUPS:
        slowdown = {queue: _slowdown(queue, file, speedup) for queue in ("fcfs", "easy")}
        told = ", ".join(f"{queue} {value:.1f}" for queue, (_, value) in slowdown.items())
        for queue, (ended, _) in slowdown.items():
            yield exact(f"jobs that end under {queue}, arrivals x{speedup:g}", JOBS, ended)
        figure = f"mean bounded slowdown, fcfs over easy, arrivals x{speedup:g}"
        yield ordered(figure, slowdown["fcfs"][1], slowdown["easy"][1], f"above 1: {told}")


def _slowdown(queue: str, file: Path, speedup: float) -> tuple[int, float]:
    """Jobs that ended, and the mean of their bounded slowdowns."""
    text = SCENARIO.format(queue=queue, file=file, speedup=speedup)
    run = run_workflow(parse_scenario(text, Path("hpc2n.yaml")), RunOptions())
    values = sample("bounded_slowdown", run.records)
    return run.summary.tasks - run.summary.failed, sum(values) / len(values)

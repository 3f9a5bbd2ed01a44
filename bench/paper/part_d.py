"""Part D: GPU fragmentation, FGD and five other policies on Alibaba's trace (Weng et al., USENIX ATC 2023)

Pods come one by one to 1,213 machines with 6,212 GPUs, until they ask for 130 % of these: Figures 7 and 9 of the
paper (`default`) and 11 (`gpushare100`: all pods with a GPU take a share of one), as percent of all GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from statistics import mean, stdev
from typing import Final

from bench.paper.openb import Filled, fill
from bench.paper.row import Row, ordered, within
from raysim.scenario.traces.openb import read_openb, read_openb_nodes

TOLERANCE = 1.0
"""Points."""

FIRST_SEED = 42
"""As the authors' first."""

MARKS: Final = (100, 130)

PUBLISHED: Final[Mapping[str, tuple[float, float, float, float]]] = {
    "random": (86.30, 87.47, 13.49, 78.9),
    "gpu_dot_product": (90.62, 90.85, 9.30, 82.0),
    "gpu_clustering": (91.65, 91.88, 8.21, 82.2),
    "gpu_packing": (91.78, 92.00, 8.13, 82.1),
    "gpu_best_fit": (92.86, 93.08, 7.05, 84.6),
    "fgd": (95.23, 95.39, 4.73, 86.6),
}
"""Allocated when 100 and 130 % have arrived, fragmented at 100; allocated at 100 of gpushare100. Means of 10 seeds."""

ORDER: Final = ("fgd", "gpu_best_fit", "gpu_dot_product", "random")
"""Best first."""

SEEDS: Final = {"default": 10, "gpushare100": 2}
"""Runs of each policy. The authors' figures of gpushare100 differ by 0.5 between seeds at most."""


def rows(data: Path) -> Iterator[Row]:
    allocated: dict[str, float] = {}
    for policy, (at_100, at_130, fragmented, shared) in PUBLISHED.items():
        runs = _runs(data, "default", policy)
        allocated[policy] = mean(run.allocated[100] for run in runs)
        yield _row(f"{policy}: allocated at 100 %", at_100, [run.allocated[100] for run in runs])
        yield _row(f"{policy}: allocated at 130 %", at_130, [run.allocated[130] for run in runs])
        lost = [run.fragmented[100] for run in runs]
        yield _row(f"{policy}: fragmented at 100 %", fragmented, lost)
        runs = _runs(data, "gpushare100", policy)
        some = [run.allocated[100] for run in runs]
        yield _row(f"{policy}: allocated at 100 %, gpushare100", shared, some)
    for better, worse in pairwise(ORDER):
        yield ordered(f"{better} above {worse}", allocated[better], allocated[worse])


def _runs(data: Path, workload: str, policy: str) -> list[Filled]:
    folder = data / "openb-gpu"
    machines, trace = (
        folder / "openb_node_list_all_node.csv",
        folder / f"openb_pod_list_{workload}.csv",
    )
    trace.stat()  # Raises where it is not there.
    with_gpus = [one for one in read_openb_nodes(machines) if one.gpus]
    pods = list(read_openb(trace))
    seeds = range(FIRST_SEED, FIRST_SEED + SEEDS[workload])
    return [fill(with_gpus, pods, policy, seed, MARKS) for seed in seeds]


def _row(figure: str, published: float, measured: list[float]) -> Row:
    note = f"{len(measured)} seeds, deviation {stdev(measured):.2f}"
    return within(figure, published, mean(measured), TOLERANCE, note)

"""A. HEFT and CPOP, exact: Topcuoglu, Hariri, Wu, IEEE TPDS 13(3), 2002, Figures 2 and 3

The plan is followed by the real protocol on the simulator: each processor is a node with a core, each edge
an object that moves for as long as the paper says, and messages take no time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from bench.paper.row import Row, exact
from raysim.scenario.loading import load_experiment
from raysim.scenario.model import Cluster, Network
from raysim.scenario.running import RunOptions, run_workflow

CLUSTER = Cluster(
    nodes=3,
    cpus=1,
    network=Network.model_validate(
        {
            "latency": "0s",
            "local_latency": "0s",
            "bandwidth": "1MB/s",
            "worker_start": "0s",
            "shared": False,
        }
    ),
)


def rows(data: Path) -> Iterator[Row]:
    file = data / "heft" / "topcuoglu2002.json"
    published = json.loads(file.read_text("utf-8"))
    for name, expected in published["expected"].items():
        experiment = load_experiment(file, cluster=CLUSTER, policy=name.lower())
        run = run_workflow(experiment, RunOptions())
        assert run.summary.makespan_s is not None, f"{name}: no task ended"
        yield exact(f"{name}: makespan", expected["makespan"], run.summary.makespan_s)
        for record in run.records:
            processor, start, end = expected["schedule"][record.id]
            assert record.ran is not None, f"{name}: task {record.id} failed: {record.error}"
            yield exact(f"{name}: task {record.id} starts", start, record.ran.start_s)
            yield exact(f"{name}: task {record.id} ends", end, record.ran.end_s)
            node = int((record.node or "").removeprefix("node-")) + 1
            yield exact(f"{name}: processor of task {record.id}", int(processor[1:]), node)

"""Microsoft's Philly trace of deep learning jobs, flattened to CSV. Never models their gangs: a job is one task.

Jeon et al., "Analysis of Large-Scale Multi-Tenant GPU Clusters for DNN Training Workloads", USENIX ATC 2019. Columns
`timestamp, duration, num_gpus, gpu_time, cluster`: seconds; `cluster` is the virtual cluster, which is the queue here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.rows import rows_of
from raysim.scenario.traces.task import TraceTask


def read_philly(file: Path, _: TraceWorkload) -> Iterator[TraceTask]:
    """Its jobs in the file's order, which is not that of their arrival."""
    for row in rows_of(file, "timestamp", "duration", "num_gpus", "cluster"):
        yield TraceTask(
            id=f"job_{row.line - 1}",
            submit_s=row.moment_s("timestamp"),
            duration_s=row.number("duration"),
            gpus=row.number("num_gpus"),
            queue=row.text("cluster"),
        )

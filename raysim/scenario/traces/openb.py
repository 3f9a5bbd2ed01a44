"""Alibaba's trace of a cluster that shares GPUs: pods as tasks, and its machines. Never says what runs where.

Weng et al., "Beware of Fragmentation", USENIX ATC 2023 (hkust-adsl/kubernetes-scheduler-simulator). Columns of pods:
`name, cpu_milli, memory_mib, num_gpu, gpu_milli` (of each GPU), `gpu_spec` (models, as `A|B`), `qos, creation_time,
deletion_time, scheduled_time` (seconds). Of nodes: `sn, cpu_milli, memory_mib, gpu, model`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.rows import Row, rows_of
from raysim.scenario.traces.task import TraceTask

MIB = 1 << 20
MILLI = 1_000

_PODS = ("name", "cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "qos")
_TIMES = ("creation_time", "deletion_time", "scheduled_time")


class Machine(msgspec.Struct, frozen=True):
    """A node as the list has it. Memory in bytes."""

    name: str
    cpus: float
    gpus: int
    memory: int
    model: str
    """Of its GPUs; empty: it has none."""


def read_openb(file: Path, _: TraceWorkload | None = None) -> Iterator[TraceTask]:
    """Its pods in the file's order, which is that of their creation."""
    for row in rows_of(file, *_PODS, *_TIMES):
        created_s = row.number("creation_time")
        yield TraceTask(
            id=row.text("name"),
            submit_s=created_s,
            duration_s=_ran_s(row, created_s),
            cpus=row.number("cpu_milli") / MILLI,
            gpus=row.number("num_gpu") * row.number("gpu_milli") / MILLI,
            gpu_models=tuple(filter(None, row.text("gpu_spec").split("|"))),
            memory=round(row.number("memory_mib") * MIB),
            queue=row.text("qos"),
        )


def read_openb_nodes(file: Path) -> Iterator[Machine]:
    """Its machines in the file's order."""
    for row in rows_of(file, "sn", "cpu_milli", "memory_mib", "gpu", "model"):
        yield Machine(
            name=row.text("sn"),
            cpus=row.number("cpu_milli") / MILLI,
            gpus=round(row.number("gpu")),
            memory=round(row.number("memory_mib") * MIB),
            model=row.text("model"),
        )


def _ran_s(row: Row, created_s: float) -> float:
    """From when it was placed, or, where it never was, from when it came."""
    ended_s = row.number("deletion_time")
    return max(0.0, ended_s - row.number("scheduled_time", default=created_s))

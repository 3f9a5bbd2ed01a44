"""Logs of parallel machines in the Standard Workload Format, version 2.2. Never models their own scheduler.

Feitelson's Parallel Workloads Archive (https://www.cs.huji.ac.il/labs/parallel/workload/swf.html): a line for each job,
18 numbers, -1 where one is not known; comments begin with `;`. A job is one task on as many cores as it had
processors, so it is replayed on one node. One of which it is not known how long it ran, or on how many, is left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from raysim.scenario.problems import Place, Problem, ScenarioError
from raysim.scenario.trace_model import TraceWorkload
from raysim.scenario.traces.rows import lines_of
from raysim.scenario.traces.task import TraceTask

FIELDS: Final = (
    *("job", "submit", "wait", "run", "processors", "cpu_time", "memory"),
    *("requested_processors", "requested_time", "requested_memory", "status"),
    *("user", "group", "executable", "queue", "partition", "preceding", "think_time"),
)
"""In the words of the format, in its order."""

_UNKNOWN: Final = -1.0
_KIB: Final = 1024


def read_swf(file: Path, _: TraceWorkload) -> Iterator[TraceTask]:
    """Its jobs in the file's order. Raises ScenarioError at the first line that is of another format."""
    for number, line in lines_of(file):
        text = line.strip()
        if text and not text.startswith(";"):
            task = _task(_job(file, number, text))
            if task is not None:
                yield task


def _job(file: Path, number: int, text: str) -> dict[str, float]:
    words = text.split()
    if len(words) != len(FIELDS):
        what = f"a job has {len(FIELDS)} fields, this line has {len(words)}"
        raise ScenarioError([Problem(str(file), Place(number, 1), what)])
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise ScenarioError([Problem(str(file), Place(number, 1), str(error))]) from None
    return dict(zip(FIELDS, values, strict=True))


def _task(job: dict[str, float]) -> TraceTask | None:
    processors = _known(job, "processors", "requested_processors")
    if processors <= 0 or job["run"] < 0 or job["submit"] < 0:
        return None
    requested_s = job["requested_time"]
    memory = _known(job, "requested_memory", "memory")
    return TraceTask(
        id=f"job_{job['job']:.0f}",
        submit_s=job["submit"],
        duration_s=job["run"],
        cpus=processors,
        memory=round(max(0.0, memory) * _KIB * processors),
        requested_s=None if requested_s < 0 else requested_s,
        user=_name("user", job),
        group=_name("group", job),
        queue=_name("queue", job),
    )


def _known(job: dict[str, float], *fields: str) -> float:
    """The first of them that is."""
    return next((job[field] for field in fields if job[field] > 0), _UNKNOWN)


def _name(field: str, job: dict[str, float]) -> str:
    return "" if job[field] < 0 else f"{field}_{job[field]:.0f}"

"""A graph of a given shape as a workflow; what each task costs is drawn. Never what shapes there are: see shapes."""

from __future__ import annotations

from random import Random

from raysim.scenario.distributions import Distribution
from raysim.scenario.model import GraphWorkload
from raysim.scenario.workflow import Workflow, WorkflowFile, WorkflowTask
from raysim.spec.units import NANOSECONDS


class Shaped(Workflow):
    """Each task leaves one result, which those after it read. What is random of it follows the seed."""

    def __init__(self, workload: GraphWorkload, seed: int = 0) -> None:
        drawn = workload.shape.draw(_stream(seed, "shape"))
        width = len(str(len(drawn) - 1))
        ids = [f"{one.name}_{at:0{width}d}" for at, one in enumerate(drawn)]
        durations, cores = _stream(seed, "durations"), _stream(seed, "cpus")
        size = workload.result_size
        tasks = [
            WorkflowTask(
                id=ids[at],
                name=one.name,
                runtime_s=_of(workload.duration, durations) / NANOSECONDS["s"],
                cores=_of(workload.cpus, cores),
                parents=tuple(ids[parent] for parent in one.parents),
                inputs=tuple(_result(ids[parent]) for parent in one.parents) if size else (),
                outputs=(_result(ids[at]),) if size else (),
            )
            for at, one in enumerate(drawn)
        ]
        files = [WorkflowFile(_result(task), size) for task in ids] if size else []
        super().__init__("graph", tasks, files)


def _result(task: str) -> str:
    return f"{task}.result"


def _of(what: float | Distribution, rng: Random) -> float:
    return what if isinstance(what, (int, float)) else what.sample(rng)


def _stream(seed: int, of: str) -> Random:
    return Random(f"{seed}/workload/{of}")

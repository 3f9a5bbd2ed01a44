"""A table of runtimes by processor, as papers on scheduling print their examples -> Workflow. Never guesses at units.

A runtime of 1 is a second, and what moves along an edge takes so long at 1 MB/s: on a network with
`bandwidth: 1MB/s`, `latency: 0s` and `shared: false` it is what the paper means. The processors are the
nodes of the cluster, in their order.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, Strict

from raysim.scenario.document import Document
from raysim.scenario.part import Part
from raysim.scenario.problems import Problem, ScenarioError, nearest
from raysim.scenario.validation import validate
from raysim.scenario.workflow import CycleError, Workflow, WorkflowFile, WorkflowTask

COSTS: Final = "cost_per_processor"
"""The key that tells such a file from WfFormat."""

EDGES: Final = "edges_from_to_commcost_if_on_different_processors"

BYTES: Final = 1_000_000
"""That move in a second."""


class Matrix(Part):
    processors: list[str]
    cost_per_processor: dict[str, list[float]]
    edges: list[Annotated[tuple[str | int, str | int, float], Strict(False)]] = Field(alias=EDGES)


def is_matrix(data: Any) -> bool:
    return isinstance(data, dict) and COSTS in data


def read_matrix(document: Document, name: str) -> Workflow:
    """The workflow in this document. Raises ScenarioError with every problem and its place."""
    matrix = validate(Matrix, document, open_ended=True)
    problems = [*_wrong_rows(document, matrix), *_wrong_edges(document, matrix)]
    if problems:
        raise ScenarioError(problems)
    files = {(str(a), str(b)): f"{a}-{b}" for a, b, _ in matrix.edges}
    tasks = [
        WorkflowTask(
            id=task,
            name=f"task_{task}",
            runtime_s=min(row),
            parents=tuple(a for a, b in files if b == task),
            inputs=tuple(file for (_, b), file in files.items() if b == task),
            outputs=tuple(file for (a, _), file in files.items() if a == task),
            runtimes_s=tuple(row),
        )
        for task, row in matrix.cost_per_processor.items()
    ]
    sizes = [WorkflowFile(f"{a}-{b}", round(cost * BYTES)) for a, b, cost in matrix.edges]
    try:
        return Workflow(name, tasks, sizes)
    except CycleError as error:
        raise ScenarioError([document.problem((EDGES,), str(error))]) from None


def _wrong_rows(document: Document, matrix: Matrix) -> list[Problem]:
    wanted = len(matrix.processors)
    return [
        document.problem(
            (COSTS, task),
            f"task {task!r} has {len(row)} runtimes, and there are {wanted} processors",
        )
        for task, row in matrix.cost_per_processor.items()
        if len(row) != wanted
    ]


def _wrong_edges(document: Document, matrix: Matrix) -> list[Problem]:
    known = matrix.cost_per_processor
    return [
        document.problem(
            (EDGES, index, at), f"there is no task {str(task)!r}", nearest(str(task), known)
        )
        for index, edge in enumerate(matrix.edges)
        for at, task in enumerate(edge[:2])
        if str(task) not in known
    ]

"""A run -> files from which the same workload runs again, on other nodes or under another policy. Never runs it.

A workflow becomes one in WfFormat, with the runtimes that its tasks had. Anything else becomes a trace: each task
comes when it came, whatever it waited for then, and takes as long as it took; a call of an actor is a task as well.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from math import isnan
from pathlib import Path
from typing import Any, Final

from raysim.scenario.model import NodeGroup
from raysim.scenario.problems import Problem, ScenarioError
from raysim.scenario.running import Run
from raysim.scenario.workflow import Workflow

_COLUMNS: Final = ("id", "submit_s", "duration_s", "cpus", "gpus", "memory", "user", "stage")
_TRACE: Final = """\
workload:
  kind: trace
  format: csv
  file: {file}
  columns: {{id: id, submit: submit_s, duration: duration_s, cpus: cpus, gpus: gpus, memory: memory, user: user}}
"""
_WORKFLOW: Final = """\
workload:
  kind: workflow
  file: {file}
"""


def check_recording(scenario: Path) -> None:
    """Raises ScenarioError where no recording can be left under this name."""
    if scenario.suffix.lower() not in (".yaml", ".yml"):
        what = f"a recording is a scenario, so its name ends in .yaml, not in {scenario.suffix!r}"
        raise ScenarioError([Problem(f"--record {scenario}", None, what)])
    if not scenario.parent.is_dir():
        what = f"cannot be written: there is no folder {str(scenario.parent)!r}"
        raise ScenarioError([Problem(f"--record {scenario}", None, what)])


def write_recording(run: Run, scenario: Path) -> None:
    """The scenario, and beside it the workload that it names. Raises OSError where they cannot be written."""
    workflow = run.experiment.workflow
    if workflow is not None and workflow.edges:
        beside = scenario.with_suffix(".json")
        beside.write_text(json.dumps(_document(run, workflow), indent=1) + "\n", encoding="utf-8")
        workload = _WORKFLOW
    else:
        beside = scenario.with_suffix(".csv")
        with beside.open("w", newline="", encoding="utf-8") as stream:
            rows = csv.writer(stream)
            rows.writerow(_COLUMNS)
            rows.writerows(_rows(run))
        workload = _TRACE
    lines = [
        f"# Recorded: {run.summary.command}",
        *_cluster(run),
        workload.format(file=json.dumps(beside.name)),
    ]
    scenario.write_text("\n".join(lines), encoding="utf-8")


def _cluster(run: Run) -> Iterator[str]:
    """The nodes at the start. Links, growth, faults and what was expected are of that run, not of its workload."""
    yield "cluster:"
    yield "  nodes:"
    for group in run.experiment.scenario.cluster.groups():
        said = group.model_dump(include=group.model_fields_set & set(NodeGroup.model_fields))
        yield f"    - {json.dumps({'count': group.count, 'cpus': group.cpus} | said)}"


def _rows(run: Run) -> Iterator[tuple[object, ...]]:
    """Of the tasks that completed: of others nobody knows how long they take."""
    workflow = run.experiment.workflow
    asked = workflow.order if workflow is not None else None
    users = workflow.users if workflow is not None else None
    for index, record in enumerate(run.records):
        if record.ran is None:
            continue
        gpus, memory = (asked[index].gpus, asked[index].memory) if asked is not None else (0, 0)
        user = users[index] if users is not None else ""
        yield (
            *(record.id, f"{record.submitted_s:.9g}", f"{record.ran.length_s:.9g}"),
            *(f"{record.cores:g}", f"{gpus:g}", memory, user, record.name),
        )


def _document(run: Run, workflow: Workflow) -> dict[str, Any]:
    """In WfFormat 1.5."""
    ran = zip(workflow.order, run.records.start_s, run.records.end_s, strict=True)
    took = {
        task.id: task.runtime_s if isnan(end_s) else round(end_s - start_s, 9)
        for task, start_s, end_s in ran
    }
    return {
        "name": workflow.name,
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    {
                        "id": task.id,
                        "name": task.name,
                        "parents": list(task.parents),
                        "children": [],
                        "inputFiles": list(task.inputs),
                        "outputFiles": list(task.outputs),
                    }
                    for task in workflow.order
                ],
                "files": [
                    {"id": file.id, "sizeInBytes": file.size_bytes}
                    for file in workflow.files.values()
                ],
            },
            "execution": {
                "tasks": [
                    {"id": task.id, "runtimeInSeconds": took[task.id], "coreCount": task.cores}
                    for task in workflow.order
                ]
            },
        },
    }

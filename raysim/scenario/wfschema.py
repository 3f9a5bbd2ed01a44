"""The parts of WfFormat that are read, as pydantic models. Never relates one name to another.

Field names are the format's own. Keys that are not read are listed too, so that a misspelled
`coreCount` is told apart from a key that somebody added.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(min_length=1)]
Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Cores = Annotated[float, Field(ge=1, allow_inf_nan=False)]
Size = Annotated[int, Field(ge=0)]


class Strict(BaseModel):
    """No value is converted: `"5"` is not a number."""

    model_config = ConfigDict(strict=True)


class Header(Strict):
    """What every version has."""

    name: Name
    schemaVersion: str
    workflow: dict[str, Any]
    description: Any = None
    createdAt: Any = None
    author: Any = None
    runtimeSystem: Any = None
    wms: Any = None


class FileOf15(Strict):
    """A file of the specification."""

    id: Name
    sizeInBytes: Size


class TaskOf15(Strict):
    """A task of the specification."""

    id: Name
    name: Name
    parents: list[Name]
    children: list[Name]
    inputFiles: list[Name] = []
    outputFiles: list[Name] = []


class Specification(Strict):
    """Tasks, edges and files, whatever machines they ran on."""

    tasks: Annotated[list[TaskOf15], Field(min_length=1)]
    files: list[FileOf15] = []


class ExecutedTask(Strict):
    """How a task of the specification ran."""

    id: Name
    runtimeInSeconds: Seconds
    coreCount: Cores = 1
    executedAt: Any = None
    command: Any = None
    avgCPU: Any = None
    readBytes: Any = None
    writtenBytes: Any = None
    memoryInBytes: Any = None
    energyInKWh: Any = None
    avgPowerInW: Any = None
    priority: Any = None
    machines: Any = None


class Execution(Strict):
    """One execution of the workflow; its makespan includes overhead and is not read."""

    tasks: Annotated[list[ExecutedTask], Field(min_length=1)]
    makespanInSeconds: Any = None
    executedAt: Any = None
    machines: Any = None


class BodyOf15(Strict):
    """What runs, and how it ran."""

    specification: Specification
    execution: Execution


class FlowOf15(Header):
    """A whole file of WfFormat 1.5 or 1.6."""

    workflow: BodyOf15  # type: ignore[assignment]  # Header reads it as any mapping.


class FileOf14(Strict):
    """A file as one task uses it."""

    name: Name
    sizeInBytes: Size
    link: Literal["input", "output"]


class TaskOf14(Strict):
    """A task with its run."""

    name: Name
    runtimeInSeconds: Seconds
    id: Name | None = None
    type: Literal["compute", "transfer", "auxiliary"] = "compute"
    parents: list[Name] = []
    children: list[Name] = []
    files: list[FileOf14] = []
    cores: Cores = 1
    category: Any = None
    command: Any = None
    avgCPU: Any = None
    readBytes: Any = None
    writtenBytes: Any = None
    memoryInBytes: Any = None
    energy: Any = None
    avgPower: Any = None
    priority: Any = None
    machine: Any = None
    program: Any = None
    arguments: Any = None


class BodyOf14(Strict):
    """What ran."""

    tasks: Annotated[list[TaskOf14], Field(min_length=1)]
    makespanInSeconds: Any = None
    executedAt: Any = None
    machines: Any = None


class FlowOf14(Header):
    """A whole file of WfFormat 1.4."""

    workflow: BodyOf14  # type: ignore[assignment]  # Header reads it as any mapping.

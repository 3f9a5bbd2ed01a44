"""Which backend performs which fault, and why another one cannot. Never performs one."""

from __future__ import annotations

from typing import Final

from raysim.faults.kinds import FAULTS
from raysim.faults.links import (
    Bandwidth,
    Delay,
    Duplication,
    FailRpc,
    Loss,
    Partition,
    Reordering,
)
from raysim.faults.machines import (
    ClockJump,
    ClockSkew,
    LoseGcsCommit,
    NoCapacity,
    SlowDisk,
    SlowStart,
    TearGcsCommit,
    WorkerOutOfMemory,
)
from raysim.faults.model import Fault
from raysim.faults.processes import (
    CrashConstructor,
    FailConstructor,
    KillNode,
    PauseNode,
    PauseRaylet,
    RestartGcs,
    SlowNode,
)

SIM: Final = "sim"
CLUSTER: Final = "cluster"
RAY: Final = "ray"
BACKENDS: Final = (SIM, CLUSTER, RAY)

_ONE_STREAM: Final = "processes talk over sockets, one stream in order each: no message is lost, doubled or overtaken"
_CONSTRUCTORS: Final = (
    "nobody counts the constructors of all its processes; have the constructor raise or exit itself"
)
_ONE_CLOCK: Final = "all processes of a machine have one clock, which is not the cluster's to set"
_KERNEL_LINKS: Final = "the links are the kernel's; `delay` slows what arrives"
_NO_PROVIDER: Final = "it asks no provider for machines"

_NOT_ON_CLUSTER: Final[dict[type[Fault], str]] = {
    SlowNode: "the system shares out its processors; `pause_node` stops a node for a while",
    FailConstructor: _CONSTRUCTORS,
    CrashConstructor: _CONSTRUCTORS,
    Bandwidth: _KERNEL_LINKS,
    Loss: _KERNEL_LINKS,
    Duplication: _ONE_STREAM,
    Reordering: _ONE_STREAM,
    FailRpc: _ONE_STREAM,
    TearGcsCommit: "SQLite has a batch of rows on disk as a whole, or not at all",
    ClockSkew: _ONE_CLOCK,
    ClockJump: _ONE_CLOCK,
    NoCapacity: _NO_PROVIDER,
    SlowStart: "a process starts as fast as its machine lets it",
}

ON_CLUSTER: Final[dict[type[Fault], str]] = {
    KillNode: "A SIGKILL: peers see their connections break at once.",
    PauseNode: "SIGSTOP for all its processes but a driver, which is the user's.",
    PauseRaylet: "The head's is the GCS as well, unless a fault of the run strikes the GCS.",
    RestartGcs: "A SIGKILL, and another process on the same tables.",
    LoseGcsCommit: "A SIGKILL by its own hand, in place of the commit.",
    Delay: "Whoever receives waits.",
    Partition: "What is cut is not read: the sender's kernel keeps it.",
    WorkerOutOfMemory: "A SIGKILL, as the kernel's.",
    SlowDisk: "Its threads wait so many times as long as they worked.",
}
"""How it is done there, where that is not what the simulator does."""

_NOT_ON_RAY: Final = "raysim is only a guest there, and can end a node that it started itself"


def refusal(backend: str, kind: type[Fault]) -> str | None:
    """Why this backend cannot perform such faults; None where it can. Raises KeyError for a backend of others."""
    reasons: dict[str, dict[type[Fault], str]] = {
        SIM: {},
        CLUSTER: _NOT_ON_CLUSTER,
        RAY: {kind: _NOT_ON_RAY for kind in FAULTS if kind is not KillNode},
    }
    return reasons[backend].get(kind)


def problem(backend: str, fault: Fault) -> str | None:
    """What is said of a fault that this backend cannot perform, with what to do; None where it can."""
    reason = refusal(backend, type(fault))
    if reason is None and backend == RAY and fault.at.event:
        reason = "nobody tells there when something happens; give a time"
    if reason is None:
        return None
    return f"{fault} cannot be performed on {backend}: {reason}. Drop it, or use --backend sim"


def check(backend: str, faults: tuple[Fault, ...]) -> None:
    """Raises ValueError that names each fault that this backend cannot perform, and why."""
    problems = [said for fault in faults if (said := problem(backend, fault)) is not None]
    if problems:
        raise ValueError("\n".join(problems))

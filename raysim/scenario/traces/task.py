"""One task of a trace, in raysim's units whatever the format. Never says how it is scheduled."""

from __future__ import annotations

import msgspec


class TraceTask(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What a trace tells of one task or job. What its format does not say keeps the default."""

    id: str
    submit_s: float
    """Seconds from any origin: the first one of a trace becomes 0."""
    duration_s: float
    """That it ran, not counting its wait."""
    cpus: float | None = None
    """Cores; None: not said."""
    gpus: float = 0
    """Whole ones, or a share of one."""
    gpu_models: tuple[str, ...] = ()
    """That it may run on; none: any."""
    memory: int = 0
    """Bytes."""
    requested_s: float | None = None
    """How long its user said that it would run at most; None: not said."""
    user: str = ""
    group: str = ""
    queue: str = ""
    """Queue, partition, virtual cluster: where it was sent."""
    priority: int = 0
    """More is more urgent."""

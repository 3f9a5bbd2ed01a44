"""What a node notes of itself now and then, for pictures over time. Never who notes it, nor where."""

from typing import Final

import msgspec

PERIOD_S: Final = 10
"""Between two samples. Ours; Ray's agents report every 5 s (`METRICS_REPORT_INTERVAL_MS`)."""

FOLDER: Final = "metrics"
"""Of the head's logs: a file for each node, one sample a line, the oldest first."""


def file_name(node_id: str) -> str:
    """In that folder; the id in hex."""
    return f"{node_id}.log"


class Sample(msgspec.Struct, frozen=True, gc=False):
    """Sizes in bytes; counters from the node's start on."""

    time_ms: int
    """Unix time."""
    cpu: float
    """Of the machine's processors, the share that was busy since the sample before: 0 to 1."""
    memory_used: int
    """Of the machine, or of its container."""
    memory_total: int
    store_used: int
    store_capacity: int
    objects: int
    on_disk: int
    """Objects that were spilled and are still needed."""
    spilled: int
    restored: int
    pulled: int
    workers: int
    """Processes."""
    queued: int
    """Calls that wait for resources here, as far as their owners have asked for some."""
    used: dict[str, float]
    """Of each resource that the node has."""
    received: int = 0
    """By all networks of the machine but the one with itself, since it began."""
    sent: int = 0
    evicted: int = 0
    """Workers that were ended because the node's memory ran out."""

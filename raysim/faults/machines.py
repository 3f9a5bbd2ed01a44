"""What goes wrong with storage, memory, clocks, and machines that are asked for. Never with processes or links."""

from __future__ import annotations

from raysim.faults.model import Fault, NodeName


class FillStore(Fault, frozen=True, kw_only=True, tag="fill_store"):
    """For `lasting`, a node's object store has room for `size` bytes more than it holds, as if others filled it.

    Never takes an object away.
    """

    node: NodeName | None = None
    size: int = 0
    lasting: int | None = 5_000_000_000


class FillDisk(Fault, frozen=True, kw_only=True, tag="fill_disk"):
    """For `lasting`, a node's disk is full: no more objects are spilled to it. Never loses what it holds."""

    node: NodeName | None = None
    lasting: int | None = 5_000_000_000


class SlowDisk(Fault, frozen=True, kw_only=True, tag="slow_disk"):
    """For `lasting`, a node's disk is `factor` times slower. Never fails a read or a write."""

    node: NodeName | None = None
    factor: float = 10.0
    lasting: int | None = None


class LoseSpilled(Fault, frozen=True, kw_only=True, tag="lose_spilled"):
    """A spilled file of a node is gone, if it has any. Never touches what is in memory."""

    node: NodeName | None = None


class CorruptSpilled(Fault, frozen=True, kw_only=True, tag="corrupt_spilled"):
    """A spilled file of a node has a wrong byte, if there is any. Never touches its checksums."""

    node: NodeName | None = None


class LoseGcsCommit(Fault, frozen=True, kw_only=True, tag="lose_gcs_commit"):
    """The GCS process ends in its next commit, of which nothing is durable, and starts again after `lasting`.

    Never loses what was acknowledged: nothing is said before the commit has returned.
    """

    lasting: int = 3_000_000_000


class TearGcsCommit(Fault, frozen=True, kw_only=True, tag="tear_gcs_commit"):
    """The GCS process ends in its next commit of several rows, of which only the first ones are durable, and
    starts again after `lasting`.

    Never tears a row, never loses what was acknowledged.
    """

    lasting: int = 3_000_000_000


class WorkerOutOfMemory(Fault, frozen=True, kw_only=True, tag="worker_out_of_memory"):
    """The operating system ends a node's worker that began its work last, for want of memory.

    Never warns; never ends a raylet, nor a worker with nothing to do.
    """

    node: NodeName | None = None


class MemoryPressure(Fault, frozen=True, kw_only=True, tag="memory_pressure"):
    """For `lasting`, all memory of a node is used: its raylet ends one worker after another, by its own rules.

    Never ends a raylet, nor a worker with nothing to do.
    """

    node: NodeName | None = None
    lasting: int = 3_000_000_000


class ClockSkew(Fault, frozen=True, kw_only=True, tag="clock_skew"):
    """For `lasting`, a node's wall clock is off by `skew`, ahead or (negative) behind.

    Never moves monotonic clocks, which time timers and waits.
    """

    node: NodeName | None = None
    skew: int = 5_000_000_000
    lasting: int | None = None


class ClockJump(Fault, frozen=True, kw_only=True, tag="clock_jump"):
    """A node's wall clock is set, by `skew`, ahead or (negative) back, and stays so.

    Never moves monotonic clocks, which time timers and waits.
    """

    node: NodeName | None = None
    skew: int = -3_600_000_000_000


class NoCapacity(Fault, frozen=True, kw_only=True, tag="no_capacity"):
    """For `lasting`, the provider of machines has none left. Never takes one away that runs."""

    lasting: int | None = 60_000_000_000


class SlowStart(Fault, frozen=True, kw_only=True, tag="slow_start"):
    """For `lasting`, machines and workers take `factor` times as long to start. Never fails a start."""

    factor: float = 10.0
    lasting: int | None = None


KINDS: tuple[type[Fault], ...] = (
    FillStore,
    FillDisk,
    SlowDisk,
    LoseSpilled,
    CorruptSpilled,
    LoseGcsCommit,
    TearGcsCommit,
    WorkerOutOfMemory,
    MemoryPressure,
    ClockSkew,
    ClockJump,
    NoCapacity,
    SlowStart,
)

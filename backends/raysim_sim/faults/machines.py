"""Faults of storage, memory, clocks and of machines that are asked for. Never of processes or links."""

from typing import TYPE_CHECKING, Final

from raysim.faults import Fault, PlannedFault
from raysim.faults.machines import (
    ClockJump,
    ClockSkew,
    CorruptSpilled,
    FillDisk,
    FillStore,
    LoseGcsCommit,
    LoseSpilled,
    MemoryPressure,
    NoCapacity,
    SlowDisk,
    SlowStart,
    TearGcsCommit,
    WorkerOutOfMemory,
)
from raysim.protocol.raylet.memory_monitor import MemoryUsage
from raysim_sim.faults.effect import Effect, Perform

if TYPE_CHECKING:
    from raysim_sim.node import SimNode
    from raysim_sim.world import SimWorld

MEMORY: Final = 16 << 30
"""Bytes of a node that does not say how much it has. Ours."""


def check(world: "SimWorld", fault: Fault) -> None:
    """Raises ValueError for a fault that this world cannot have."""
    if isinstance(fault, NoCapacity) and world.provider is None:
        raise ValueError(
            f"{fault}: this cluster asks nobody for machines; start it with AutoscalingCluster, or drop the fault"
        )


def fill_store(world: "SimWorld", planned: PlannedFault, fault: FillStore) -> Effect:
    node = world.nodes[planned.node]
    limit = node.store.used() + fault.size
    node.store.limits.append(limit)

    def undo() -> None:
        node.store.limits.remove(limit)
        if node.host.alive:
            node.raylet.store.room.serve()

    return Effect(node.name, undo)


def fill_disk(world: "SimWorld", planned: PlannedFault, fault: FillDisk) -> Effect:
    node = world.nodes[planned.node]
    node.disk.full += 1

    def undo() -> None:
        node.disk.full -= 1

    return Effect(node.name, undo)


def slow_disk(world: "SimWorld", planned: PlannedFault, fault: SlowDisk) -> Effect:
    node = world.nodes[planned.node]
    node.disk.slow.append(fault.factor)

    def undo() -> None:
        node.disk.slow.remove(fault.factor)

    return Effect(node.name, undo)


def break_spilled(
    world: "SimWorld", planned: PlannedFault, fault: LoseSpilled | CorruptSpilled
) -> Effect:
    node = world.nodes[planned.node]
    rng = world.streams.stream("faults: disks")
    broken = node.disk.lose(rng) if isinstance(fault, LoseSpilled) else node.disk.corrupt(rng)
    return Effect(f"{broken} of {node.name}" if broken else f"{node.name}, which had no file")


def lose_gcs_commit(
    world: "SimWorld", planned: PlannedFault, fault: LoseGcsCommit | TearGcsCommit
) -> Effect:
    gcs = world.gcs_process
    assert gcs is not None
    gcs.storage.breaks_at = 1 if isinstance(fault, TearGcsCommit) else 0
    gcs.down_ns = fault.lasting

    def undo() -> None:
        gcs.storage.breaks_at = None

    return Effect(gcs.name, undo)


def worker_out_of_memory(
    world: "SimWorld", planned: PlannedFault, fault: WorkerOutOfMemory
) -> Effect:
    node = world.nodes[planned.node]
    return Effect(_end_latest(node) or f"{node.name}, which had no busy worker")


def memory_pressure(world: "SimWorld", planned: PlannedFault, fault: MemoryPressure) -> Effect:
    """Its raylet finds all memory used, whenever it looks."""
    node = world.nodes[planned.node]
    period_ns = world.config.memory_monitor_refresh_ns
    if not period_ns:
        return Effect(f"{node.name}, which never looks at its memory")
    total = node.options.memory or MEMORY
    over = False

    def look() -> None:
        if not over and node.host.alive:
            if node.host.runs:
                each = total // max(1, len(node.workers()))
                node.raylet.memory.measured(MemoryUsage(total, total, lambda token: each))
            world.clock.call(period_ns, look)

    def undo() -> None:
        nonlocal over
        over = True

    look()
    return Effect(node.name, undo)


def _end_latest(node: "SimNode") -> str | None:
    """The one that has lost least."""
    busy = [host for host in node.workers() if host.busy] if node.alive else []
    if not busy:
        return None
    victim = max(busy, key=lambda host: host.began_ns)
    reason = "killed by the system, which is out of memory"
    node.process_ended(victim, reason, node.world.faults.origin())
    return victim.name


def clock_skew(world: "SimWorld", planned: PlannedFault, fault: ClockSkew) -> Effect:
    node = world.nodes[planned.node]
    node.skew_ns += fault.skew

    def undo() -> None:
        node.skew_ns -= fault.skew

    return Effect(node.name, undo)


def clock_jump(world: "SimWorld", planned: PlannedFault, fault: ClockJump) -> Effect:
    node = world.nodes[planned.node]
    node.skew_ns += fault.skew
    return Effect(node.name)


def no_capacity(world: "SimWorld", planned: PlannedFault, fault: NoCapacity) -> Effect:
    provider = world.provider
    assert provider is not None
    provider.exhausted += 1

    def undo() -> None:
        provider.exhausted -= 1

    return Effect("the provider of machines", undo)


def slow_start(world: "SimWorld", planned: PlannedFault, fault: SlowStart) -> Effect:
    world.slow_starts.append(fault.factor)

    def undo() -> None:
        world.slow_starts.remove(fault.factor)

    return Effect("all starts", undo)


PERFORMED: Final[dict[type[Fault], Perform]] = {
    FillStore: fill_store,
    FillDisk: fill_disk,
    SlowDisk: slow_disk,
    LoseSpilled: break_spilled,
    CorruptSpilled: break_spilled,
    LoseGcsCommit: lose_gcs_commit,
    TearGcsCommit: lose_gcs_commit,
    WorkerOutOfMemory: worker_out_of_memory,
    MemoryPressure: memory_pressure,
    ClockSkew: clock_skew,
    ClockJump: clock_jump,
    NoCapacity: no_capacity,
    SlowStart: slow_start,
}

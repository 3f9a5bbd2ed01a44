"""Faults of a real node's store, disk and memory. Never of processes or links."""

from collections.abc import Callable
from math import prod
from signal import SIGKILL
from typing import TYPE_CHECKING, Final

from raysim.faults import Fault, PlannedFault
from raysim.faults.machines import (
    CorruptSpilled,
    FillDisk,
    FillStore,
    LoseSpilled,
    MemoryPressure,
    SlowDisk,
    WorkerOutOfMemory,
)
from raysim_cluster.control import (
    Done,
    LimitStore,
    SetDisk,
    SetPressure,
    SignalWorker,
    SpoilFile,
)
from raysim_cluster.faults.effect import Effect, Perform, Told

if TYPE_CHECKING:
    from raysim_cluster.faults.nodes import Node
    from raysim_cluster.faults.strikes import Faults


def fill_store(faults: "Faults", planned: PlannedFault, fault: FillStore, told: Told) -> None:
    node = faults.nodes[planned.node]
    number = faults.next_number()

    def end() -> None:
        faults.order(node, LimitStore(number, None))

    faults.order(node, LimitStore(number, fault.size), lambda done: told(_effect(node, done, end)))


def fill_disk(faults: "Faults", planned: PlannedFault, fault: FillDisk, told: Told) -> None:
    node = faults.nodes[planned.node]
    machine = node.machine
    machine.full += 1

    def end() -> None:
        machine.full -= 1
        faults.order(node, _disk(node))

    faults.order(node, _disk(node), lambda done: told(_effect(node, done, end)))


def slow_disk(faults: "Faults", planned: PlannedFault, fault: SlowDisk, told: Told) -> None:
    node = faults.nodes[planned.node]
    machine = node.machine
    machine.slow.append(fault.factor)

    def end() -> None:
        machine.slow.remove(fault.factor)
        faults.order(node, _disk(node))

    faults.order(node, _disk(node), lambda done: told(_effect(node, done, end)))


def _disk(node: "Node") -> SetDisk:
    return SetDisk(node.machine.full > 0, prod(node.machine.slow))


def break_spilled(
    faults: "Faults", planned: PlannedFault, fault: LoseSpilled | CorruptSpilled, told: Told
) -> None:
    node = faults.nodes[planned.node]

    def spoiled(done: Done) -> None:
        what = f"{done.target} of {node.name}" if done.target else f"{node.name}, which had no file"
        told(Effect(what))

    faults.order(node, SpoilFile(isinstance(fault, LoseSpilled)), spoiled)


def worker_out_of_memory(
    faults: "Faults", planned: PlannedFault, fault: WorkerOutOfMemory, told: Told
) -> None:
    """As the system does it: a SIGKILL."""
    node = faults.nodes[planned.node]

    def killed(done: Done) -> None:
        worker = f"{node.name}/{done.target}"
        told(Effect(worker if done.target else f"{node.name}, which had no busy worker"))

    faults.order(node, SignalWorker(SIGKILL, last=True, busy=True), killed)


def memory_pressure(
    faults: "Faults", planned: PlannedFault, fault: MemoryPressure, told: Told
) -> None:
    """Its raylet finds all memory used, whenever it looks."""
    node = faults.nodes[planned.node]
    if not faults.config.memory_monitor_refresh_ns:
        told(Effect(f"{node.name}, which never looks at its memory"))
        return
    machine = node.machine
    machine.pressed += 1

    def end() -> None:
        machine.pressed -= 1
        faults.order(node, SetPressure(node.machine.pressed > 0))

    faults.order(node, SetPressure(True), lambda done: told(_effect(node, done, end)))


def _effect(node: "Node", done: Done, end: Callable[[], None]) -> Effect:
    if not done.target:
        return Effect(f"{node.name}, which was dead already")
    return Effect(node.name, end)


PERFORMED: Final[dict[type[Fault], Perform]] = {
    FillStore: fill_store,
    FillDisk: fill_disk,
    SlowDisk: slow_disk,
    LoseSpilled: break_spilled,
    CorruptSpilled: break_spilled,
    WorkerOutOfMemory: worker_out_of_memory,
    MemoryPressure: memory_pressure,
}

"""What faults have nodes do, and when that ends: against nodes of this file, which answer every order."""

import threading
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from raysim.backend import InitOptions, NodeOptions
from raysim.faults import parse_fault
from raysim.journal import FaultInjected, Journal, NodeLost
from raysim.spec.ids import named_node_id
from raysim_cluster.control import (
    Channel,
    Done,
    EndGcs,
    GoOn,
    LimitStore,
    LoseCommit,
    Order,
    PauseGcs,
    SetDisk,
    SetLinks,
    SignalWorker,
    StopWorkers,
    Strike,
)
from raysim_cluster.disturbed import LinkRule
from raysim_cluster.faults.strikes import Faults

SIGSTOP = 19


class Process:
    """A node's process: what was done to it, in order. It answers as if each order struck."""

    def __init__(self, name: str) -> None:
        self.plan = SimpleNamespace(name=name, node_id=named_node_id(name))
        self.done: list[Any] = []
        self.lives = True
        self.stops = 0
        self._ours, self._theirs = Channel.pair()
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        while True:
            order, _ = self._theirs.receive()
            if order is None:
                return
            assert isinstance(order, Order)
            self.done.append(order.strike)
            self._theirs.send(Done(order.number, "worker-1", [1]))

    def second_channel(self) -> Channel:
        return Channel(self._ours.sock.dup())

    def alive(self) -> bool:
        return self.lives

    @property
    def is_paused(self) -> bool:
        return self.stops > 0 and self.lives

    def pause(self) -> None:
        self.stops += 1
        self.done.append("stopped")

    def go_on(self) -> None:
        self.stops = max(0, self.stops - 1)
        self.done.append("went on")

    def kill(self) -> None:
        self.lives = False

    def orders(self) -> list[Strike]:
        return [what for what in self.done if not isinstance(what, str)]

    def close(self) -> None:
        """Once those who have our end have closed theirs."""
        self._ours.close()
        self._thread.join()
        self._theirs.close()


class World:
    gcs_apart = True

    def __init__(self) -> None:
        self.journal = Journal()
        self.options = InitOptions(nodes=[NodeOptions()] * 3, journal=self.journal)
        self.processes = [Process(f"node-{n}") for n in range(3)]
        self.ended: list[Process] = []
        self.came_back = threading.Event()

    def node_names(self) -> list[str]:
        return [process.plan.name for process in self.processes]

    def node_processes(self) -> list[Process]:
        return self.processes

    def start_again(self, process: Process) -> None:
        self.ended.append(process)
        self.processes[self.processes.index(process)] = Process(f"{process.plan.name}@1")
        self.came_back.set()

    def note(self, process: str, note: Any) -> None:
        self.journal.write(0, process, "note", note)


@pytest.fixture
def world() -> Iterator[World]:
    made = World()
    made.faults = Faults(made)
    yield made
    made.faults.stop()
    for process in (*made.processes, *made.ended):
        process.close()


@pytest.fixture
def strike(world: Any) -> Callable[[str], str]:
    return lambda text: world.faults.strike_now(parse_fault(text))


def rules(world: World, *cut: int) -> SetLinks:
    return SetLinks([LinkRule(named_node_id(f"node-{n}"), True) for n in cut])


def test_a_node_s_workers_stop_before_it_and_go_on_after_it(world, strike) -> None:
    assert strike("pause_node(at=0, node=1, lasting=1h)") == "node-1"
    strike("heal(at=0)")
    assert strike("slow_disk(at=0, node=1)") == "node-1"  # What was ordered before it is done.
    assert world.processes[1].done == [
        StopWorkers(),
        "stopped",
        "went on",
        GoOn(None),
        SetDisk(False, 10),
    ]
    assert world.processes[0].done == world.processes[2].done == []


def test_the_worker_that_was_stopped_is_the_one_that_goes_on(world, strike) -> None:
    assert strike("pause_worker(at=0, node=2, lasting=1h)") == "node-2/worker-1"
    strike("heal(at=0)")
    strike("fill_disk(at=0, node=2)")
    assert world.processes[2].orders()[:2] == [SignalWorker(SIGSTOP), GoOn([1])]


@pytest.mark.parametrize(
    ("text", "cuts"),
    [
        ("partition(at=0, nodes=0+1, others=2)", [(2,), (2,), (0, 1)]),
        ("partition(at=0, nodes=0, others=2, one_way=true)", [(), (), (0,)]),
        ("partition(at=0, nodes=1, others=rest)", [(1,), (0, 2), (1,)]),
        ("isolate(at=0, node=1)", [(1,), (0, 2), (1,)]),
        ("isolate(at=0, node=1, one_way=true)", [(1,), (), (1,)]),
    ],
)
def test_each_node_is_told_whom_it_does_not_hear(world, strike, text, cuts) -> None:
    strike(text)
    strike("heal(at=0)")
    for node, cut in enumerate(cuts):
        strike(f"fill_disk(at=0, node={node})")
        told, *healed, _ = world.processes[node].orders()
        assert told == rules(world, *cut)
        assert set(map(str, healed)) == {str(SetLinks([]))}


def test_a_delay_is_of_what_comes_and_goes_and_of_a_kind_within_the_node_too(world, strike) -> None:
    strike("delay(at=0, nodes=1, latency=2ms, jitter=1ms)")
    strike("delay(at=0, nodes=1, latency=3ms, message=TasksDone)")
    names = [named_node_id(f"node-{n}") for n in range(3)]
    plain = [LinkRule(name, False, 2_000_000, 1_000_000) for name in names]
    kind = [LinkRule(name, False, 3_000_000, 0, "TasksDone") for name in names]
    assert world.processes[0].orders()[-1] == SetLinks([plain[1], kind[1]])
    assert world.processes[1].orders()[-1] == SetLinks([plain[0], plain[2], *kind])


def test_what_overlaps_ends_with_the_last(world, strike) -> None:
    strike("fill_disk(at=0, node=1, lasting=1h)")
    strike("fill_disk(at=0, node=1, lasting=1ns)")
    strike("fill_store(at=0, node=1, size=5B, lasting=1h)")
    full, still, *later = world.processes[1].orders()
    assert full == still == SetDisk(True, 1)
    limits = [one for one in later if isinstance(one, LimitStore)]
    assert [limit.room for limit in limits] == [5]
    assert SetDisk(False, 1) not in later


def test_a_restarted_node_has_nothing_of_what_was_done_to_the_old_one(world, strike) -> None:
    strike("fill_disk(at=0, node=1, lasting=1h)")
    strike("pause_worker(at=0, node=1, lasting=1h)")
    assert strike("restart_node(at=0, node=1, lasting=0)") == "node-1"
    assert world.came_back.wait(20)
    strike("isolate(at=0, node=2, lasting=none)")
    strike("heal(at=0)")
    strike("fill_disk(at=0, node=1, lasting=1h)")
    new = world.processes[1]
    assert new.plan.name == "node-1@1"
    assert GoOn([1]) not in new.orders()
    assert new.orders()[-1] == SetDisk(True, 1)


def test_a_fault_waits_for_its_event_as_often_as_it_says(world) -> None:
    planned = world.faults.plan([parse_fault("kill_node(at=node_lost*2, node=1)")])
    world.faults.arm(planned)
    lost = NodeLost(b"", "node-9", "")
    world.note("gcs", lost)
    assert world.faults.strike_now(parse_fault("heal(at=0)")) == "all that lasts"
    assert world.processes[1].alive()
    world.note("gcs", lost)
    world.faults.strike_now(parse_fault("heal(at=0)"))
    world.faults.strike_now(parse_fault("heal(at=0)"))
    assert not world.processes[1].alive()
    assert FaultInjected("kill_node", "node-1") in world.journal.notes(FaultInjected)


def test_what_strikes_nobody_says_so(world, strike) -> None:
    world.processes[1].kill()
    assert strike("kill_node(at=0, node=1)") == "node-1, which was dead already"
    assert strike("pause_raylet(at=0, node=1)") == "node-1, which was dead already"


def test_the_gcs_is_struck_through_the_head(world, strike) -> None:
    assert strike("pause_gcs(at=0, lasting=1h)") == "node-0/gcs"
    assert strike("lose_gcs_commit(at=0, lasting=1h)") == "node-0/gcs"
    assert strike("restart_gcs(at=0, lasting=2s)") == "node-0/gcs"
    strike("heal(at=0)")
    strike("heal(at=0)")  # Answered once what the first one ordered is done.
    assert world.processes[0].orders() == [
        PauseGcs(True),
        LoseCommit(3_600_000_000_000),
        EndGcs(2_000_000_000),
        PauseGcs(False),
        LoseCommit(None),
    ]


def test_a_gcs_that_is_part_of_a_raylet_is_not_struck(world, strike) -> None:
    world.gcs_apart = False
    with pytest.raises(ValueError, match=r"pause_gcs\(at=0\): here the GCS is part.*gcs_process"):
        strike("pause_gcs(at=0)")


def test_nothing_stands_still_when_the_run_ends(world, strike) -> None:
    strike("pause_raylet(at=0, node=1, lasting=1h)")
    strike("pause_raylet(at=0, node=1, lasting=1h)")
    world.faults.stop()
    assert [process.is_paused for process in world.processes] == [False] * 3
    world.note("gcs", NodeLost(b"", "node-9", ""))  # Nobody minds.
    world.faults = Faults(world)

"""What is left of a simulated cluster when it is over: nothing."""

import gc
import time
import weakref

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.exceptions import LocalRayletDiedError
from raysim.faults import Order, parse_fault
from raysim.runtime.core_worker import CoreWorker
from raysim.tape import SeededTape
from raysim.testing.campaign import CAMPAIGN
from raysim.testing.case import Case
from raysim.testing.running import run_case
from raysim_sim.hosts import SimHost
from raysim_sim.world import SimWorld

RUNS = 12


@pytest.fixture
def worlds(monkeypatch):
    """Weak references to those that are made."""
    made = []
    make = SimWorld.__init__

    def note(self, *args, **kwargs):
        make(self, *args, **kwargs)
        made.append(weakref.ref(self))

    monkeypatch.setattr(SimWorld, "__init__", note)
    return made


def still_there(worlds):
    gc.collect()
    return [number for number, world in enumerate(worlds) if world() is not None]


def test_a_world_is_given_back_whatever_its_processes_waited_for(worlds):
    """A long hunt grew to 1.3 GB: timers, which the collector does not see into, held processes, and these worlds."""
    for seed in range(RUNS):
        run_case(CAMPAIGN, Case.sampled(CAMPAIGN, SeededTape(seed), seed))
    assert len(worlds) == RUNS
    assert still_there(worlds) == []


def test_a_world_whose_gcs_is_a_process_of_its_own_is_given_back(worlds):
    faults = [parse_fault(f"restart_gcs(at={at}s, lasting=1s)") for at in (1, 5)]
    ray.init(backend="sim", nodes=3, world={"faults": faults})
    time.sleep(10)
    ray.shutdown()
    assert len(worlds) == 1
    assert still_there(worlds) == []


@ray.remote
class Keeper:
    def __init__(self):
        self.kept = ray.put("mine")

    def keep(self, refs):
        self.others = refs


def test_processes_whose_actors_keep_references_are_given_back(monkeypatch):
    """The collector does not see into a reference, so that none may lead back to its process."""
    processes = []
    make = CoreWorker.__init__

    def note(self, *args, **kwargs):
        make(self, *args, **kwargs)
        processes.append(weakref.ref(self))

    monkeypatch.setattr(CoreWorker, "__init__", note)
    ray.init(backend="sim", nodes=2)
    keepers = [Keeper.remote() for _ in range(2)]
    ray.get([keeper.keep.remote([ray.put("theirs")]) for keeper in keepers])
    ray.shutdown()
    del keepers
    assert len(processes) == 3
    assert still_there(processes) == []


@pytest.mark.parametrize("kind", ["fifo", "random", "pct"])
def test_processes_are_given_back_with_the_first_look(kind, monkeypatch):
    """A hunt looks for garbage once in a while. The order of events and the end that was planned kept processes."""
    hosts = []
    make = SimHost.__init__

    def note(self, *args, **kwargs):
        make(self, *args, **kwargs)
        hosts.append(weakref.ref(self))

    monkeypatch.setattr(SimHost, "__init__", note)
    limits = {"heal_ns": 10**9, "converge_ns": 10**9}
    ray.init(backend="sim", nodes=2, world={"order": Order(kind), **limits})
    ray.get([work.remote(0.1) for _ in range(4)])
    ray.shutdown()
    gc.collect()
    assert len(hosts) > 4
    assert [host().name for host in hosts if host() is not None] == []


@ray.remote
def work(seconds):
    time.sleep(seconds)


@pytest.mark.parametrize("sleeps_first", [True, False])
def test_a_driver_whose_node_is_gone_is_told_and_may_start_another_cluster(init, sleeps_first):
    """Its program goes on, unlike that of a worker, and so does its sleep."""
    init(nodes=2)
    world = current_world()
    ref = work.remote(1000)
    world.clock.call(10**9, lambda: world.nodes[0].stop("the GCS declared this node dead"))
    if sleeps_first:
        before = time.time()
        time.sleep(100)
        assert time.time() - before == pytest.approx(100)
    gone = r"is gone: the GCS declared this node dead\. Start another one"
    with pytest.raises(LocalRayletDiedError, match=gone):
        ray.get(ref)
    with pytest.raises(LocalRayletDiedError, match=gone):
        ray.put(1)
    ray.shutdown()
    init()
    assert ray.get(ray.put(2)) == 2


@pytest.fixture
def without_collector():
    """As in a hunt."""
    was_on, thresholds = gc.isenabled(), gc.get_threshold()
    gc.disable()
    gc.set_threshold(0)
    yield
    gc.set_threshold(*thresholds)
    if was_on:
        gc.enable()


def test_the_parts_of_roles_go_without_the_collector(without_collector, init):
    """To find the circles that they are in took it 5 % of a campaign's time."""
    init(nodes=3)
    ray.get([work.remote(0.1) for _ in range(8)])
    nodes = current_world().nodes
    owners = [host.core_worker.owner for node in nodes for host in node.users]
    assert len(owners) > 3
    parts = [weakref.ref(owner.objects) for owner in owners]
    parts += [weakref.ref(node.raylet.store) for node in nodes]
    ray.shutdown()
    assert [part() for part in parts] == [None] * len(parts)


def test_what_a_program_holds_of_a_world_that_is_over_can_be_let_go(without_collector, init):
    init(nodes=2)

    @ray.remote
    def items():
        yield 1
        yield 2

    @ray.remote
    class Keeper:
        def value(self):
            return 1

    keeper, stream = Keeper.remote(), items.remote()
    ref = keeper.value.remote()
    assert (ray.get(ref), ray.get(next(stream))) == (1, 1)
    ray.shutdown()
    shown = repr(ref)
    assert ref.hex() in shown
    with pytest.raises(Exception, match="session"):
        ray.get(ref)
    del keeper, stream, ref
    gc.collect()

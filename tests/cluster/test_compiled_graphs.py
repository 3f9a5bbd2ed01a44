"""Compiled graphs over real processes: what they keep open, who wakes whom, how a process's end is seen."""

import asyncio
import gc
import os
import signal
import threading

import numpy as np
import pytest

import raysim as ray
from raysim.dag import InputNode
from raysim.runtime.current import current
from raysim_cluster.listening import ALONE_AFTER
from tests.cluster.inspection import interrupt_when_blocked, until

WARM = ALONE_AFTER + 4
"""Passes after which the processes wait for nothing but values."""


@ray.remote(num_cpus=0)
class Stage:
    def echo(self, value):
        return value

    def sleep(self, seconds):
        import time

        time.sleep(seconds)
        return seconds

    def pid(self):
        return os.getpid()

    def end(self, value):
        os._exit(value)

    def descriptors(self):
        return len(os.listdir("/proc/self/fd"))

    def keep(self, array):
        self.arrays = [*getattr(self, "arrays", []), array]
        return array

    def kept(self):
        return [int(array.sum(dtype=int)) for array in self.arrays]

    def drive(self, stages, count):
        graph, _ = chain_of(stages)
        found = [ray.get(graph.execute(value)) for value in range(count)]
        graph.teardown()
        return found


def chain_of(stages, method="echo"):
    with InputNode() as node:
        for stage in stages:
            node = getattr(stage, method).bind(node)
    return node.experimental_compile(), stages


def chain(count=3, method="echo", **options):
    return chain_of([Stage.options(**options).remote() for _ in range(count)], method)


def messages_during(action):
    """How many messages this process sent and handled meanwhile."""
    worker = current()
    host, count = worker.host, 0
    send, receive = host.send, worker.process.receive

    def counting_send(to, message):
        nonlocal count
        count += 1
        send(to, message)

    def counting_receive(sender, message):
        nonlocal count
        count += 1
        receive(sender, message)

    host.send, worker.process.receive = counting_send, counting_receive
    try:
        action()
    finally:
        del host.send, worker.process.receive
    return count


def test_pass_of_small_values_within_a_node_is_no_message(start):
    start()
    graph, _ = chain()
    assert ray.get(graph.execute(0)) == 0
    # Others may say something meanwhile; a pass that were messages would be two each.
    assert messages_during(lambda: [ray.get(graph.execute(value)) for value in range(100)]) < 20
    graph.teardown()


def test_pass_between_nodes(start):
    start(nodes=2, num_cpus=1)
    near, far = ray.nodes()
    stages = [
        Stage.options(label_selector={"ray.io/node-id": info["NodeID"]}).remote()
        for info in (near, far, far, near)
    ]
    graph, _ = chain_of(stages)
    refs = [graph.execute(value) for value in range(10)]
    assert ray.get(refs) == list(range(10))
    graph.teardown()


def test_teardown_leaves_no_descriptor(start):
    start()
    _, stages = chain()

    def open_and_close():
        graph, _ = chain_of(stages)
        assert ray.get([graph.execute(value) for value in range(5)]) == list(range(5))
        # Through pipes, through shared memory, and in messages, whose connections stay.
        for size in (50_000, 8_000_000):
            assert len(ray.get(graph.execute(bytes(size)))) == size
        graph.teardown()

    def descriptors():
        for _ in range(2):  # An actor lets go between two of its calls.
            found = ray.get([stage.descriptors.remote() for stage in stages])
        return [len(os.listdir("/proc/self/fd")), *found]

    one, _ = chain_of(stages)
    open_and_close()
    before = descriptors()
    for _ in range(4):
        open_and_close()
        assert descriptors() == before
    one.teardown()
    assert all(now < then for now, then in zip(descriptors(), before, strict=True))


def test_session_that_ends_with_an_open_graph_leaves_no_descriptor(start):
    start()
    ray.shutdown()
    gc.collect()  # Other tests' garbage may hold some.
    before = len(os.listdir("/proc/self/fd"))
    start()
    graph, _ = chain()
    assert ray.get(graph.execute(1)) == 1
    ray.shutdown()
    assert len(os.listdir("/proc/self/fd")) == before
    del graph


@pytest.mark.parametrize("passes", [1, WARM])
@pytest.mark.parametrize("victim", range(3))
def test_process_that_is_killed_ends_the_graph(start, victim, passes):
    start()
    graph, stages = chain()
    pids = ray.get([stage.pid.remote() for stage in stages])
    assert [ray.get(graph.execute(0)) for _ in range(passes)] == [0] * passes
    os.kill(pids[victim], signal.SIGKILL)

    def passes_fail():
        try:
            ray.get(graph.execute(1))
        except ray.exceptions.ActorDiedError:
            return True
        return False

    assert until(passes_fail)
    others = [stage for index, stage in enumerate(stages) if index != victim]
    assert ray.get([stage.echo.remote(5) for stage in others]) == [5, 5]


def test_method_that_ends_its_process(start):
    start()
    graph, _ = chain(2, "end")
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(graph.execute(3))


def test_driver_waits_while_another_thread_pumps(start):
    start()
    graph, stages = chain()
    ray.get(graph.execute(0))
    slow = stages[0].sleep.remote(0.3)
    blocked = threading.Thread(target=lambda: ray.get(slow))
    blocked.start()
    assert [ray.get(graph.execute(value)) for value in range(5)] == list(range(5))
    blocked.join(20)
    assert not blocked.is_alive()
    graph.teardown()


def test_coroutine_hears_of_a_value_that_another_one_has_taken(start, monkeypatch):
    """It began to wait just after the inbox was said to have something: nobody says so again."""
    start()
    with InputNode() as node:
        graph = Stage.remote().echo.bind(node).experimental_compile(enable_asyncio=True)
    inbox = graph._graph._graph.inbox
    monkeypatch.setattr(inbox, "announce", lambda action: None)

    async def main():
        first, second = await graph.execute_async(1), await graph.execute_async(2)

        async def taken():
            return await first

        waits = asyncio.ensure_future(taken())
        await asyncio.sleep(0)
        while not graph._graph.done(1):
            inbox.readable = True
        return await asyncio.wait_for(waits, 10), await second

    assert asyncio.run(main()) == (1, 2)
    graph.teardown()


def test_other_threads_go_on_while_a_pass_is_waited_for(start):
    start()
    sleeping, _ = chain(1, "sleep")
    other = Stage.remote()
    found = []
    waits = threading.Thread(target=lambda: found.append(ray.get(sleeping.execute(0.5))))
    waits.start()
    assert ray.get([other.echo.remote(value) for value in range(20)]) == list(range(20))
    waits.join(20)
    assert found == [0.5]
    sleeping.teardown()


def test_actor_drives_a_graph_while_it_is_part_of_another(start):
    start()
    graph, stages = chain(2)
    driver = Stage.remote()
    outer, _ = chain_of([driver])
    assert ray.get(outer.execute(7)) == 7
    assert ray.get(driver.drive.remote(stages, 20)) == list(range(20))
    assert ray.get(outer.execute(8)) == 8
    assert ray.get(graph.execute(9)) == 9


def test_ordinary_call_reaches_an_actor_that_passes_keep_busy(start):
    start()
    graph, stages = chain()
    for value in range(3):
        assert [ray.get(graph.execute(value)) for _ in range(WARM)] == [value] * WARM
        assert ray.get([stage.echo.remote(value) for stage in stages]) == [value] * 3
    graph.teardown()
    assert ray.get([stage.echo.remote(7) for stage in stages]) == [7] * 3


def test_two_open_graphs_of_one_actor(start):
    """Ray has one thread for all graphs of an actor, and the second one hangs."""
    start()
    one, stages = chain()
    two, _ = chain_of(stages[::-1])
    for value in range(20):
        refs = [graph.execute(value) for graph in (one, two)]
        assert [ray.get(ref) for ref in refs] == [value, value]
    one.teardown()
    assert ray.get(two.execute(7)) == 7


def test_input_that_finds_no_room_fails_its_pass_only(start):
    start(object_store_memory=32 << 20)
    graph, _ = chain()
    for _ in range(2):
        with pytest.raises(ray.exceptions.ObjectStoreFullError):
            graph.execute(bytes(64 << 20))
        assert ray.get(graph.execute(1)) == 1
    graph.teardown()


def test_values_of_medium_size_within_a_node_are_no_messages(start):
    start()
    graph, _ = chain()
    data = bytes(range(256)) * 2000
    assert ray.get(graph.execute(data)) == data
    assert messages_during(lambda: [ray.get(graph.execute(data)) for _ in range(100)]) < 20
    graph.teardown()


def test_array_that_is_kept_stays_what_it_was(start):
    """It lies where its writer has put it, and the passes that follow go elsewhere."""
    start()
    graph, stages = chain(2, "keep")
    for round_ in range(2):
        kept = [ray.get(graph.execute(np.full(1 << 20, value, np.int8))) for value in range(12)]
        assert [set(np.unique(array)) for array in kept] == [{value} for value in range(12)]
        for stage in stages:
            sums = ray.get(stage.kept.remote())
            assert sums == [value << 20 for value in range(12)] * (round_ + 1)
    graph.teardown()
    assert [set(np.unique(array)) for array in kept] == [{value} for value in range(12)]


def test_fork_of_the_driver_takes_nothing_away(start):
    start()
    graph, _ = chain()
    assert ray.get(graph.execute(0)) == 0
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    assert [ray.get(graph.execute(value)) for value in range(5)] == list(range(5))
    graph.teardown()


@pytest.mark.parametrize("passes", [1, WARM])
def test_interrupt_ends_the_wait_for_a_pass(start, passes):
    start()
    graph, _ = chain(1, "sleep")
    assert [ray.get(graph.execute(0)) for _ in range(passes)] == [0] * passes
    ref = graph.execute(2)
    interrupt_when_blocked(current().host)
    with pytest.raises(KeyboardInterrupt):
        ray.get(ref)
    assert ray.get(graph.execute(0)) == 0
    graph.teardown()


@pytest.mark.parametrize("passes", [1, WARM])
@pytest.mark.parametrize("call", ["read", "write"])
def test_interrupt_half_way_through_a_value_loses_nothing(start, monkeypatch, call, passes):
    start()
    graph, _ = chain(1)
    assert [ray.get(graph.execute(0)) for _ in range(passes)] == [0] * passes
    plain = getattr(os, call)

    def interrupted(*args):
        patch.setattr(os, call, plain)
        if call == "write":
            os.kill(os.getpid(), signal.SIGINT)
            return plain(*args)
        found = plain(*args)
        os.kill(os.getpid(), signal.SIGINT)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(os, call, interrupted)
        with pytest.raises(KeyboardInterrupt):
            ray.get(graph.execute(1))
    assert [ray.get(graph.execute(value)) for value in range(5)] == list(range(5))
    graph.teardown()

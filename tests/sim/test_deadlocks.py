"""When nothing can happen any more, the error says why."""

import time

import numpy
import pytest

import raysim as ray
from raysim.api import session
from raysim.util import explain
from raysim.util.explanation import Reason


def test_deadlock_names_the_cycle(init):
    init(nodes=2)

    @ray.remote(num_cpus=0)
    class Waiter:
        def meet(self, other):
            self.other = other

        def wait(self):
            return ray.get(self.other.wait.remote())

    one, other = Waiter.remote(), Waiter.remote()
    ray.get([one.meet.remote(other), other.meet.remote(one)])
    with pytest.raises(ray.exceptions.RaySystemError, match="Deadlock") as raised:
        ray.get(one.wait.remote())
    text = str(raised.value)
    assert "Cycle: Waiter.wait" in text
    assert "None of them can ever go on" in text


def test_deadlock_names_what_no_node_has(init):
    init()

    @ray.remote(resources={"dragon": 1})
    def tame():
        return 1

    with pytest.raises(ray.exceptions.RaySystemError, match="Deadlock") as raised:
        ray.get(tame.remote())
    assert "lacks dragon=1, whatever else runs there" in str(raised.value)


def test_deadlock_is_found_again_after_it_was_explained(init):
    init()

    @ray.remote(resources={"dragon": 1})
    def tame():
        return 1

    ref = tame.remote()
    for _ in range(2):
        with pytest.raises(ray.exceptions.RaySystemError, match="dragon"):
            ray.get(ref)


def test_lost_object_is_being_rebuilt_when_asked(init):
    """Its node died; the call that made it runs again."""
    init(nodes=[{"num_cpus": 1}, {"num_cpus": 1, "name": "frail"}, {"num_cpus": 1}])

    @ray.remote(num_cpus=1)
    def make():
        time.sleep(5)
        return b"x" * 1_000_000

    frail = next(node["NodeID"] for node in ray.nodes() if node["NodeName"] == "frail")
    ref = make.options(label_selector={"ray.io/node-id": f"in({frail},gone)"}).remote()
    ray.wait([ref], fetch_local=False)
    assert explain(ref).reason is Reason.READY
    session.current_world().kill_node(frail)
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(ref, timeout=200)
    found = explain(ref)
    assert "was lost and is being rebuilt" in str(found)
    assert found.reason is Reason.INFEASIBLE


def test_a_driver_that_is_refused_again_and_again_is_not_stuck(init):
    """Each of its gets waits for room in vain, one after another: that takes long, and ends."""
    init(
        nodes=2,
        cpus=1,
        object_store_memory=50_000_000,
        _system_config={"store_full_timeout_ms": 60_000},
    )

    @ray.remote(scheduling_strategy="SPREAD")
    def make(number):
        time.sleep(0.1)
        return bytes(20_000_000)

    held = [ray.get(ray.put(numpy.zeros(20_000_000, numpy.uint8))) for _ in range(2)]
    far = [make.remote(0), make.remote(1)]
    ray.wait(far, num_returns=2, fetch_local=False, timeout=100)
    refused = 0
    for _ in range(12):
        for ref in far:
            try:
                ray.get(ref)
            except ray.exceptions.ObjectStoreFullError:
                refused += 1
    assert refused >= 12
    del held

"""When nothing can happen any more, the error says why."""

import time

import pytest

import raysim as ray
from raysim.api import session
from raysim.util.explain import Reason, explain


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

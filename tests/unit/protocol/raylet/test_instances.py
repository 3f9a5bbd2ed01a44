from hypothesis import given
from hypothesis import strategies as st

from raysim.protocol.raylet.instances import Instances, numbers
from raysim.spec.address import Address
from raysim.spec.ids import named_node_id, named_worker_id
from raysim.spec.node import NodeView
from raysim.spec.resources import UNITS, fixed


def gpus(count: float) -> Instances:
    return Instances(node({"CPU": 4, "GPU": count}))


def node(total: dict[str, float]) -> NodeView:
    return NodeView(Address(named_node_id("node"), named_worker_id("raylet")), fixed(total), {})


def take(instances: Instances, count: float) -> list[int]:
    return numbers(instances.take(fixed({"GPU": count}))).get("GPU", [])


def test_whole_gpus_are_nobody_elses():
    instances = gpus(3)
    assert take(instances, 1) == [0]
    assert take(instances, 2) == [1, 2]
    assert not instances.fits(fixed({"GPU": 0.1}))


def test_fractions_share_a_gpu_and_leave_whole_ones_whole():
    instances = gpus(3)
    assert take(instances, 0.4) == [0]
    assert take(instances, 0.4) == [0]
    assert take(instances, 0.4) == [1]
    assert take(instances, 1) == [2]
    assert take(instances, 0.2) == [0]


def test_enough_in_all_is_not_enough_in_one_piece():
    instances = gpus(2)
    assert take(instances, 0.6) == [0]
    assert take(instances, 0.6) == [1]
    assert not instances.fits(fixed({"GPU": 0.5}))
    assert instances.lacking(fixed({"CPU": 1, "GPU": 0.5})) == ["GPU"]
    assert instances.fits(fixed({"GPU": 0.4}))


def test_what_is_given_back_is_free_again():
    instances = gpus(1)
    taken = instances.take(fixed({"GPU": 0.5}))
    assert not instances.fits(fixed({"GPU": 1}))
    instances.give_back(taken)
    assert instances.fits(fixed({"GPU": 1}))


def test_requests_without_gpus_get_none():
    instances = gpus(1)
    assert instances.take(fixed({"CPU": 1})) == {}
    assert Instances(node({"CPU": 1})).fits(fixed({"CPU": 1}))


@given(st.lists(st.sampled_from([0.1, 0.25, 0.5, 1, 2]), max_size=40), st.randoms())
def test_no_gpu_is_given_out_twice(wanted, random):
    instances = gpus(4)
    held = []
    for count in wanted:
        need = fixed({"GPU": count})
        if instances.fits(need):
            held.append(instances.take(need))
        elif held:
            instances.give_back(held.pop(random.randrange(len(held))))
        out = dict.fromkeys(range(4), 0)
        for one in held:
            for index, units in one["GPU"].items():
                out[index] += units
        assert {i: UNITS - units for i, units in out.items()} == instances.pools["GPU"]
        assert all(0 <= units <= UNITS for units in out.values())

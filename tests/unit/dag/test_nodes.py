"""What nodes know of each other."""

import pytest

from raysim.dag import InputNode
from raysim.dag.dag_node import DAGNode


def make(*args, **kwargs):
    return DAGNode(args, kwargs, {})


def test_order_grows_along_the_edges_even_for_nodes_bound_elsewhere():
    """An unpickled node brings the number that it had in its own process."""
    old = make()
    old._order += 1_000_000
    assert make(old)._order > old._order


def test_nodes_know_those_above_and_below():
    top = make()
    below = make([top], key=top)
    assert below._upstream_nodes == [top, top]
    assert top._downstream_nodes == [below, below]


def test_part_of_an_input_is_one_node():
    given = InputNode()
    assert given[0] is given[0]
    assert given["x"] is given.x
    assert given[0] is not given[1]


def test_functional_replacement_leaves_what_is_not_meant():
    one, two = make(), make()
    result = make().apply_functional([one, two, one], lambda n: n is one, lambda n: "one")
    assert result == ["one", two, "one"]


@pytest.mark.parametrize("options", [{"device": "cuda"}, {"transport": "nccl"}])
def test_accelerators_are_refused(options):
    with pytest.raises(ValueError, match="host memory"):
        make().with_tensor_transport(**options)


def test_tensors_through_host_memory_need_nothing():
    node = make()
    assert node.with_tensor_transport("shm", "cpu") is node

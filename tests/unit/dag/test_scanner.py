"""Nodes inside arguments: found at any depth, replaced without touching anything else."""

import threading
from dataclasses import dataclass
from typing import Any

import pytest

from raysim.dag.dag_node import DAGNode
from raysim.dag.scanner import find, replace


@dataclass
class Box:
    content: Any


@pytest.fixture
def node():
    return DAGNode((), {}, {})


def found(value):
    return list(find(value, DAGNode))


@pytest.mark.parametrize(
    "wrap",
    [
        lambda n: n,
        lambda n: [1, (n, "x")],
        lambda n: {"a": {"b": [n]}},
        lambda n: {n: 1},
        lambda n: Box([n]),
        lambda n: [Box(Box(n))],
    ],
)
def test_node_is_found_and_replaced_wherever_it_is(node, wrap):
    value = wrap(node)
    assert found(value) == [node]
    replaced = replace(value, DAGNode, lambda _: "here")
    assert replaced == wrap("here")
    assert found(value) == [node]


def test_node_that_is_there_twice_is_found_twice(node):
    assert found([node, node]) == [node, node]


def test_object_without_nodes_stays_the_same_object():
    box = Box([1, 2])
    assert replace([box], DAGNode, lambda _: None)[0] is box


def test_array_is_not_copied():
    np = pytest.importorskip("numpy")
    array = np.arange(10)
    assert replace([array], DAGNode, lambda _: None)[0] is array
    assert found(array) == []


def test_what_cannot_be_pickled_is_refused_with_its_name():
    with pytest.raises(TypeError, match="lock"):
        found(Box(threading.Lock()))

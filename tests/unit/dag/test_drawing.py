"""Graphs as text."""

import pytest

from raysim.dag import InputNode, MultiOutputNode, plot
from raysim.dag.dag_node import DAGNode
from raysim.dag.drawing import draw


@pytest.fixture
def diamond():
    """An input, two nodes that read it, an output of both."""
    with InputNode() as given:
        sides = [DAGNode((given,), {}, {}) for _ in range(2)]
    return given, *sides, MultiOutputNode(sides)


def test_layers_stand_below_each_other_and_are_joined(diamond):
    text = draw(list(diamond))
    drawing = text.partition("Graph Built:\n")[2].splitlines()
    assert drawing[0] == "0:InputNode"
    assert drawing[2].split() == ["1:DAGNode", "2:DAGNode"]
    assert drawing[4] == "3:MultiOutputNode"
    assert drawing[1].startswith("|-")
    assert drawing[1].endswith(">|")
    assert "<" in drawing[3]
    for edge in ("0 ---> 1", "0 ---> 2", "1 ---> 3", "2 ---> 3"):
        assert edge in text


def test_plot_is_a_text_for_graphviz(diamond, tmp_path):
    file = tmp_path / "graph.dot"
    text = plot(diamond[-1], file)
    assert file.read_text() == text
    assert text.startswith("digraph {")
    assert '0 [label="__InputNode__"];' in text
    assert "2 -> 3;" in text


def test_plot_draws_no_pictures(diamond, tmp_path):
    with pytest.raises(ValueError, match=r"dot -Tpng graph\.dot"):
        plot(diamond[-1], tmp_path / "graph.png")

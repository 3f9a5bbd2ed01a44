"""What a compiled graph shows of itself: pictures, and its channels."""

import sys
from importlib import import_module
from types import SimpleNamespace

import pytest


@pytest.fixture
def chain(ray, lib):
    """An actor that adds, twice."""
    dag = import_module(f"{lib.__name__}.dag")

    @ray.remote(num_cpus=0)
    class Stage:
        def add(self, value):
            return value + 1

    first, second = Stage.remote(), Stage.remote()
    with dag.InputNode() as given:
        graph = second.add.bind(first.add.bind(given)).experimental_compile()
    yield SimpleNamespace(graph=graph, first=first, second=second)
    graph.teardown()


class Graphviz:
    """What the library would do, without drawing."""

    def __init__(self):
        self.asked = []

    def Source(self, text, filename, format):
        return SimpleNamespace(
            render=lambda view: self.asked.append((text, filename, format, view))
        )


@pytest.fixture
def graphviz(monkeypatch, backend):
    if backend == "judge":
        pytest.skip("Ray uses another part of the library")
    made = Graphviz()
    monkeypatch.setitem(sys.modules, "graphviz", made)
    return made


def test_without_graphviz_pictures_say_what_to_install(chain, monkeypatch):
    monkeypatch.setitem(sys.modules, "graphviz", None)
    with pytest.raises(ImportError, match="pip install graphviz"):
        chain.graph.visualize()


def test_a_picture_is_drawn_by_graphviz(chain, graphviz):
    text = chain.graph.visualize("chain", format="svg", view=True)
    assert graphviz.asked == [(text, "chain", "svg", True)]
    assert text.startswith("digraph")
    assert "0 -> 1;" in text
    assert "1 -> 2;" in text
    assert text.count("Method: add") == 2


def test_a_picture_may_tell_the_channels(chain, graphviz):
    text = chain.graph.visualize(channel_details=True)
    assert '[label="Channel 0\\ndriver to ' in text
    assert '[label="Channel 1\\n' in text


def test_details_of_a_channel(chain, backend):
    if backend == "judge":
        pytest.skip("Ray's channels are other objects")
    channel = import_module("raysim.backend").Channel
    first, second = (one._ray_actor_id.hex() for one in (chain.first, chain.second))
    told = chain.graph.get_channel_details(channel(1), second)
    assert told == f"Channel 1\n{first[:12]} to {second[:12]}"
    assert chain.graph.get_channel_details(channel(0), first).startswith("Channel 0\ndriver")
    with pytest.raises(ValueError, match="not read by"):
        chain.graph.get_channel_details(channel(1), first)


def test_a_drawing_in_text_has_no_details(chain):
    with pytest.raises(ValueError, match="ascii"):
        chain.graph.visualize(format="ascii", channel_details=True)

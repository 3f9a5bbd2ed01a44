"""Graphs by their shape: who waits for whom, what is drawn, and what cannot be."""

from pathlib import Path
from random import Random

import pytest

from raysim.journal import Journal, Level
from raysim.scenario.loading import parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.shapes import parse_shape

TEXT = """
cluster: {{nodes: 2, cpus: 4}}
workload:
  kind: graph
  shape: {shape}
  duration: exponential(mean=1s)
  result_size: 1MB
"""


def load(shape, more=""):
    return parse_scenario(TEXT.format(shape=shape) + more, Path("graph.yaml"))


def drawn(shape, seed=0):
    return [(one.name, one.parents) for one in parse_shape(shape).draw(Random(seed))]


@pytest.mark.parametrize(
    ("shape", "tasks"),
    [
        ("chain(length=3)", [("link", ()), ("link", (0,)), ("link", (1,))]),
        (
            "fork_join(width=2, stages=2)",
            [
                *[("fork", ()), ("work", (0,)), ("work", (0,)), ("join", (1, 2))],
                *[("work", (3,)), ("work", (3,)), ("join", (4, 5))],
            ],
        ),
        (
            "map_reduce(maps=2, reduces=2)",
            [("map", ()), ("map", ()), ("reduce", (0, 1)), ("reduce", (0, 1))],
        ),
        ("tree(depth=2, branching=3)", [("root", ()), *[("node", (0,))] * 3]),
        (
            "reduction(leaves=3)",
            [*[("leaf", ())] * 3, ("merge", (0, 1)), ("merge", (2,)), ("merge", (3, 4))],
        ),
        ("layered(layers=2, width=1, density=0)", [("layer_0", ()), ("layer_1", (0,))]),
    ],
)
def test_a_shape_says_who_waits_for_whom(shape, tasks):
    assert drawn(shape) == tasks


def test_layers_are_random_and_the_same_for_the_same_seed():
    shape = "layered(layers=6, width=8, density=0.4)"
    tasks = drawn(shape)
    assert tasks == drawn(shape)
    assert tasks != drawn(shape, seed=1)
    for at, (_, parents) in enumerate(tasks[8:], 8):
        assert parents
        assert all(one // 8 == at // 8 - 1 for one in parents)


def test_a_graph_runs_and_moves_what_its_tasks_leave():
    experiment = load("fork_join(width=6, stages=2)")
    summary = run_workflow(experiment, RunOptions(journal=Journal(Level.NOTES))).summary
    assert (summary.tasks, summary.edges, summary.failed) == (15, 24, 0)
    assert summary.bytes_moved > 0
    assert summary.makespan_s > summary.critical_path_s


def test_another_seed_draws_another_graph_of_the_same_shape():
    experiment = load("layered(layers=4, width=5)")
    other = experiment.varied(seed=1).workflow
    assert len(other.order) == 20
    assert other.edges != experiment.workflow.edges or other.work_s != experiment.workflow.work_s
    assert experiment.varied(seed=0).workflow.work_s == experiment.workflow.work_s


def test_a_graph_can_be_planned():
    experiment = load("reduction(leaves=8)", "policy: heft\n")
    summary = run_workflow(experiment, RunOptions(journal=Journal(Level.NOTES))).summary
    assert (summary.tasks, summary.failed) == (15, 0)


@pytest.mark.parametrize(
    ("shape", "told"),
    [
        ("fork_joyn(width=2)", "unknown shape 'fork_joyn'; did you mean fork_join?"),
        ("fork_join(wdth=2)", "did you mean width?"),
        ("chain", "chain needs length=..."),
        ("chain(length=0)", "length is a whole number from 1 to 1,000,000, not '0'"),
        ("chain(length=2.5)", "length is a whole number"),
        ("reduction(leaves=8, branching=1)", "branching is at least 2, or it never ends"),
        ("layered(layers=2, width=2, density=2)", "density=2 is not between 0 and 1"),
        ("tree(depth=60)", "more than 1,000,000 tasks or edges"),
        ("map_reduce(maps=10000, reduces=10000)", "more than 1,000,000 tasks or edges"),
        ("3", "a shape is a text such as `fork_join(width=8)`"),
    ],
)
def test_what_is_no_shape_is_told(shape, told):
    with pytest.raises(ScenarioError) as caught:
        load(shape)
    assert told in str(caught.value)

"""One file, many runs: which there are, what each is of, and mistakes in what is swept."""

from pathlib import Path

import pytest

from raysim.scenario.including import document_of
from raysim.scenario.loading import case_names, parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.sweeping import cases_of

WORK = (
    "workload: {kind: tasks, count: 10, duration: 2s}\ncluster: {nodes: [{cpus: 4}, {cpus: 8}]}\n"
)
FILE = Path("swept.yaml")


def names(sweep):
    return [case.name for case in cases_of(document_of(WORK + sweep, FILE))]


def case(sweep, name):
    return parse_scenario(WORK + sweep, FILE, name).scenario


def problems(text, tmp_path):
    file = tmp_path / "swept.yaml"
    file.write_text(text)
    with pytest.raises(ScenarioError) as error:
        case_names(file)
    return [str(problem).rpartition("/")[2] for problem in error.value.problems]


def test_every_combination_is_a_run_in_the_order_of_the_file():
    sweep = "sweep: {policy: [hybrid, best_fit], workload.count: [5, 7]}"
    assert names(sweep) == [
        *("policy=hybrid,count=5", "policy=hybrid,count=7"),
        *("policy=best_fit,count=5", "policy=best_fit,count=7"),
    ]
    found = case(sweep, "policy=best_fit,count=7")
    assert (found.policy, found.workload.count) == ("best_fit", 7)


def test_items_of_lists_and_fields_that_the_file_does_not_have_can_be_swept():
    sweep = "sweep: {cluster.nodes.1.cpus: [2, 16], cluster.network.latency: [1ms]}"
    found = case(sweep, "cpus=16,latency=1ms")
    assert [group.cpus for group in found.cluster.nodes] == [4, 16]
    assert found.cluster.network.latency == 1_000_000


def test_whole_parts_can_be_swept_and_names_stay_those_of_folders():
    sweep = (
        "sweep: {cluster.nodes: [2, [{cpus: 1, count: 3}]], "
        "workload.duration: ['uniform(low=1s, high=2s)', 'uniform(low=1s/high=2s)'], faults: [[]]}"
    )
    assert names(sweep)[-1] == "nodes=cpus_1_count_3,duration=uniform_low_1s_high_2s_1,faults=empty"
    assert len(set(names(sweep))) == 4


def test_fields_that_end_alike_are_named_in_full():
    sweep = "sweep: {cluster.nodes.0.cpus: [1, 2], workload.cpus: [1]}"
    assert names(sweep)[0] == "cluster.nodes.0.cpus=1,workload.cpus=1"


def test_one_run_has_to_be_named_where_one_is_needed():
    with pytest.raises(ScenarioError, match="it sweeps over 2 runs, and one is needed here"):
        case("sweep: {seed: [1, 2]}", "")
    with pytest.raises(ScenarioError, match=r"there is no case 'sed=1'.*did you mean seed=1"):
        case("sweep: {seed: [1, 2]}", "sed=1")
    with pytest.raises(ScenarioError, match="it has no `sweep`, so there is no case 'seed=1'"):
        case("", "seed=1")


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ("polcy: [hybrid, spread]", "unknown key 'polcy'; did you mean policy?"),
        (
            "cluster.node: [4]",
            "unknown key 'node'; did you mean nodes?",
        ),
        ("policy: [hybrid, spraed]", "unknown policy 'spraed'; did you mean spread?"),
        ("policy: hybrid", "'policy' needs a list of values, such as [hybrid, ...]"),
        ("policy: []", "the list of values of 'policy' must not be empty"),
        ("seed: [1, 2, 1]", "'seed' has the value 1 twice"),
        ("seed: [1, x]", "'seed' must be a whole number, not 'x'"),
        ("cluster..nodes: [1]", "'cluster..nodes' is no field; write it as `cluster.nodes`"),
        ("name: [a, b]", "'name' is the same for all runs and cannot be swept"),
        ("workload.count.x: [1]", "there is no 'workload.count.x': 'workload.count' is 10"),
        (
            "cluster.nodes.2.cpus: [1]",
            "there is no 'cluster.nodes.2.cpus': 'cluster.nodes' has 2 items",
        ),
        ("{cluster: [{}], cluster.nodes: [2]}", "'cluster.nodes' lies inside 'cluster', which is"),
        ("[policy]", "'sweep' maps fields to lists of values, such as"),
        ("{}", "'sweep' maps fields to lists of values, such as"),
        ("3", "'sweep' maps fields to lists of values, such as"),
    ],
)
def test_a_mistake_in_a_sweep_is_told_once_with_its_place(sweep, said, tmp_path):
    text = f"sweep:\n  {sweep}\n{WORK}"
    (told,) = problems(text, tmp_path)
    place, _, what = told.partition(": ")
    assert what.startswith(said), told
    assert place.startswith("swept.yaml:2:")


def test_mistakes_of_all_values_come_at_once(tmp_path):
    text = WORK + "sweep:\n  policy: [spraed, hybrid]\n  seed: [1, x, 2.5]\n"
    assert [told.split(": ")[0] for told in problems(text, tmp_path)] == [
        *("swept.yaml:4:12", "swept.yaml:5:13", "swept.yaml:5:16"),
    ]


def test_a_combination_that_does_not_fit_together_is_told(tmp_path):
    text = WORK + "sweep: {workload.cpus: [1, 16]}\n"
    assert "needs 16 cores, but the largest node has 8" in problems(text, tmp_path)[0]


def test_a_sweep_that_never_ends_is_refused(tmp_path):
    values = list(range(150))
    text = WORK + f"sweep: {{seed: {values}, workload.count: {values[1:]}}}\n"
    assert "these are 22350 combinations; at most 10000 are run" in problems(text, tmp_path)[0]

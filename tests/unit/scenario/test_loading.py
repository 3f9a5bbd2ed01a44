from pathlib import Path

import pytest

from raysim.faults import KillNode, KillWorker, Moment
from raysim.scenario.loading import (
    experiment_of_program,
    experiment_of_workflow,
    load_experiment,
    load_scenario,
    parse_scenario,
)
from raysim.scenario.model import NodeGroup
from raysim.scenario.problems import ScenarioError
from raysim.scenario.workflow import Workflow

WORK = "workload: {kind: tasks, count: 10, duration: 2s}\n"
FOUR = "cluster: {nodes: 4, cpus: 2}\n"


def parse(text, file="scenario.yaml"):
    return parse_scenario(text, Path(file))


def problems_of(text):
    with pytest.raises(ScenarioError) as caught:
        parse(text)
    return str(caught.value).splitlines()


def test_the_quickstart_is_right(repository):
    experiment = load_scenario(repository / "scenarios" / "quickstart.yaml")
    assert experiment.name == "quickstart"
    assert len(experiment.workflow.tasks) == 107
    assert experiment.scenario.cluster.total_cpus() == 8
    assert experiment.scenario.faults == [KillNode(at=Moment(share=0.33))]
    assert experiment.expected_makespan_ns == pytest.approx(39.4e9, rel=0.01)


def test_units_become_nanoseconds_and_bytes():
    text = (
        "cluster: {nodes: [{object_store: 2GiB}], network: {latency: 100us, bandwidth: 8Gbit/s}}\n"
    )
    cluster = parse(WORK + text).scenario.cluster
    assert cluster.network.latency == 100_000
    assert cluster.network.bandwidth == 1_000_000_000
    assert cluster.nodes[0].object_store == 2 << 30


def test_groups_of_nodes_are_numbered_in_order():
    cluster = parse(
        WORK + "cluster: {nodes: [{cpus: 2}, {cpus: 8, count: 2, resources: {disk: 1}}]}"
    ).scenario.cluster
    big = NodeGroup(cpus=8, count=2, resources={"disk": 1})
    assert cluster.node_groups() == [NodeGroup(cpus=2), big, big]
    assert cluster.total_cpus() == 18


def test_a_bag_of_tasks_is_a_workflow_without_edges():
    experiment = parse("workload: {kind: tasks, count: 11, duration: 500ms, result_size: 1kB}")
    bag = experiment.workflow
    listed = Workflow("tasks", bag.order, bag.files.values())
    assert [listed.order[0].id, listed.order[-1].id] == ["task_00", "task_10"]
    for figure in (
        *("edges", "work_s", "core_seconds", "critical_path_s", "file_bytes", "needs"),
        *("tasks", "ids", "names", "cores"),
    ):
        found, same = getattr(bag, figure), getattr(listed, figure)
        assert (list(found) == list(same)) if hasattr(same, "__len__") else (found == same)
    assert (bag.edges, bag.work_s, bag.file_bytes) == (0, 5.5, 11_000)
    assert bag.size_of("task_00.result") == listed.size_of("task_00.result") == 1_000
    with pytest.raises(IndexError):
        bag.order[11]


def test_faults_are_written_as_text_or_as_mapping():
    text = "faults:\n - kill_node(at=5s, node=2)\n - kill_worker: {at: 10%}\n"
    assert parse(WORK + FOUR + text).scenario.faults == [
        KillNode(at=Moment(ns=5_000_000_000), node=2),
        KillWorker(at=Moment(share=0.1)),
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("nmae: x", "2:1: unknown key 'nmae'; did you mean name?"),
        ("policy: hybird", "2:9: unknown policy 'hybird'; did you mean hybrid?"),
        ("policy: power_of_d(d=0)", "2:9: policy 'power_of_d(d=0)': it draws at least one node"),
        ("policy: mine.py:Mine", "2:9: there is no file 'mine.py' beside this one"),
        ("policy: on", "2:9: unknown policy 'on'; known are hybrid, spread, random"),
        ("policy: true", "2:9: 'policy' must be a string, not True"),
        ("seed: 12:30:00", "2:7: 'seed' must be a whole number, not '12:30:00'"),
        ("seed: 1.5", "2:7: 'seed' must be a whole number, not 1.5"),
        ("cluster: {nodes: 0}", "2:18: 'nodes' must be at least 1, not 0"),
        ("cluster: {nodes: four}", "2:18: 'nodes' must be a whole number, not 'four'"),
        ("cluster: {nodes: []}", "2:18: 'nodes' must not be empty"),
        ("cluster: {nodes: [{cpu: 4}]}", "2:20: unknown key 'cpu'; did you mean cpus?"),
        ("cluster: {nodes: [{cpus: 4}], cpus: 3}", "2:10: 'cpus' stands twice: where 'nodes' is"),
        ("cluster: {network: fre}", "2:20: unknown network 'fre'; did you mean free?"),
        ("cluster: {network: {latency: 3}}", "2:30: duration '3' has no unit; did you mean 3s?"),
        ("cluster: {network: {latncy: 3ms}}", "2:21: unknown key 'latncy'; did you mean latency?"),
        ("faults: [kill_nod(at=5s)]", "2:10: unknown fault 'kill_nod'; did you mean kill_node?"),
        ("faults: [kill_node: {at: 5}]", "2:10: duration '5' has no unit; did you mean 5s?"),
        ("faults: [kill_node(at=5s)x]", "2:10: 'kill_node(at=5s)x' is not a fault"),
        ("faults: [7]", "2:10: a fault is written as `kill_node(at=5s)`"),
        ("faults: [kill_node(at=5s)]", "2:10: kill_node(at=5s): no node is left for it"),
        ("assert: [lost_object == 0]", "2:10: unknown figure 'lost_object' in"),
        ("assert: [5]", "2:10: an expectation is a text such as 'failed == 0', not 5"),
        ("name: a\nname: b", "3:1: 'name' is given twice; it stands on line 2"),
        ("name: !secret x", "2:7: the tag '!secret' has no meaning here"),
        ("name: [1", "2:9: this is not YAML"),
        ("name: \x07", "2:7: this is not YAML: the character '\\x07' is not allowed"),
        ("? [a]\n: b", "2:3: a key must be a word"),
        ("name: &a [*a]", "2:7: this value contains itself"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_was_meant(text, problem):
    told = problems_of(WORK + text)
    assert told[0].startswith(f"scenario.yaml:{problem}"), told
    assert len(told) == 1


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1: the file is empty"),
        ("seed: 3", "1:1: 'workload' is missing"),
        ("- a", "1:1: this file must be a mapping of keys"),
        ("workload: {kind: tsks}", "1:18: unknown kind 'tsks' of workload; did you mean tasks?"),
        ("workload: {kin: tasks, count: 3}", "1:12: unknown key 'kin'; did you mean kind?"),
        ("workload: {count: 3}", "1:11: 'kind' is missing in 'workload'"),
        ("workload: {kind: tasks, count: 3}", "1:11: 'duration' is missing in 'workload'"),
        (
            "workload: {kind: program, file: no.py}",
            "1:33: there is no file 'no.py' beside this one",
        ),
        (
            "workload: {kind: tasks, count: 1, duration: 1s, cpus: 16}",
            "1:1: task 'task_0' needs 16 cores, but the largest node has 4",
        ),
    ],
)
def test_a_wrong_workload_is_told_with_its_place(text, problem):
    told = problems_of(text)
    assert told[0].startswith(f"scenario.yaml:{problem}"), told
    assert len(told) == 1


def test_all_mistakes_come_at_once():
    text = "clustr: {}\npolicy: spraed\nfaults: ['kill_node(at=5s, nod=1)']\n" + WORK
    assert [line.split(": ")[0] for line in problems_of(text)] == [
        "scenario.yaml:1:1",
        "scenario.yaml:2:9",
        "scenario.yaml:3:10",
    ]


def test_problems_of_a_workflow_file_name_that_file(tmp_path):
    (tmp_path / "flow.json").write_text('{"name": 3}')
    (tmp_path / "run.yaml").write_text("workload: {kind: workflow, file: flow.json}")
    with pytest.raises(ScenarioError, match=r"flow\.json:1:10: 'name' must be a string"):
        load_scenario(tmp_path / "run.yaml")


def test_aliases_of_aliases_cannot_fill_the_memory():
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert "more than 100000 values" in problems_of("\n".join(lines))[0]


def test_a_workflow_file_alone_is_an_experiment(repository):
    file = repository / "scenarios" / "workflows" / "mosaic.json"
    experiment = experiment_of_workflow(file, nodes=3, cpus=8, seed=5, network="free")
    assert experiment.scenario.cluster.total_cpus() == 24
    assert (experiment.scenario.seed, experiment.scenario.cluster.network) == (5, "free")
    assert experiment.name == "mosaic"


def test_changes_are_checked_like_the_file(repository):
    experiment = load_scenario(repository / "scenarios" / "quickstart.yaml")
    with pytest.raises(
        ScenarioError, match=r"quickstart\.yaml: kill_node\(at=33%\): no node is left"
    ):
        experiment.varied(nodes=1)


def test_a_program_needs_its_file_and_a_time_for_faults(tmp_path):
    (tmp_path / "app.py").write_text("")
    experiment = experiment_of_program(tmp_path / "app.py", ["--fast"], nodes=2)
    assert (experiment.program, experiment.expected_makespan_ns) == (tmp_path / "app.py", None)
    with pytest.raises(ScenarioError, match="give a time instead"):
        experiment.varied(faults=[KillNode(at=Moment(share=0.5))])
    with pytest.raises(ScenarioError, match=r"no such file; did you mean .*app\.py"):
        experiment_of_program(tmp_path / "ap.py", [])


def test_the_ending_of_the_name_says_what_a_file_is(repository, tmp_path):
    (tmp_path / "app.py").write_text("")
    workflow = repository / "scenarios" / "workflows" / "mosaic.json"
    assert load_experiment(workflow, nodes=2).scenario.cluster.nodes == 2
    assert load_experiment(repository / "scenarios" / "quickstart.yaml", seed=9).scenario.seed == 9
    program = load_experiment(tmp_path / "app.py", ["--fast"])
    assert program.scenario.workload.args == ["--fast"]
    with pytest.raises(ScenarioError, match=r"app\.txt: a name that ends in '\.txt' is neither"):
        load_experiment(tmp_path / "app.txt")


def test_faults_by_hand_come_after_those_of_the_file(repository):
    experiment = load_scenario(repository / "scenarios" / "quickstart.yaml")
    both = experiment.with_faults(["kill_worker(at=5s)"])
    assert both.scenario.faults == [
        KillNode(at=Moment(share=0.33)),
        KillWorker(at=Moment(ns=5_000_000_000)),
    ]


def test_faults_by_hand_are_all_checked(repository):
    experiment = load_scenario(repository / "scenarios" / "quickstart.yaml")
    with pytest.raises(ScenarioError) as caught:
        experiment.with_faults(["kill_nod(at=5s)", "kill_node(at=5)"])
    assert str(caught.value).splitlines() == [
        "--fault: unknown fault 'kill_nod'; did you mean kill_node?",
        "--fault: duration '5' has no unit; did you mean 5s?",
    ]
    with pytest.raises(ScenarioError, match="its nodes are 0 to 3"):
        experiment.with_faults(["kill_node(at=5s, node=4)"])

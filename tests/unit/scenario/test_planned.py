"""Workflows under a planner: the run is the plan, wherever it runs, and errors say what does not fit."""

from pathlib import Path
from random import Random

import pytest

from raysim.scenario.loading import load_experiment, parse_scenario
from raysim.scenario.model import Cluster, Network, NodeGroup
from raysim.scenario.planned import Plan, plan
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import Run, RunOptions, run_workflow
from raysim.scenario.workflow import Workflow, WorkflowFile, WorkflowTask

IDEAL = Network(
    latency="0s", local_latency="0s", bandwidth="1MB/s", worker_start="0s", shared=False
)
HERE = Path("here.yaml")
PLANNERS = ["heft", "cpop", "peft", "min_min", "max_min", "critical_path"]


def workflow(seed: int, nodes: int) -> Workflow:
    """Files of 0 to 9 s at 1 MB/s; many are read by several tasks."""
    rng = Random(seed)
    tasks, files = [], []
    for number in range(25):
        parents = sorted(rng.sample(range(number), min(number, rng.choice([0, 1, 2, 3]))))
        runtimes = tuple(float(rng.randint(1, 9)) for _ in range(nodes))
        files.append(WorkflowFile(f"f{number}", rng.choice([0, 100, 1, 3, 9]) * 10**6 // 100 * 100))
        tasks.append(
            WorkflowTask(
                id=f"t{number}",
                name=f"t{number}",
                runtime_s=min(runtimes),
                parents=tuple(f"t{one}" for one in parents),
                inputs=tuple(f"f{one}" for one in parents),
                outputs=(f"f{number}",),
                runtimes_s=runtimes,
            )
        )
    return Workflow("drawn", tasks, files)


def ran(some: Workflow, policy: str, cluster: Cluster, **more: object) -> Run:
    experiment = parse_scenario("workload: {kind: tasks, count: 1, duration: 1s}", HERE)
    scenario = experiment.scenario.model_copy(update={"policy": policy, "cluster": cluster, **more})
    varied = type(experiment)(scenario, HERE, workflow=some)
    return run_workflow(varied, RunOptions())


def spans(run: Run) -> dict[str, tuple[str | None, float, float]]:
    return {
        one.id: (one.node, one.ran.start_s, one.ran.end_s)
        for one in run.records
        if one.ran is not None
    }


def planned(some: Workflow, cluster: Cluster, policy: str) -> Plan:
    made = plan(some, cluster, policy)
    assert made is not None
    return made


@pytest.mark.parametrize("policy", PLANNERS)
def test_the_run_is_the_plan(policy):
    """On the links that planners think of. What becomes ready together is sent within a moment."""
    cluster = Cluster(nodes=[NodeGroup(count=2, cpus=1), NodeGroup(count=1, cpus=2)], network=IDEAL)
    for seed in range(3):
        some = workflow(seed, nodes=3)
        made = planned(some, cluster, policy)
        run = ran(some, policy, cluster)
        assert {task: node for task, (node, *_) in spans(run).items()} == {
            task.id: f"node-{place.node}"
            for task, place in zip(some.order, made.places, strict=True)
        }
        assert run.summary.makespan_s == pytest.approx(made.makespan_s, abs=0.01)


def test_a_lane_keeps_its_order_although_another_task_is_ready_before():
    long = WorkflowTask(id="long", name="long", runtime_s=8)
    first = WorkflowTask(id="first", name="first", runtime_s=1)
    then = WorkflowTask(id="then", name="then", runtime_s=9, parents=("first",))
    run = ran(
        Workflow("w", [long, first, then]),
        "critical_path",
        Cluster(nodes=1, cpus=1, network="free"),
    )
    found = spans(run)
    assert found["first"][1:] == (0, 1)
    assert found["then"][1:] == (1, 10)
    assert found["long"][1:] == (10, 18)


def test_a_node_s_tasks_run_elsewhere_when_it_is_lost():
    experiment = parse_scenario(
        "cluster: {nodes: 3, cpus: 1}\nfaults: ['kill_node(at=20%, node=2)']\n"
        "workload: {kind: tasks, count: 1, duration: 1s}\n",
        HERE,
    )
    faults = experiment.scenario.faults
    run = ran(workflow(1, nodes=3), "heft", experiment.scenario.cluster, faults=faults)
    assert len(spans(run)) == 25
    assert run.summary.failed == 0


def test_slower_nodes_take_longer_under_any_policy():
    cluster = Cluster(nodes=[NodeGroup(cpus=1), NodeGroup(cpus=1, speed=0.25)], network="free")
    alike = [WorkflowTask(id=f"t{one}", name="t", runtime_s=2) for one in range(2)]
    run = ran(Workflow("w", alike), "hybrid", cluster)
    lasted = {node: end - start for node, start, end in spans(run).values()}
    assert lasted == {"node-0": 2, "node-1": 8}


def test_a_planner_counts_with_speeds():
    cluster = Cluster(nodes=[NodeGroup(cpus=1, speed=0.1), NodeGroup(cpus=1)], network="free")
    alike = [WorkflowTask(id=f"t{one}", name="t", runtime_s=2) for one in range(4)]
    run = ran(Workflow("w", alike), "heft", cluster)
    assert {node for node, *_ in spans(run).values()} == {"node-1"}


def test_wide_tasks_have_wide_lanes():
    cluster = Cluster(nodes=2, cpus=5, network="free")
    some = Workflow(
        "w", [WorkflowTask(id=f"t{one}", name="t", runtime_s=1, cores=2) for one in range(8)]
    )
    assert planned(some, cluster, "min_min").makespan_s == 2


def test_other_policies_plan_nothing():
    assert plan(workflow(1, nodes=1), Cluster(), "hybrid") is None


def test_a_table_of_runtimes_is_a_workflow(shared_data):
    cluster = Cluster(nodes=3, cpus=1, network=IDEAL)
    file = shared_data / "heft" / "topcuoglu2002.json"
    run = run_workflow(load_experiment(file, cluster=cluster, policy="heft"), RunOptions())
    assert run.summary.makespan_s == 80
    assert spans(run)["8"] == ("node-0", 57, 62)


TABLE = """{"processors": ["P1", "P2"], "cost_per_processor": {"a": [1, 2], "b": [2, 1%s]},
"edges_from_to_commcost_if_on_different_processors": [["a", "%s", 3]]}"""


@pytest.mark.parametrize(
    ("row", "child", "told"),
    [
        (", 4", "b", "task 'b' has 3 runtimes, and there are 2 processors"),
        ("", "bb", "there is no task 'bb'; did you mean b"),
        ("", "a", "tasks wait for each other: a -> a"),
    ],
)
def test_mistakes_in_a_table_are_told(tmp_path, row, child, told):
    file = tmp_path / "table.json"
    file.write_text(TABLE % (row, child))
    with pytest.raises(ScenarioError, match=told):
        load_experiment(file, nodes=2)


def test_a_table_for_another_number_of_nodes_is_refused(tmp_path):
    file = tmp_path / "table.json"
    file.write_text(TABLE % ("", "b"))
    with pytest.raises(ScenarioError, match="has runtimes for 2 nodes, not 3"):
        load_experiment(file, nodes=3)


def test_a_planner_needs_a_workflow():
    with pytest.raises(ScenarioError, match=r"'heft' plans workflows.*kind: tasks.*least_loaded"):
        parse_scenario("policy: heft\nworkload: {kind: tasks, count: 1, duration: 1s}", HERE)

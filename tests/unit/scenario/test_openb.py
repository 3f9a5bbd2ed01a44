"""Alibaba's trace of GPU sharing: what its files say, and scenarios of them."""

import pytest

from raysim.scenario.loading import load_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.scenario.traces.openb import read_openb, read_openb_nodes

PODS = """name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time
whole,4000,1024,2,1000,T4|P100,LS,Running,10,70,20
share,500,512,1,460,,BE,Pending,15,45,
cores,1000,512,0,0,,Burstable,Succeeded,12,12,12
"""
NODES = """sn,cpu_milli,memory_mib,gpu,model
node-a,8000,4096,2,P100
node-b,8000,4096,0,
node-c,16000,8192,2,V100
"""
SCENARIO = """\
cluster: {machines: {format: openb, file: nodes.csv, with_gpus: true}, network: free}
policy: fgd
workload: {kind: trace, format: openb, file: pods.csv}
"""


@pytest.fixture
def scenario(tmp_path):
    def made(text=SCENARIO, pods=PODS):
        (tmp_path / "pods.csv").write_text(pods)
        (tmp_path / "nodes.csv").write_text(NODES)
        (tmp_path / "openb.yaml").write_text(text)
        return tmp_path / "openb.yaml"

    return made


def test_pods_are_tasks_with_cores_gpus_and_models(scenario):
    scenario()
    whole, share, cores = read_openb(scenario().parent / "pods.csv")
    assert (whole.cpus, whole.gpus, whole.gpu_models) == (4, 2, ("T4", "P100"))
    assert (whole.submit_s, whole.duration_s, whole.memory, whole.queue) == (10, 50, 1 << 30, "LS")
    assert (share.cpus, share.gpus, share.gpu_models) == (0.5, 0.46, ())
    assert share.duration_s == 30, "it was never placed: from its creation on"
    assert (cores.gpus, cores.duration_s) == (0, 0)


def test_machines_are_the_nodes_of_a_scenario(scenario):
    groups = load_scenario(scenario()).scenario.cluster.node_groups()
    assert [(one.cpus, one.gpus, one.gpu_model) for one in groups] == [
        (8, 2, "P100"),
        (16, 2, "V100"),
    ]
    everything = load_scenario(scenario(SCENARIO.replace(", with_gpus: true", ""))).scenario
    assert everything.cluster.total_cpus() == 32


def test_pods_run_where_their_models_are(scenario):
    experiment = load_scenario(scenario())
    run = run_workflow(experiment, RunOptions())
    assert run.summary.failed == 0
    nodes = {record.id: record.node for record in run.records}
    assert nodes["whole"] == "node-0"


@pytest.mark.parametrize(
    ("text", "pods", "told"),
    [
        (SCENARIO.replace("nodes.csv", "node.csv"), PODS, "there is no file 'node.csv' beside"),
        (SCENARIO.replace("{machines", "{nodes: 3, machines"), PODS, "'machines' says which nodes"),
        (SCENARIO, PODS.replace("T4|P100", "A10"), "'whole' needs GPUs of the model A10, which no"),
        (SCENARIO, PODS.replace(",460,", ",much,"), "column 'gpu_milli' is 'much', not a number"),
    ],
)
def test_mistakes_are_told(scenario, text, pods, told):
    with pytest.raises(ScenarioError, match=told):
        load_scenario(scenario(text, pods))


def test_the_published_files_are_read_whole(shared_data):
    folder = shared_data / "openb-gpu"
    machines = list(read_openb_nodes(folder / "openb_node_list_all_node.csv"))
    assert len(machines) == 1523
    assert sum(one.gpus for one in machines) == 6212
    pods = list(read_openb(folder / "openb_pod_list_default.csv"))
    assert len(pods) == 8152
    assert sum(pod.gpus for pod in pods) == pytest.approx(6086.8)


def test_months_of_a_trace_cost_no_health_checks(scenario):
    """A thousand nodes would be asked every three seconds for half a year."""
    pods = PODS + "late,1000,512,0,0,,LS,Running,12000000,12000060,12000000\n"
    run = run_workflow(load_scenario(scenario(pods=pods)), RunOptions())
    assert run.summary.failed == 0
    assert run.journal.count < 1_000

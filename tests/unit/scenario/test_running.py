"""The runner against a world of this file: one that ends a task a second, in the order given."""

import csv
import json
from pathlib import Path

import pytest

from raysim.faults import Delay, KillNode, KillWorker, Loss, Moment, PauseNode
from raysim.journal import FaultInjected, NodeJoined, TaskEnded
from raysim.scenario import running
from raysim.scenario.folder import kept, write_run
from raysim.scenario.loading import parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow
from raysim.spec.ids import IdSource, driver_task, job_id, return_id, task_of_object

SECOND = 1_000_000_000
TEN = """
name: ten
cluster: {nodes: 3, cpus: 2, network: {latency: 1ms}}
workload: {kind: tasks, count: 10, duration: 2s}
seed: 5
assert: [failed == 0, makespan_s < 1s]
"""


class Ref:
    def __init__(self, object_id):
        self.object_id = object_id

    def binary(self):
        return self.object_id


class World:
    """A task ends each second; killing a node, and faults that are armed, are only remembered."""

    def __init__(self, options):
        self.options = options
        self.clock_s = 100.0
        self.killed = []
        self.armed = None
        self.stopped = False
        self.submitted = []
        self._ids = IdSource(driver_task(job_id(1)))
        self.begun_s = None

    def connect(self):
        return self

    def stop(self):
        self.stopped = True

    def now(self):
        return self.clock_s

    def nodes(self):
        return [
            {"NodeName": node.name, "NodeID": f"{n}0", "Alive": True}
            for n, node in enumerate(self.options.nodes)
        ]

    def sleep(self, seconds):
        self.clock_s += seconds

    def available_resources(self):
        return {"CPU": sum(node.num_cpus for node in self.options.nodes)}

    def arm(self, faults):
        self.armed = (self.clock_s, faults)

    def kill_node(self, node_id):
        self.killed.append((self.clock_s - self.begun_s, node_id))

    def submit_task(self, target, options, args, kwargs):
        if self.begun_s is None and options.name == "task":
            self.begun_s = self.clock_s
        task_id = self._ids.task()
        self.submitted.append(task_id)
        return [Ref(return_id(task_id, index)) for index in range(options.num_returns)]

    def wait(self, refs, num_returns, timeout, fetch_local):
        assert not fetch_local
        until = None if timeout is None else self.clock_s + timeout
        ready = []
        while len(ready) < num_returns and (until is None or self.clock_s + 1 <= until):
            self.clock_s += 1
            ref = refs[len(ready)]
            ready.append(ref)
            self._note(task_of_object(ref.binary()))
        if len(ready) < num_returns:
            self.clock_s = until
        return ready, refs[len(ready) :]

    def _note(self, task_id):
        end_ns = round(self.clock_s * SECOND)
        begun_ns = round((self.begun_s or 0) * SECOND)
        times = (begun_ns, begun_ns, end_ns - SECOND, end_ns)
        note = TaskEnded(task_id, "task", 0, "finished", *times, b"\x10", task_id)
        self.options.journal.write(end_ns, "driver", "note", note)


@pytest.fixture
def worlds(monkeypatch):
    made = []

    def load(name):
        assert name in ("sim", "cluster", "ray")

        def create(options):
            made.append(World(options))
            return made[-1]

        return create

    monkeypatch.setattr(running, "load", load)
    return made


def ten(**changes):
    experiment = parse_scenario(TEN, Path("ten.yaml"))
    return experiment.varied(**changes) if changes else experiment


def test_a_run_is_summed_up_and_its_expectations_judged(worlds):
    run = run_workflow(ten(), RunOptions(command="raysim run ten.yaml"))
    summary = run.summary
    assert (summary.backend, summary.seed, summary.tasks, summary.failed) == ("sim", 5, 10, 0)
    assert (summary.makespan_s, summary.utilisation) == (10, 10 / (6 * 10))
    assert [judgement.held for judgement in summary.expectations] == [True, False]
    assert summary.digest == run.journal.digest()
    assert summary.command == "raysim run ten.yaml"
    assert worlds[0].stopped


def test_a_simulated_world_is_told_its_links_and_its_faults(worlds):
    fault = KillNode(at=Moment(share=0.5))
    run_workflow(ten(faults=[fault]), RunOptions())
    options = worlds[0].options
    assert [(node.name, node.num_cpus) for node in options.nodes] == [
        ("node-0", 2),
        ("node-1", 2),
        ("node-2", 2),
    ]
    assert (options.seed, options.config.policy) == (5, "hybrid")
    assert options.world == {
        "network": {"latency": 1_000_000},
        "connection_resets": False,
        "faults": [fault],
        "expected_makespan_ns": round(20 / 6 * SECOND),
    }
    assert worlds[0].killed == []


def test_a_real_world_gets_its_faults_where_the_workload_begins_in_real_durations(worlds):
    faults = [
        PauseNode(at=Moment(ns=4 * SECOND), node=1, lasting=2 * SECOND),
        Delay(at=Moment(share=0.5), nodes="half", latency=10_000_000),
    ]
    run_workflow(ten(faults=faults), RunOptions(backend="cluster", time_scale=0.5))
    clock_s, armed = worlds[0].armed
    assert clock_s == worlds[0].begun_s
    delay, pause = armed
    assert (delay.at_ns, delay.fault.latency, len(delay.nodes)) == (
        round(20 / 6 * SECOND * 0.25),
        5_000_000,
        1,
    )
    assert (pause.at_ns, pause.node, pause.fault.lasting) == (2 * SECOND, 1, SECOND)
    assert worlds[0].options.world == {}


def test_where_the_world_performs_no_faults_the_runner_kills_the_node_at_its_scaled_time(worlds):
    faults = [
        KillNode(at=Moment(ns=9 * SECOND), node=2),
        KillNode(at=Moment(ns=5 * SECOND), node=1),
    ]
    run = run_workflow(ten(faults=faults), RunOptions(backend="ray", time_scale=0.5))
    assert worlds[0].killed == [(2.5, "10"), (4.5, "20")]
    assert {record.node for record in run.records} == {"node-1"}
    assert run.summary.makespan_s == pytest.approx(21)
    assert worlds[0].options.world == {}
    assert (run.summary.digest, run.summary.bytes_moved) == (None, None)
    assert run.notes == ("network: ray uses the links that there are, not those of the scenario",)


def test_a_real_world_s_nodes_and_kills_are_noted_where_the_workload_begins(worlds):
    """Its GCS notes them in another process, which this journal never sees."""
    fault = KillNode(at=Moment(ns=5 * SECOND), node=1)
    run = run_workflow(ten(faults=[fault]), RunOptions(backend="ray"))
    joined = [note.name for note in run.journal.notes(NodeJoined)]
    assert joined == ["node-0", "node-1", "node-2"]
    ((time_ns, note),) = [
        (time_ns, what)
        for time_ns, *_, what in run.journal.records
        if isinstance(what, FaultInjected)
    ]
    assert (time_ns, note) == (105 * SECOND, FaultInjected("kill_node", "node-1"))
    assert {record.node for record in run.records} <= set(joined)


def test_progress_is_told_until_all_ended(worlds):
    told = []
    run_workflow(ten(), RunOptions(progress=lambda done, tasks: told.append((done, tasks))))
    assert told == [(done, 10) for done in range(1, 11)]


def test_a_step_looks_at_a_bounded_part_of_the_tasks(worlds, monkeypatch):
    """Each of which would otherwise be looked at in every step."""
    looked_at = []
    wait = World.wait

    def counted(world, refs, *rest):
        looked_at.append(len(refs))
        return wait(world, refs, *rest)

    monkeypatch.setattr(World, "wait", counted)
    text = TEN.replace("count: 10,", "count: 1000,")
    run = run_workflow(parse_scenario(text, Path("many.yaml")), RunOptions())
    assert run.summary.failed == 0
    assert max(looked_at) == 25
    assert sum(looked_at) < 2 * 1000


def test_the_world_is_stopped_when_the_run_breaks(worlds):
    def stop_here(done, tasks):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_workflow(ten(), RunOptions(progress=stop_here))
    assert worlds[0].stopped


@pytest.mark.parametrize(
    ("options", "faults", "says"),
    [
        (
            RunOptions(time_scale=0.5),
            [KillWorker(at=Moment(ns=SECOND))],
            "--time-scale 0.5 and faults do not go together on sim",
        ),
        (RunOptions(backend="cluster", time_scale=0), [], "a factor above 0, not 0"),
        (
            RunOptions(backend="cluster"),
            [Loss(at=Moment(ns=SECOND))],
            r"loss\(at=1s\) cannot be performed on cluster: .* use --backend sim",
        ),
        (
            RunOptions(backend="ray"),
            [KillWorker(at=Moment(ns=SECOND))],
            r"kill_worker\(at=1s\) cannot be performed on ray",
        ),
        (
            RunOptions(backend="ray"),
            [KillNode(at=Moment(event="node_lost"), node=1)],
            r"kill_node\(at=node_lost, node=1\) cannot .*give a time",
        ),
    ],
)
def test_what_the_world_cannot_do_is_refused_before_it_starts(worlds, options, faults, says):
    with pytest.raises(ScenarioError, match=says):
        run_workflow(ten(faults=faults), options)
    assert worlds == []


def test_a_run_leaves_its_summary_its_tasks_and_its_journal(worlds, tmp_path):
    run = run_workflow(ten(), RunOptions())
    write_run(kept(run), tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert (summary["tasks"], summary["critical_path_s"]) == (10, 2.0)
    with (tmp_path / "out" / "tasks.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [(row["id"], row["start_s"], row["end_s"]) for row in rows[:2]] == [
        ("task_0", "0", "1"),
        ("task_1", "1", "2"),
    ]
    lines = (tmp_path / "out" / "journal.jsonl").read_text().splitlines()
    assert len(lines) == 10
    assert json.loads(lines[0])["what"]["task_id"] == worlds[0].submitted[0].hex()
    assert json.loads(lines[0])["type"] == "TaskEnded"

"""Orders of the queue in scenarios: what tasks say by themselves, and room that is made, in both worlds."""

from pathlib import Path

import pytest

from raysim.journal import TaskEnded
from raysim.scenario.loading import load_scenario, parse_scenario
from raysim.scenario.problems import ScenarioError
from raysim.scenario.running import RunOptions, run_workflow

TABLE = "came,ran,who,urgent\n0,8,ann,0\n2,1,bob,1\n"


@pytest.fixture
def two(tmp_path):
    """A long task, and a short one of another user that comes while the first has the only core."""
    (tmp_path / "two.csv").write_text(TABLE)
    file = tmp_path / "two.yaml"
    file.write_text(
        "cluster: {cpus: 1, network: free}\n"
        "workload:\n"
        "  kind: trace\n"
        "  format: csv\n"
        "  file: two.csv\n"
        "  columns: {submit: came, duration: ran, user: who, priority: urgent}\n"
    )
    return load_scenario(file)


def ends(experiment):
    run = run_workflow(experiment, RunOptions())
    return [round(record.ran.end_s, 6) for record in run.records]


@pytest.mark.parametrize(
    ("queue", "expected"),
    [
        ("fifo", [8, 9]),
        ("sjf", [8, 9]),
        ("priority", [8, 9]),
        ("priority(preempt=true)", [9, 3]),
        ("srpt", [9, 3]),
    ],
)
def test_only_an_order_that_may_stop_a_task_stops_it(two, queue, expected):
    assert ends(two.varied(queue=queue)) == expected


def test_both_parts_of_a_task_that_made_room_are_in_the_journal(two):
    options = RunOptions()
    run = run_workflow(two.varied(queue="srpt"), options)
    notes = list(options.journal.notes(TaskEnded))
    lasted = [(note.status, round((note.end_ns - note.start_ns) / 1e9, 6)) for note in notes]
    assert lasted == [("preempted", 2), ("finished", 1), ("finished", 6)]
    assert [record.attempts for record in run.records] == [2, 1]
    assert run.summary.failed == 0


def test_real_processes_make_room_and_go_on_where_they_were(two):
    """In 0.4 of the time: two seconds are left for the short task to come and be noticed."""
    options = RunOptions(backend="cluster", time_scale=0.4)
    run = run_workflow(two.varied(queue="srpt"), options)
    long, short = run.records
    assert short.ran.end_s < long.ran.end_s
    assert (long.attempts, short.attempts) == (2, 1)
    parts = [note for note in options.journal.notes(TaskEnded) if note.name == long.name]
    lasted_s = {note.status: (note.end_ns - note.start_ns) / 1e9 for note in parts}
    assert lasted_s["preempted"] < 3.2
    assert sum(lasted_s.values()) >= 3.2


def test_users_deadlines_and_sizes_are_known_of_tasks_that_are_drawn():
    text = """
cluster: {cpus: 1, network: free}
queue: %s
workload:
  kind: tasks
  count: 40
  duration: uniform(low=1s, high=9s)
  users: 2
  deadline: uniform(low=1s, high=99s)
"""
    begun = {}
    for queue in ("fcfs", "sjf", "edf", "las"):
        experiment = parse_scenario(text % queue, Path("drawn.yaml"))
        run = run_workflow(experiment, RunOptions())
        order = sorted(range(40), key=lambda index: run.records.start_s[index])
        begun[queue] = order[1:]  # The first one came before the others.
        bag = experiment.workflow
    runtimes = [bag.order[index].runtime_s for index in begun["sjf"]]
    assert runtimes == sorted(runtimes)
    deadlines = [bag.deadlines_s[index] for index in begun["edf"]]
    assert deadlines == sorted(deadlines)
    assert begun["fcfs"] == sorted(begun["fcfs"])
    assert len({bag.users[index] for index in begun["las"][:3]}) == 2


def test_an_order_that_is_none_is_refused_at_its_place():
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(
            "queue: eazy\nworkload: {kind: tasks, count: 1, duration: 1s}\n", Path("drawn.yaml")
        )
    (problem,) = caught.value.problems
    assert str(problem).endswith("unknown queue order 'eazy'; did you mean easy?")
    assert ":1:8" in str(problem)

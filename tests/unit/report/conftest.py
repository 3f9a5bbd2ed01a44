"""A run made by hand: two nodes, of which one is lost."""

from pathlib import Path

import pytest

from raysim.journal import FaultInjected, Journal, NodeJoined, NodeLost, ObjectMoved, TaskEnded
from raysim.scenario.loading import parse_scenario
from raysim.scenario.records import Notes, records_of_workflow
from raysim.scenario.running import Run
from raysim.scenario.summary import Outcome, summarise

SECOND = 1_000_000_000
START = 100 * SECOND
NODES = (b"\x0a" * 4, b"\x0b" * 4)
NOWHERE = b"\xff" * 4
BAG = """
name: "<bag> & co"
cluster: {nodes: 2, cpus: 1}
workload: {kind: tasks, count: 3, duration: 2s}
assert: [failed == 0, retried == 0]
"""


def ended(task, status, start_s, end_s, node=0, worker=b"\x01" * 4, attempt=0, name="task"):
    def at(seconds):
        return START + round(seconds * SECOND)

    submitted, pushed = START, at(start_s)
    times = (submitted, pushed, at(start_s), at(end_s))
    where = NOWHERE if node is None else NODES[node]
    return TaskEnded(bytes([task]) * 4, name, attempt, status, *times, where, worker, "it went")


def journal_of(*notes):
    journal = Journal()
    for time_s, note in notes:
        journal.write(START + round(time_s * SECOND), "someone", "note", note)
    return journal


@pytest.fixture
def journal():
    return journal_of(
        (-1, NodeJoined(NODES[0], "node-0", 1.0)),
        (-1, NodeJoined(NODES[1], "node-1", 1.0)),
        (1, FaultInjected("kill_node", "node-1")),
        (1.5, ended(2, "retried", 0, 1.5, node=1, worker=b"\x02" * 4)),
        (1.5, NodeLost(NODES[1], "node-1", "silent")),
        (2, ended(1, "finished", 0, 2)),
        (2.5, ObjectMoved(b"\x07" * 4, NODES[1], NODES[0], 5_000_000, START + 2 * SECOND)),
        (4, ended(2, "finished", 2, 4, attempt=1)),
        (6, ended(3, "finished", 4, 6)),
    )


@pytest.fixture
def run(journal):
    experiment = parse_scenario(BAG, Path("bag.yaml"))
    workflow = experiment.workflow
    assert workflow is not None
    task_ids = [bytes([task]) * 4 for task in (1, 2, 3)]
    records = records_of_workflow(workflow, task_ids, Notes(journal), START)
    outcome = Outcome(
        backend="sim",
        seed=5,
        nodes=2,
        cpus=2.0,
        wall_s=0.1,
        makespan_s=6.0,
        bytes_moved=5_000_000,
        digest="ab12",
        command="raysim run '<bag>.yaml'",
    )
    expected = experiment.scenario.expectations
    summary = summarise(outcome, records, workflow, expected, experiment.name)
    return Run(experiment, summary, records, journal, START)

"""The timeline that Perfetto opens."""

import json

from raysim.report.chrome_trace import chrome_trace
from raysim.report.view import view_of
from tests.unit.report.conftest import ended, journal_of


def events(journal, phase):
    content = json.loads(chrome_trace(view_of(journal), "bag"))
    assert content["otherData"] == {"run": "bag"}
    return [event for event in content["traceEvents"] if event["ph"] == phase]


def test_nodes_are_processes_and_workers_threads(journal):
    names = {(e["name"], e["pid"], e["tid"]): e["args"].get("name") for e in events(journal, "M")}
    assert names["process_name", 1, 0] == "node-0 (1 CPU)"
    assert names["process_name", 2, 0] == "node-1 (1 CPU)"
    assert names["thread_name", 1, 1] == "worker 01010101"
    assert names["thread_name", 2, 1] == "worker 02020202"


def test_attempts_are_complete_events_in_microseconds(journal):
    found = [(e["pid"], e["tid"], e["ts"], e["dur"]) for e in events(journal, "X")]
    assert found == [
        (2, 1, 0, 1_500_000),
        (1, 1, 0, 2_000_000),
        (1, 1, 2_000_000, 2_000_000),
        (1, 1, 4_000_000, 2_000_000),
    ]
    assert events(journal, "X")[0]["args"]["status"] == "retried"


def test_faults_are_instant_events_of_the_whole_picture(journal):
    fault, lost = events(journal, "i")
    assert (fault["name"], fault["ts"], fault["pid"], fault["s"]) == (
        "fault: kill_node: node-1",
        1_000_000,
        2,
        "g",
    )
    assert (lost["cat"], lost["s"]) == ("node lost", "p")


def test_a_transfer_begins_and_ends_under_one_number(journal):
    (begin,), (end,) = events(journal, "b"), events(journal, "e")
    assert (begin["id"], begin["pid"], begin["ts"]) == (end["id"], end["pid"], 2_000_000)
    assert end["ts"] == 2_500_000
    assert begin["args"] == {"object": "07070707", "bytes": 5_000_000, "from": "node-1"}


def test_calls_that_ran_at_once_on_one_worker_get_threads_of_their_own():
    """Complete events of one thread may not overlap."""
    journal = journal_of((2, ended(1, "finished", 0, 2)), (3, ended(2, "finished", 1, 3)))
    assert [(e["tid"], e["ts"]) for e in events(journal, "X")] == [(1, 0), (2, 1_000_000)]

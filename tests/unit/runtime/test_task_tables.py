"""Rows of tasks, put together from what their owners and those who run them say."""

import pytest

from raysim.exceptions import RaySystemError
from raysim.protocol.messages.state import CallStage, NodeSeen, ProcessSeen, TaskSeen
from raysim.protocol.sieve import kind_of
from raysim.runtime.state_tables import Tables
from raysim.runtime.task_tables import merged_tasks, task_rows
from raysim.spec.address import Address
from raysim.spec.ids import NIL_TASK, IdSource, TaskId, actor_creation_task, driver_task, job_id
from raysim.spec.node import NodeInfo, NodeState, StoreStats
from raysim.spec.state import Noun
from tests.unit.protocol.fake_host import address

WORKER = address("worker", "one")
IDS = IdSource(driver_task(job_id(1)))
TASK = IDS.task()
ACTOR = IDS.actor()
MS = 1_000_000


def seen(state, task_id=TASK, attempt=0, **more):
    return TaskSeen(task_id, attempt, "name", "function", state, NIL_TASK, 5 * MS, **more)


def no_value(_: bytes) -> tuple[object, bool]:
    raise RaySystemError("A value cannot be deserialised: ModuleNotFoundError: No module named 'x'")


def table(*rows, load=no_value, epoch_ns=0):
    return task_rows(rows, Tables(rows, epoch_ns), load)


@pytest.mark.parametrize("turned", [False, True])
def test_a_call_that_runs_is_shown_so_whoever_is_heard_first(turned):
    rows = [seen("SUBMITTED_TO_WORKER"), CallStage(TASK, 0, "RUNNING", 7 * MS, WORKER)]
    [row] = table(*(reversed(rows) if turned else rows))
    assert (row["state"], row["start_time_ms"]) == ("RUNNING", 7)
    assert row["worker_id"] == WORKER.worker_id.hex()


def test_the_end_of_a_call_counts_more_than_that_it_ran_a_moment_ago():
    [row] = merged_tasks([seen("FINISHED", end_ns=9), CallStage(TASK, 0, "RUNNING", 7, WORKER)])
    assert row.state == "FINISHED"


def test_an_attempt_that_two_tell_of_is_shown_once():
    """Its owner ended, and handed it over, while it was asked."""
    rows = merged_tasks([seen("FINISHED", end_ns=9), seen("SUBMITTED_TO_WORKER")])
    assert [row.state for row in rows] == ["FINISHED"]


def test_attempts_are_told_apart():
    rows = [seen("FAILED"), seen("RUNNING", attempt=1)]
    assert [row["attempt_number"] for row in table(*rows)] == [0, 1]


def test_times_are_unix_times_and_none_before_they_come():
    [row] = table(seen("SUBMITTED_TO_WORKER", pushed_ns=6 * MS), epoch_ns=1000 * MS)
    assert (row["creation_time_ms"], row["start_time_ms"], row["end_time_ms"]) == (1005, None, None)
    assert row["events"] == [
        {"state": "PENDING_ARGS_AVAIL", "created_ms": 1005},
        {"state": "SUBMITTED_TO_WORKER", "created_ms": 1006},
    ]


def test_the_pid_is_that_of_the_worker():
    ended = ProcessSeen(WORKER, 77, end_ns=3)
    [row] = table(seen("FAILED", worker=WORKER), ended)
    assert row["worker_pid"] == 77
    [row] = table(seen("FAILED", worker=address("unknown")))
    assert row["worker_pid"] is None


def test_the_message_of_an_exception():
    failed = seen("FAILED", error="TASK_EXECUTION_EXCEPTION", payload=b"pickled")
    [row] = table(failed, load=lambda payload: (ValueError("no good"), True))
    assert row["error_message"] == "no good"


def test_an_exception_that_cannot_be_unpickled_here_says_so():
    [row] = table(seen("FAILED", error="TASK_EXECUTION_EXCEPTION", payload=b"pickled"))
    assert "No module named 'x'" in row["error_message"]


def test_kinds_of_tasks():
    assert kind_of(TASK) == "NORMAL_TASK"
    assert kind_of(IDS.actor_task(ACTOR)) == "ACTOR_TASK"
    assert kind_of(actor_creation_task(ACTOR)) == "ACTOR_CREATION_TASK"
    assert kind_of(TaskId(driver_task(job_id(1)))) == "NORMAL_TASK"


def test_a_process_that_ended_while_it_was_asked_for_is_shown_once():
    rows = [ProcessSeen(WORKER, 7, end_ns=9), ProcessSeen(WORKER, 7)]
    [row] = Tables(rows, 0).rows(Noun.WORKERS)
    assert row["is_alive"] is False


def test_what_a_node_offers_for_placement_groups_is_not_its_own():
    group = "ab" * 18
    total = {"CPU": 40_000, f"CPU_group_{group}": 10_000, f"bundle_group_0_{group}": 10_000_000}
    info = NodeInfo(Address(WORKER.node_id, WORKER.worker_id), total, "one")
    [row] = Tables([NodeSeen(NodeState(info, True, {}, StoreStats()))], 0).rows(Noun.NODES)
    assert row["resources_total"] == {"CPU": 4.0}

"""Which attempts pass which tests: as `raysim.util.state` filters rows."""

from operator import itemgetter

import pytest

from raysim.protocol.messages.state import TaskSeen
from raysim.protocol.sieve import COLUMNS, Sieve, first_of
from raysim.runtime.state_tables import Tables
from raysim.runtime.task_tables import task_rows
from raysim.spec.ids import IdSource, TaskId, actor_creation_task, driver_task, job_id
from raysim.spec.state import Condition
from raysim.util.state.filters import do_filter
from raysim.util.state.states import TaskState
from tests.unit.protocol.fake_host import address

SOURCE = IdSource(driver_task(job_id(3)))
ACTOR = SOURCE.actor()
PARENT = driver_task(job_id(3))


def seen(task_id: TaskId, **fields: object) -> TaskSeen:
    row = TaskSeen(task_id, 0, "Work", "app.work", "FINISHED", PARENT, 1)
    for name, value in fields.items():
        setattr(row, name, value)
    return row


ROWS = [
    seen(SOURCE.task(), worker=address("one")),
    seen(SOURCE.task(), state="FAILED", error="WORKER_DIED", attempt=1),
    seen(actor_creation_task(ACTOR), name="Keeper.__init__"),
]
VALUES: dict[str, list[str | int]] = {
    "name": ["work", "WORK", "", "other"],
    "func_or_class_name": ["app.work"],
    "state": ["finished", "FAILED"],
    "type": ["NORMAL_TASK", "ACTOR_CREATION_TASK"],
    "error_type": ["WORKER_DIED", "NODE_DIED"],
    "task_id": [ROWS[0].task_id.hex(), "no hex", ""],
    "job_id": [job_id(3).hex(), "00"],
    "actor_id": [ACTOR.hex()],
    "node_id": [address("one").node_id.hex()],
    "worker_id": [address("one").worker_id.hex()],
    "attempt_number": [0, 1],
}


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("equal", [True, False])
def test_a_row_passes_here_as_it_does_where_it_is_shown(column: str, equal: bool) -> None:
    tables = Tables([], 0)
    for value in VALUES[column]:
        sieve = Sieve([Condition(column, value, equal)])
        here = [row.task_id.hex() for row in ROWS if sieve.passes(row)]
        shown = task_rows(ROWS, tables, lambda payload: (None, False))
        filters = [(column, "=" if equal else "!=", value)]
        assert here == [row["task_id"] for row in do_filter(shown, filters, TaskState)], value


def test_all_tests_have_to_hold() -> None:
    sieve = Sieve([Condition("name", "work"), Condition("state", "FAILED")])
    assert [row.attempt for row in filter(sieve.passes, ROWS)] == [1]


def test_what_calls_in_a_row_share_is_told_from_what_they_do_not() -> None:
    sieve = Sieve([Condition("name", "work"), Condition("attempt_number", 0)])
    assert not sieve.is_shared
    assert [sieve.passes_shared(row) for row in ROWS] == [True, True, False]
    assert Sieve([]).is_shared
    assert Sieve([Condition("state", "FAILED"), Condition("node_id", "00")]).is_shared


def test_the_first_are_those_with_the_least_ids_and_all_are_counted() -> None:
    rows = [seen(TaskId(bytes([n] * 24))) for n in (5, 2, 9, 2)]
    found, total = first_of(rows, 3)
    assert ([row.task_id[0] for row in found], total) == ([2, 2, 5], 4)
    assert first_of(iter(rows), 0) == ([], 4)


@pytest.mark.parametrize("count", [1, 300, 5_000])
def test_the_first_of_many_are_those_that_come_first_when_all_are_sorted(count: int) -> None:
    rows = [(n * 7_919 % 4_001, n) for n in range(4_001)]
    assert first_of(iter(rows), count, itemgetter(0, 1)) == (sorted(rows)[:count], 4_001)
    assert first_of(sorted(rows, reverse=True), count, itemgetter(0)) == (
        sorted(rows)[:count],
        4_001,
    )

"""What a journal says happened, in seconds from the first submission."""

from hypothesis import given
from hypothesis import strategies as st

from raysim.journal import NodeJoined, NodeLost
from raysim.report.view import Attempt, Mark, Node, rows_of, view_of
from tests.unit.report.conftest import SECOND, START, ended, journal_of


def attempt(start_s, end_s):
    return Attempt("t", "t", 0, "finished", 0.0, start_s, end_s, 0, "w")


def test_nodes_attempts_faults_and_transfers_are_found(journal):
    view = view_of(journal)
    assert view.nodes == [Node("node-0", 1.0), Node("node-1", 1.0, lost_s=1)]
    assert [(a.start_s, a.end_s, a.node, a.status) for a in view.attempts] == [
        (0, 1.5, 1, "retried"),
        (0, 2, 0, "finished"),
        (2, 4, 0, "finished"),
        (4, 6, 0, "finished"),
    ]
    assert view.marks == [
        Mark(1, "fault", "kill_node: node-1", 1),
        Mark(1.5, "node lost", "node-1: silent", 1),
    ]
    (transfer,) = view.transfers
    assert (transfer.source, transfer.target, transfer.start_s, transfer.end_s) == (1, 0, 2, 2.5)
    assert view.end_s == 6


def test_times_of_a_scaled_run_are_divided_by_the_scale(journal):
    view = view_of(journal, time_scale=0.5)
    assert (view.end_s, view.nodes[1].lost_s, view.attempts[-1].start_s) == (12, 2, 8)


def test_times_count_from_the_workload_s_start_where_its_first_task_comes_later(journal):
    view = view_of(journal, start_ns=START - SECOND)
    assert (view.attempts[0].start_s, view.nodes[1].lost_s, view.end_s) == (1, 2, 7)


def test_a_node_that_nobody_told_of_is_named_after_its_id():
    view = view_of(journal_of((1, ended(1, "finished", 0, 1))))
    assert view.nodes == [Node("0a0a0a0a")]


def test_an_attempt_that_ended_on_no_known_node_is_kept():
    view = view_of(journal_of((1, ended(1, "failed", 1, 1, node=None))))
    assert (view.nodes, [a.node for a in view.attempts]) == ([], [-1])


def test_a_lost_attempt_cannot_have_begun_before_its_worker_was_free():
    """Its worker had several calls pushed ahead; only the first can have been running."""
    view = view_of(
        journal_of((2, ended(1, "finished", 0, 2)), (3, ended(2, "retried", 0, 3, attempt=0)))
    )
    assert [(a.start_s, a.end_s) for a in view.attempts] == [(0, 2), (2, 3)]


def test_an_empty_journal_is_an_empty_picture():
    view = view_of(journal_of())
    assert (view.nodes, view.attempts, view.end_s) == ([], [], 0)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 10)), max_size=40))
def test_rows_never_overlap_and_are_as_few_as_run_at_once(spans):
    attempts = [attempt(start, start + length) for start, length in sorted(spans)]
    rows = rows_of(attempts)
    last = {}
    for one, row in zip(attempts, rows, strict=True):
        assert last.get(row, 0) <= one.start_s
        last[row] = one.end_s
    at_once = [sum(o.start_s <= a.start_s < o.end_s for o in attempts) for a in attempts]
    assert len(last) == max(at_once, default=0)


def test_a_node_that_died_by_itself_is_lost_when_the_cluster_finds_out():
    joined, lost = NodeJoined(b"\x0c", "node-2", 1.0), NodeLost(b"\x0c", "node-2", "silent")
    (node,) = view_of(journal_of((0, joined), (7, lost), (9, ended(1, "failed", 8, 9, None)))).nodes
    assert node.lost_s == 7

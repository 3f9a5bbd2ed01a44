"""How machines were used."""

import pytest

from raysim.journal import FaultInjected, Journal, NodeJoined, NodeLost
from raysim.scenario.task_records import Records
from raysim.scenario.usage import capacity_of, fragmentation, hours_of, node_lives

HOUR = 3_600_000_000_000


def journal_of(*notes):
    journal = Journal()
    for at_ns, note in notes:
        journal.write(at_ns, "someone", "note", note)
    return journal


TWO = (
    (0, NodeJoined(b"a", "node-0", 4.0)),
    (0, NodeJoined(b"b", "node-1", 4.0)),
)


def test_a_node_counts_until_it_was_killed_and_not_until_it_was_missed():
    lives = node_lives(
        journal_of(
            *TWO,
            (2 * HOUR, FaultInjected("kill_node", "node-1")),
            (3 * HOUR, NodeLost(b"b", "node-1", "silent")),
        )
    )
    assert hours_of(lives, HOUR, 4 * 3600.0) == {"node-0": 4, "node-1": 1}
    assert hours_of(lives, HOUR, None) == {}


def test_hours_are_the_workload_s_own_where_the_world_is_scaled():
    lives = node_lives(journal_of(*TWO, (HOUR, NodeLost(b"b", "node-1", "left"))))
    assert hours_of(lives, 0, 20 * 3600.0, 0.1) == {"node-0": 20, "node-1": 10}


def records(*rows):
    found = Records(names := [str(at) for at in range(len(rows))], names)
    for start_s, end_s, cores, node in rows:
        found.add(0.0, start_s, end_s, cores, node=node)
    return found


def capacity(*notes):
    return capacity_of(node_lives(journal_of(*TWO, *notes)), 0)


def test_free_cores_are_wasted_as_far_as_tasks_do_not_fit():
    """One second each: 8 free and all fit; 3 + 4 free, the task of 4 fits one node; then both have 3."""
    ran = records(
        (1, 3, 1, "node-0"), (2, 3, 1, "node-1"), (3, 3, 4, "node-0"), (3, 3, 4, "node-0")
    )
    assert fragmentation(ran, capacity()) == pytest.approx((0 + 3 / 2 + 6 / 2) / (8 + 7 + 6))


def test_alike_tasks_that_fill_their_nodes_leave_no_fragments():
    assert fragmentation(records((0, 2, 2, "node-0")), capacity()) == 0
    three = records((0, 2, 3, "node-0"))
    assert fragmentation(three, capacity()) == pytest.approx(1 / 5)


def test_cores_that_are_gone_are_not_free():
    lost = (1_000_000_000, NodeLost(b"b", "node-1", "silent"))
    ran = records((0, 2, 1, "node-0"), (0, 2, 3, "node-0"), (1, 1, 3, "node-1"))
    assert fragmentation(ran, capacity(lost)) == 0
    assert fragmentation(records(), capacity()) is None

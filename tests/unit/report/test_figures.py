"""What tables and charts are computed from."""

from itertools import pairwise

import pytest

from raysim.report.figures import Stage, in_use, slowest, stages
from raysim.report.text import count, seconds
from raysim.scenario.task_records import Records


def records(*rows):
    ids = [f"{name}-{start_s}" for name, start_s, *_ in rows]
    found = Records(ids, [name for name, *_ in rows])
    for name, start_s, end_s, *cores in rows:
        found.add(0.0, start_s, end_s, *cores, stage=name)
    return found


NEVER = float("nan")
RECORDS = records(("a", 0, 2), ("b", 0, 5, 2), ("a", 2, 6), ("c", NEVER, NEVER))


def test_stages_come_by_total_time_without_what_never_ran():
    assert stages(RECORDS) == [Stage("a", 2, 6, 3, 4), Stage("b", 1, 5, 5, 5)]


def test_the_slowest_come_first():
    assert [found.id for found in slowest(RECORDS, 2)] == ["b-0", "a-2"]


def test_cores_in_use_count_each_task_s_cores():
    assert in_use(RECORDS, RECORDS.cores) == [(0, 3), (2, 3), (5, 1), (6, 0)]


def test_a_curve_of_more_steps_than_a_screen_has_columns_keeps_those_that_last():
    """Tasks of ten seconds that end within a millisecond of each other: between those ends all cores are busy."""
    turns = Records(names := [str(at) for at in range(400)], names)
    for at in range(400):
        start_s = 10.0 * (at // 4) + 0.0001 * (at % 4)
        turns.add(0.0, start_s, start_s + 9.99)
    curve = in_use(turns, turns.cores, most=150)
    assert len(curve) <= 225
    assert curve[-1] == (pytest.approx(1000, abs=0.1), 0)
    held = [how_many for (at_s, how_many), (next_s, _) in pairwise(curve) if next_s - at_s > 1]
    assert held == [4] * 100


def test_seconds_keep_four_figures_below_an_hour():
    shown = [seconds(value) for value in (None, 0.0123, 70.5239, 363.04, 3661)]
    assert shown == ["", "12.3ms", "70.52 s", "363 s", "1h01m"]


def test_nouns_agree_with_their_number():
    assert (count(1, "node"), count(2.5, "core")) == ("1 node", "2.5 cores")

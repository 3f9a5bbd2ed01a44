"""What is measured of each task."""

import pytest

from raysim.scenario.figures import SAMPLES
from raysim.scenario.records import ready_s
from raysim.scenario.samples import Spread, sample, spread
from raysim.scenario.task_records import Records

A = {"start_s": 1.5, "end_s": 3.5, "pushed_s": 1.25}


def records(*rows):
    names = "ab"[: len(rows)]
    found = Records(names, names)
    for row in rows:
        found.add(1.0, **row)
    if len(rows) == 2:
        found.ready_s = ready_s(found, {"a": (), "b": ("a",)})
    return found


DONE = records(A, {"start_s": 4.0, "end_s": 8.0, "pushed_s": 3.625})


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("task_wait", [0.5, 0.5]),
        ("task_run", [2, 4]),
        ("task_time", [2.5, 7]),
        ("slowdown", [1.25, 1.75]),
        ("bounded_slowdown", [1, 1]),
        ("scheduling_delay", [0.25, 0.125]),
    ],
)
def test_waiting_counts_from_when_the_parents_ended(name, values):
    assert list(sample(name, DONE)) == values


def test_every_sample_has_a_value_for_each_completed_task():
    some = records(A, {"error": "lost"})
    assert {name: len(sample(name, DONE)) for name in SAMPLES} == dict.fromkeys(SAMPLES, 2)
    assert len(sample("task_wait", some)) == 1


def test_a_long_wait_counts_against_ten_seconds_at_least():
    waited = records({"start_s": 40.0, "end_s": 41.0}, {"start_s": 41.0, "end_s": 61.0})
    assert list(sample("slowdown", waited)) == [40, 3]
    assert list(sample("bounded_slowdown", waited)) == [4, 3]


def test_a_world_that_does_not_say_when_it_pushed_has_no_scheduling_delay():
    assert not sample("scheduling_delay", records({"start_s": 1.5, "end_s": 2.0}))


def test_nobody_waited_for_a_parent_that_never_ended():
    found = records({"error": "lost"}, {"start_s": 4.0, "end_s": 8.0})
    assert list(sample("task_wait", found)) == [3.0]


def test_what_is_not_a_sample_is_refused_with_those_that_are():
    with pytest.raises(ValueError, match="'makespan_s' is not one of task_wait, "):
        sample("makespan_s", DONE)


def test_a_spread_has_the_nearest_ranks():
    assert spread([3.0, 1.0, 2.0]) == Spread(3, 2, 1, 2, 3, 3, 3, 3)
    assert spread([float(n) for n in range(1, 201)]) == Spread(
        200, 100.5, 1, 100, 180, 190, 198, 200
    )
    assert spread([]) is None

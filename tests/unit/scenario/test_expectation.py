import re

import pytest

from raysim.scenario.expectation import parse_expectation
from raysim.scenario.expression import percentile

FIGURES = {
    "failed": 0,
    "lost_objects": 2,
    "makespan_s": 95.0,
    "lower_bound_s": 40.0,
    "utilisation": 0.5,
    "bytes_moved": 3 << 20,
    "critical_path_s": None,
    "digest": "00",
    "task_wait": [float(n) for n in range(1, 101)],
    "task_run": [],
}


@pytest.mark.parametrize(
    ("text", "held"),
    [
        ("failed == 0", True),
        ("lost_objects == 0", False),
        ("makespan_s < 2m", True),
        ("makespan_s <= 1m30s", False),
        ("makespan_s < 90000ms", False),
        ("bytes_moved == 3MiB", True),
        ("bytes_moved < 3 * 1MB", False),
        ("utilisation >= 50%", True),
        ("lower_bound_s <= makespan_s <= 2.5 * lower_bound_s", True),
        ("lower_bound_s <= makespan_s <= 2 * lower_bound_s", False),
        ("failed == 0 and not lost_objects == 0", True),
        ("failed > 0 or lost_objects > 0", True),
        ("p95(task_wait) == 95", True),
        ("mean(task_wait) < 51s and max(task_wait) > 99.5", True),
        ("failed > -1", True),
        ("(makespan_s - lower_bound_s) / lower_bound_s < 1.4", True),
        ("failed != 0", False),
    ],
)
def test_an_expectation_is_judged(text, held):
    assert parse_expectation(text).judge(FIGURES).held is held


def test_a_judgement_shows_the_values_that_it_spoke_of():
    judgement = parse_expectation("makespan_s < 2 * lower_bound_s").judge(FIGURES)
    assert (judgement.held, judgement.because) == (False, "makespan_s = 95, lower_bound_s = 40")
    waits = parse_expectation("p95(task_wait) < 500ms").judge(FIGURES)
    assert waits.because == "task_wait = 100 values from 1 to 100"


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("critical_path_s >= 0", "critical_path_s has no value in this run"),
        ("p50(task_run) >= 0", "task_run has no value in this run"),
        ("nodes > 0", "nodes has no value in this run"),
        ("makespan_s / failed > 0", "it divides by zero"),
    ],
)
def test_what_has_no_value_does_not_hold(text, because):
    judgement = parse_expectation(text).judge(FIGURES)
    assert (judgement.held, judgement.because) == (False, because)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("lost_object == 0", "did you mean lost_objects?"),
        ("p59(task_wait) < 1", "unknown function 'p59'"),
        ("p95(task_wat) < 1", "did you mean task_wait?"),
        ("task_wait < 1", "has many values; did you mean p95(task_wait)?"),
        ("p95(makespan_s) < 1", "unknown figure with many values 'makespan_s'"),
        ("failed", "compares nothing"),
        ("failed = 0", "is not an expectation"),
        ("failed == 'x'", "`'x'` in"),
        ("failed == True", "`True` in"),
        ("failed.real == 0", "`failed.real` in"),
        ("failed ** 9 == 0", "is not part of what an expectation may say"),
        ("failed in [0]", "is not part of what an expectation may say"),
        ("__import__('os').getpid() > 0", "is not part of what an expectation may say"),
        ("(lambda: 0)() == 0", "is not part of what an expectation may say"),
        ("makespan_s < 5parsecs", "is not an expectation"),
        ("", "is not an expectation"),
        ("\0", "is not an expectation"),
    ],
)
def test_a_wrong_expectation_is_refused_with_what_was_meant(text, says):
    with pytest.raises(ValueError, match=re.escape(says)):
        parse_expectation(text)


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (51, 3), (100, 4), (1, 1)])
def test_a_percentile_is_the_nearest_rank(percent, value):
    assert percentile([4, 1, 3, 2], percent) == value

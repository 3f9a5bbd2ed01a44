"""Intervals: how often they hold, and how often they claim a difference that is not there."""

import math
from random import Random
from statistics import NormalDist

import pytest

from raysim.scenario.statistics import Interval, interval, paired

REPETITIONS = 200
RUNS = 20
MOST_WRONG = 20
"""Of 200, at an error rate of 5 %: more are as unlikely as one in a thousand."""


def test_the_stated_error_rate_is_what_is_allowed():
    chances = (
        math.comb(REPETITIONS, k) * 0.05**k * 0.95 ** (REPETITIONS - k)
        for k in range(MOST_WRONG + 1)
    )
    assert 0.998 < sum(chances) < 0.9999


@pytest.mark.parametrize("draw", ["normal", "skewed"])
def test_an_interval_holds_the_true_mean_as_often_as_it_says(draw):
    rng, wrong = Random(11), 0
    for _ in range(REPETITIONS):
        one = rng.gauss if draw == "normal" else lambda mean, _: rng.expovariate(1) - 1 + mean
        found = interval([one(3, 1) for _ in range(RUNS)], rng, 1_000)
        wrong += not found.low <= 3 <= found.high
    assert 1 <= wrong <= MOST_WRONG


def test_policies_that_are_alike_are_told_apart_no_more_often_than_stated():
    rng, claimed = Random(12), 0
    for _ in range(REPETITIONS):
        loads = [rng.lognormvariate(3, 1) for _ in range(RUNS)]
        one, other = ([load * rng.uniform(0.9, 1.1) for load in loads] for _ in range(2))
        differences = [a - b for a, b in zip(one, other, strict=True)]
        claimed += interval(differences, rng, 1_000).excludes_zero
    assert claimed <= MOST_WRONG


def test_a_policy_that_is_better_by_two_percent_is_found():
    rng, found = Random(13), 0
    for _ in range(50):
        loads = [rng.lognormvariate(3, 0.5) for _ in range(RUNS)]
        one = [load * rng.gauss(1, 0.012) for load in loads]
        better = [0.98 * load * rng.gauss(1, 0.012) for load in loads]
        difference = paired(better, one, rng)
        found += difference.excludes_zero and difference.mean < 0
    assert found >= 45


def test_what_pairs_have_in_common_cancels():
    loads = [float(2**power) for power in range(RUNS)]
    difference = paired([load + 1 for load in loads], loads, Random(1))
    assert difference == Interval(1, 1, 1)


def test_normal_values_get_about_student_s_interval():
    rng = Random(5)
    values = [NormalDist(10, 2).inv_cdf((index + 0.5) / RUNS) for index in range(RUNS)]
    found = interval(values, rng, 20_000)
    mean = sum(values) / RUNS
    error = math.sqrt(sum((value - mean) ** 2 for value in values) / (RUNS - 1) / RUNS)
    assert found.mean == pytest.approx(10)
    assert found.high - found.mean == pytest.approx(2.093 * error, rel=0.07)  # t of 19 degrees.
    assert found.mean - found.low == pytest.approx(2.093 * error, rel=0.07)


@pytest.mark.parametrize(
    ("values", "half"),
    [([2.0] * 4, math.inf), ([2.0] * 5, 0), ([0.1 + 0.2, 0.3, 0.3, 0.3, 0.3], 0)],
)
def test_few_runs_tell_no_spread_and_equal_ones_have_none(values, half):
    found = interval(values, Random(1))
    assert (found.low, found.high) == pytest.approx((found.mean - half, found.mean + half))


def test_one_odd_value_widens_the_interval_without_bounds():
    found = interval([1.0, 1.0, 1.0, 1.0, 100.0], Random(1))
    assert found.low < 0 < found.high

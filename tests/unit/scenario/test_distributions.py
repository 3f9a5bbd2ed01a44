"""Distributions and arrival processes: their means and spreads, what is drawn twice, and what is refused."""

import math
from collections import Counter
from itertools import islice, pairwise
from random import Random
from statistics import fmean, pvariance

import pytest

from raysim.scenario.arrivals import parse_arrivals, parse_rate
from raysim.scenario.distributions import KINDS, parse_distribution
from raysim.spec.units import parse_duration

MANY = 40_000
EXAMPLE = "exponential(mean=2s)"

SHAPES = [
    ("constant(value=2s)", 2.0, 0.0),
    ("uniform(low=1s, high=3s)", 2.0, 1 / 12),
    ("exponential(mean=2s)", 2.0, 1.0),
    ("lognormal(mean=2s, sigma=0.5)", 2.0, math.exp(0.25) - 1),
    ("pareto(mean=2s, alpha=4)", 2.0, 1 / 8),
    ("weibull(mean=2s, shape=2)", 2.0, 4 / math.pi - 1),
    ("weibull(mean=2s, shape=1)", 2.0, 1.0),
    ("hyperexponential(mean=2s, cv2=4)", 2.0, 4.0),
    ("empirical(values=1s+1s+4s)", 2.0, 0.5),
]


def parse(text):
    return parse_distribution(text, parse_duration, EXAMPLE)


@pytest.mark.parametrize(("text", "mean", "cv2"), SHAPES)
def test_samples_have_the_mean_and_the_variation_that_the_text_says(text, mean, cv2):
    found = parse(text)
    assert found.mean == pytest.approx(mean * 1e9)
    rng = Random(7)
    values = [found.sample(rng) for _ in range(MANY)]
    assert min(values) >= 0
    assert fmean(values) == pytest.approx(mean * 1e9, rel=0.03)
    assert pvariance(values) / fmean(values) ** 2 == pytest.approx(cv2, rel=0.12, abs=1e-12)


def test_every_kind_is_tried():
    assert {text.partition("(")[0] for text, _, _ in SHAPES} == set(KINDS)


@pytest.mark.parametrize("text", [text for text, _, _ in SHAPES])
def test_the_same_generator_gives_the_same_values(text):
    rngs = Random(3), Random(3)
    first, second = ([parse(text).sample(rng) for _ in range(50)] for rng in rngs)
    assert first == second


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("exponental(mean=2s)", "unknown distribution 'exponental'; did you mean exponential?"),
        ("zipf(mean=2s)", "unknown distribution 'zipf'; known are constant, uniform"),
        ("exponential(maen=2s)", "exponential has no argument 'maen'; did you mean mean?"),
        ("exponential", "does not say all: exponential needs mean=..."),
        ("exponential(mean=2)", "has no unit"),
        ("lognormal(mean=2s, sigma=wide)", "sigma is a number, not 'wide'"),
        ("pareto(mean=2s, alpha=1)", "alpha=1 has no mean; it has to be more than 1"),
        ("weibull(mean=2s, shape=0)", "shape=0 has to be more than 0"),
        ("hyperexponential(mean=2s, cv2=0.5)", "it is at least 1"),
        ("uniform(low=3s, high=1s)", "low is more than high"),
        ("empirical(values=1s+x)", "'x'"),
        ("exponential(mean=2s", "its bracket is not closed"),
    ],
)
def test_a_distribution_that_cannot_be_is_refused_with_what_was_meant(text, told):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it says is what is tested.
        parse(text)
    assert told in str(caught.value)


def arrivals(text, count=MANY, seed=5):
    return list(islice(parse_arrivals(text).moments(Random(seed)), count))


@pytest.mark.parametrize(
    "text",
    [
        "regular(rate=10/s)",
        "poisson(rate=600/m)",
        "bursty(rate=10/s, lasting=100ms)",
        "diurnal(rate=10/s, period=1m)",
    ],
)
def test_tasks_come_at_the_rate_and_in_their_order(text):
    moments = arrivals(text)
    assert moments[0] >= 0
    assert all(one <= other for one, other in pairwise(moments))
    assert len(moments) / moments[-1] == pytest.approx(10, rel=0.08)
    assert moments == arrivals(text)


def counts(moments, width_s):
    """Arrivals in each stretch of so many seconds."""
    found = Counter(int(at / width_s) for at in moments)
    return [found[index] for index in range(int(moments[-1] / width_s))]


def test_a_poisson_process_is_as_variable_as_it_should_be_and_a_bursty_one_more():
    spread = {}
    for text in ("regular(rate=10/s)", "poisson(rate=10/s)", "bursty(rate=10/s)"):
        found = counts(arrivals(text), 1)
        spread[text] = pvariance(found) / fmean(found)
    regular, poisson, bursty = spread.values()
    assert regular < 0.01
    assert poisson == pytest.approx(1, rel=0.15)
    assert bursty > 5


def test_a_day_goes_up_before_it_goes_down():
    moments = arrivals("diurnal(rate=10/s, swing=1, period=100s)")
    halves = Counter(at % 100 < 50 for at in moments)
    # Of 1 + sin the first half period has (1/2 + 1/pi) of all.
    assert halves[True] / len(moments) == pytest.approx(0.5 + 1 / math.pi, rel=0.02)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("poison(rate=1/s)", "unknown process of arrivals 'poison'; did you mean poisson?"),
        ("poisson", "does not say all: poisson needs rate=..."),
        ("poisson(rate=10)", "'10' is not a rate above 0; write it as 10/s"),
        ("poisson(rate=0/s)", "'0/s' is not a rate above 0"),
        ("poisson(rate=1/y)", "'1/y' is not a rate above 0"),
        ("poisson(rat=1/s)", "poisson has no argument 'rat'; did you mean rate?"),
        ("bursty(rate=1/s, share=0)", "share=0 is not between 0 and 1"),
        ("bursty(rate=1/s, burst=0.5)", "burst=0.5 is slower than the rest"),
        ("bursty(rate=1/s, lasting=0s)", "is no time at all"),
        ("diurnal(rate=1/s, swing=2)", "swing=2 is not between 0 and 1"),
        ("diurnal(rate=1/s, period=5)", "has no unit"),
        ("bursty(rate=1/s, burst=much)", "burst is a number, not 'much'"),
    ],
)
def test_arrivals_that_cannot_be_are_refused_with_what_was_meant(text, told):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it says is what is tested.
        parse_arrivals(text)
    assert told in str(caught.value)


def test_a_rate_is_per_any_unit_of_time():
    assert [parse_rate(text) for text in ("10/s", "30/m", "0.5/ms")] == pytest.approx(
        [10, 0.5, 500]
    )

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raysim.spec.units import (
    NANOSECONDS,
    format_duration,
    format_size,
    parse_bandwidth,
    parse_duration,
    parse_number,
    parse_share,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("1m30s", 90_000_000_000),
        ("500ms", 500_000_000),
        ("1.5h", 5_400_000_000_000),
        ("100us", 100_000),
        ("100µs", 100_000),
        ("0", 0),
        ("2d", 172_800_000_000_000),
        (" 5s ", 5_000_000_000),
        ("0.1s", 100_000_000),
    ],
)
def test_a_duration_is_exact(text, ns):
    assert parse_duration(text) == ns


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("5", "duration '5' has no unit; did you mean 5s?"),
        ("5sec", "unknown unit 'sec'; did you mean s?"),
        ("5MS", "unknown unit 'MS'; did you mean ms?"),
        ("12:30:00", "'12:30:00' is not a duration"),
        ("-5s", "'-5s' is not a duration"),
        ("", "'' is not a duration"),
        ("s", "'s' is not a duration"),
        ("1m 30", "'1m 30' is not a duration"),
    ],
)
def test_a_wrong_duration_is_refused_with_what_was_meant(text, says):
    with pytest.raises(ValueError, match="duration") as caught:
        parse_duration(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "size"),
    [("30GiB", 30 << 30), ("1.5 MB", 1_500_000), ("4096", 4096), ("12 B", 12), ("1KB", 1000)],
)
def test_a_size_is_exact(text, size):
    assert parse_size(text) == size


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("30gib", "did you mean GiB?"),
        ("30G", "did you mean GB?"),
        ("30Gi", "did you mean GiB?"),
        ("30 parsecs", "known are B, kB"),
        ("lots", "'lots' is not a size"),
    ],
)
def test_a_wrong_size_is_refused_with_what_was_meant(text, says):
    with pytest.raises(ValueError, match="size") as caught:
        parse_size(text)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("text", "bytes_per_s"),
    [("10Gbit/s", 1_250_000_000), ("1.25GB/s", 1_250_000_000), ("8bit/s", 1)],
)
def test_a_bandwidth_is_in_bytes_per_second(text, bytes_per_s):
    assert parse_bandwidth(text) == bytes_per_s


@pytest.mark.parametrize("text", ["10Gbit", "10", "fast", "10Gbit/h", "0GB/s", "10Qbit/s"])
def test_a_wrong_bandwidth_is_refused(text):
    with pytest.raises(ValueError, match="bandwidth"):
        parse_bandwidth(text)


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0ns"),
        (350_000_000, "350ms"),
        (21_122_000_000, "21.1s"),
        (90_000_000_000, "1m30s"),
        (59_999_999_999, "60s"),
        (3_720_000_000_000, "1h02m"),
        (-5_000_000_000, "-5s"),
    ],
)
def test_a_duration_is_shown_short(ns, text):
    assert format_duration(ns) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (999, "999 B"), (438_976_092, "439 MB"), (1_500_000_000, "1.5 GB"), (-1, "-1 B")],
)
def test_a_size_is_shown_short(size, text):
    assert format_size(size) == text


@given(st.integers(0, 10**6), st.sampled_from(list(NANOSECONDS)))
def test_every_whole_number_of_a_unit_is_exact(number, unit):
    assert parse_duration(f"{number}{unit}") == number * NANOSECONDS[unit]


@pytest.mark.parametrize(
    ("text", "number", "share"),
    [("2.5", 2.5, 2.5), ("5%", math.nan, 0.05), ("-1", -1, -1), ("five", math.nan, math.nan)],
)
def test_a_text_that_is_no_number_is_none_that_a_bound_admits(text, number, share):
    assert (parse_number(text), parse_share(text)) == pytest.approx((number, share), nan_ok=True)

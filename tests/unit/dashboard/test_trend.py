"""How fast a node's memory fills, and when that is worth a warning."""

import pytest

from raysim.dashboard.trend import LEAST, SPAN_S, full_in, memory_trend
from raysim.spec.sample import PERIOD_S, Sample

MIB = 1 << 20
TOTAL = 1000 * MIB


def samples(count: int, per_minute: float, first: float = 100, start: int = 0) -> list[Sample]:
    """In MiB."""
    return [
        Sample(
            time_ms=(start + number) * PERIOD_S * 1000,
            cpu=0,
            memory_used=round((first + number * per_minute * PERIOD_S / 60) * MIB),
            memory_total=TOTAL,
            **dict.fromkeys(("store_used", "store_capacity", "objects", "on_disk", "spilled"), 0),
            **dict.fromkeys(("restored", "pulled", "workers", "queued"), 0),
            used={},
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("per_minute", [-30.0, 0.0, 12.0])
def test_memory_that_changes_steadily(per_minute: float) -> None:
    trend = memory_trend(samples(30, per_minute, first=500))
    assert trend == pytest.approx(per_minute * MIB, abs=1)


def test_less_than_a_minute_says_nothing() -> None:
    assert memory_trend([]) is None
    assert memory_trend(samples(LEAST - 1, 50)) is None


def test_what_was_long_ago_does_not_count() -> None:
    long_ago = samples(500, 60)
    near = samples(SPAN_S // PERIOD_S, 6, start=500)
    assert memory_trend(long_ago + near) == pytest.approx(6 * MIB, rel=1e-3)


def test_it_is_full_soon_where_it_grows_fast() -> None:
    grown = samples(31, 50)  # Five minutes: 350 MiB of 1000 are used.
    assert full_in(grown) == pytest.approx(13, rel=1e-3)
    assert full_in(samples(31, 5)) is None
    assert full_in(samples(31, -50, first=900)) is None


def test_a_program_that_begins_is_no_alert() -> None:
    assert full_in(samples(30, 50)) is None

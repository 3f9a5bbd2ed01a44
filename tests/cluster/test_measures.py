"""What `soak.py` says of a growing process, and of one that does not grow."""

import os
from random import Random

import pytest

from tests.cluster.measures import Slope, descriptors, own_memory, slope_of


def samples(growth_mib_per_hour: float) -> list[tuple[float, float]]:
    """Of twenty minutes, with noise as of workers that come and go."""
    chance = Random(1)
    return [
        (float(at), 40 + growth_mib_per_hour * at / 3600 + chance.gauss(0, 1))
        for at in range(600, 1800)
    ]


def test_growth_is_told_from_noise() -> None:
    flat, grows = slope_of(samples(0)), slope_of(samples(12))
    assert flat.least < 0 < flat.most
    assert grows.least > 6
    assert grows.least < 12 < grows.most


def test_a_slope_takes_some_time() -> None:
    with pytest.raises(ValueError, match="are 2 means of 30 s"):
        slope_of(samples(0)[:60])
    assert slope_of([(0.0, 1.0), (30.0, 1.5), (60.0, 2.0)]) == Slope(60, 60, 60)


def test_a_process_is_measured() -> None:
    before = descriptors(os.getpid())
    ends = os.pipe()
    assert descriptors(os.getpid()) - before == {"pipe": 2}
    for end in ends:
        os.close(end)
    assert own_memory(os.getpid()) > 5

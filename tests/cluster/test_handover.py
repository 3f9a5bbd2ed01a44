"""Threads and processes that submit together get right answers, all of them. `handover.py` does more of it."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.handover import in_drivers, in_one_driver, in_workers


@pytest.mark.timeout(120)
def test_64_threads_and_8_workers_submit_together(start: Callable[..., Any]) -> None:
    start()
    assert in_one_driver(1, rounds=2) >= 64 * 2
    assert in_workers(1, threads=4, rounds=2) >= 8 * 4 * 2


@pytest.mark.timeout(120)
def test_drivers_of_clusters_of_their_own_do_not_disturb_each_other() -> None:
    in_drivers(1, drivers=2, threads=8, rounds=2)

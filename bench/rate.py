"""Operations a second, by hand. Never under pytest-benchmark: see operation.py."""

import time
from collections.abc import Callable

SECONDS = 1.0
"""Of each measurement, at least. Long enough for ten thousand calls, short enough to alternate."""


def rate(operation: Callable[[], int], seconds: float = SECONDS) -> float:
    """Operations a second; `operation` says how many it did. One call before warms up."""
    operation()
    done, start = 0, time.perf_counter()
    while (passed := time.perf_counter() - start) < seconds:
        done += operation()
    return done / passed

"""How fast a node's memory fills or empties, of its latest samples. Never what is done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from raysim.spec.sample import PERIOD_S, Sample

SPAN_S: Final = 600
"""How far back it looks. Ours: a leak shows, and what one task takes and gives back hardly does."""

LEAST: Final = 60 // PERIOD_S
"""Samples without which nothing is said: a minute of them."""

LEAST_FOR_ALERT_S: Final = 300
"""So long it has to have been seen: programs that begin take memory fast, and stop at some point."""

SOON_MIN: Final = 60.0
"""Minutes until memory is full from which on it is worth an alert: as RaysimMemoryRuns has it."""


def memory_trend(samples: Sequence[Sample]) -> float | None:
    """Bytes a minute, by least squares; None: too few samples."""
    newest = samples[-1].time_ms if samples else 0
    near = [one for one in samples if one.time_ms > newest - SPAN_S * 1000]
    if len(near) < LEAST:
        return None
    minutes = [(one.time_ms - newest) / 60_000 for one in near]
    middle = sum(minutes) / len(minutes)
    mean = sum(one.memory_used for one in near) / len(near)
    spread = sum((at - middle) ** 2 for at in minutes)
    if not spread:
        return None
    together = sum(
        (at - middle) * (one.memory_used - mean) for at, one in zip(minutes, near, strict=True)
    )
    return together / spread


def full_in(samples: Sequence[Sample]) -> float | None:
    """Minutes until the memory is full if it goes on so; None: it does not come to that within `SOON_MIN`."""
    trend = memory_trend(samples)
    if trend is None or trend <= 0:
        return None
    if samples[-1].time_ms - samples[0].time_ms < LEAST_FOR_ALERT_S * 1000:
        return None
    left = (samples[-1].memory_total - samples[-1].memory_used) / trend
    return max(0.0, left) if left <= SOON_MIN else None

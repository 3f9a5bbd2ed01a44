"""This machine's costs: those with which the simulator takes as long for each probe as real processes do.

Each probe is the same program in both worlds. Costs act on several probes (a call of an actor is messages as
well), so that they are fitted one after another, and all once more until none moves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from statistics import median

import raysim as ray
from raysim.fidelity.probes import PROBES, Probe
from raysim.spec.units import NANOSECONDS

ROUNDS = 3
"""Over all costs. Ours: after two, none moved by more than 1 %."""

REPEATS = 5
"""Runs of each probe on real processes, of which the median counts."""

EXACT = 0.002
"""Part of the measured time that the simulated one may be off, to be taken as equal. Ours."""

_MOST_STEPS = 12

_LARGEST_STEP = 4
"""Times the last value: where a cost hardly counts yet, a straight line leads far out."""

_START_NS: Mapping[str, float] = {
    "call": 5_000,
    "message": 5_000,
    "sleep": 60_000,
    "local_latency": 10_000,
    "latency": 30_000,
    "bandwidth": 1.0,
    "worker_start": 10_000_000,
}
"""Where the search begins; of a bandwidth, nanoseconds a byte."""

_LEAST_NS: Mapping[str, float] = {"local_latency": 1_000, "latency": 1_000, "bandwidth": 0.01}
"""Messages that take no time at all would all come in one instant."""


@dataclass(frozen=True)
class Fitted:
    """One cost, with the probe that told it."""

    probe: Probe
    measured_s: float
    simulated_s: float
    """With all costs as they were found."""
    value: float
    """Nanoseconds; of a bandwidth, bytes per second."""

    @property
    def error(self) -> float:
        return abs(self.simulated_s - self.measured_s) / self.measured_s


def calibrate(told: Callable[[str], None] = lambda _: None) -> list[Fitted]:
    """Measure and fit. Takes about a minute; nothing else should run. `told` hears what is under way."""
    measured: dict[str, float] = {}
    for probe in PROBES:
        told(f"measuring: {probe.says}")
        measured[probe.cost] = measure(probe)
    costs = dict(_START_NS)
    for number in range(ROUNDS):
        for probe in PROBES:
            told(f"fitting {probe.cost}, round {number + 1} of {ROUNDS}")
            costs[probe.cost] = _fit(probe, measured[probe.cost], costs)
    return list(_fitted(measured, costs))


def _fitted(measured: Mapping[str, float], costs: Mapping[str, float]) -> Iterator[Fitted]:
    network = network_of(costs)
    for probe in PROBES:
        value = float(network[probe.cost])
        yield Fitted(probe, measured[probe.cost], simulate(probe, costs), value)


def measure(probe: Probe, repeats: int = REPEATS) -> float:
    """Seconds on real processes, each time in a new cluster."""
    return median(_run(probe, "cluster", {}) for _ in range(repeats))


def simulate(probe: Probe, costs: Mapping[str, float]) -> float:
    """Virtual seconds."""
    return _run(probe, "sim", {"network": network_of(costs)})


def _run(probe: Probe, backend: str, world: Mapping[str, object]) -> float:
    ray.init(backend=backend, nodes=probe.nodes, num_cpus=probe.cpus, world=world)
    try:
        return probe.seconds()
    finally:
        ray.shutdown()


def network_of(costs: Mapping[str, float]) -> dict[str, int]:
    """As the simulator is told: nanoseconds, and bytes per second."""
    whole = {name: round(value) for name, value in costs.items() if name != "bandwidth"}
    return {**whole, "bandwidth": round(NANOSECONDS["s"] / costs["bandwidth"])}


def _fit(probe: Probe, measured_s: float, costs: Mapping[str, float]) -> float:
    """By secants: a probe's time is a straight line of its cost, or nearly."""

    def off(value: float) -> float:
        return simulate(probe, {**costs, probe.cost: value}) - measured_s

    least = _LEAST_NS.get(probe.cost, 0.0)
    low, low_off = least, off(least)
    if low_off >= 0:
        return least  # What else it costs is as much already.
    at = max(costs[probe.cost], 2 * least, 1.0)
    at_off = off(at)
    for _ in range(_MOST_STEPS):
        if abs(at_off) <= EXACT * measured_s or at_off == low_off:
            return at
        following = at - at_off * (at - low) / (at_off - low_off)
        following = min(max(following, least), _LARGEST_STEP * at)
        if at_off < 0:
            low, low_off = at, at_off
        at, at_off = following, off(following)
    return at

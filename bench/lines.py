"""What is measured, by name, with its unit and the bars that it has to meet. Never how: see `bench.workloads`.

Most names are those of `ray microbenchmark` (Ray: python/ray/_private/ray_perf.py). Its lines that begin with
`client:` are left out: they are of Ray Client, a proxy that raysim has not.
"""

from enum import Enum
from typing import NamedTuple

OURS = "cluster"
"""The contender that the bars are for."""


class Unit(Enum):
    """Of a line's value, and which way is better."""

    RATE = "/s"
    GIGABYTES = "GB/s"
    SECONDS = "s"
    MEGABYTES = "MB"
    CORE = "% of a core"
    BYTES = "B"
    CPU = "us"

    @property
    def higher_is_better(self) -> bool:
        return self in (Unit.RATE, Unit.GIGABYTES)


class Bar(NamedTuple):
    """Against a rival: at least `value` times as good. Against none: at least as good as `value` itself."""

    value: float
    rival: str | None = None

    def __str__(self) -> str:
        return f"{self.value:g}" if self.rival is None else f"{self.value:g}x {self.rival}"


class Line(NamedTuple):
    name: str
    group: str
    """Lines of one group share a session of each contender; contenders take turns by group."""
    unit: Unit = Unit.RATE
    bars: tuple[Bar, ...] = ()
    size: int | None = None
    """Of a line that asks what size costs: only on demand, and only of `cluster`."""


def against_ray(value: float) -> tuple[Bar, ...]:
    return (Bar(value, "ray"),)


_TASKS = (
    Line("single client tasks and get batch", "tasks", bars=against_ray(40)),
    Line("single client tasks sync", "tasks", bars=against_ray(15)),
    Line(
        "single client tasks async",
        "tasks",
        bars=(Bar(40, "ray"), Bar(4, "ProcessPoolExecutor"), Bar(1.5, "multiprocessing.Pool")),
    ),
    Line("multi client tasks async", "tasks"),
)

_ACTORS = (
    Line("1:1 actor calls sync", "actors", bars=against_ray(8)),
    Line("1:1 actor calls async", "actors", bars=against_ray(25)),
    Line("1:1 actor calls concurrent", "actors"),
    Line("1:n actor calls async", "actors"),
    Line("n:n actor calls async", "actors", bars=against_ray(25)),
    Line("n:n actor calls with arg async", "actors", bars=against_ray(40)),
    Line("1:1 async-actor calls sync", "async actors"),
    Line("1:1 async-actor calls async", "async actors", bars=against_ray(15)),
    Line("1:1 async-actor calls with args async", "async actors"),
    Line("1:n async-actor calls async", "async actors"),
    Line("n:n async-actor calls async", "async actors"),
)

_OBJECTS = (
    Line("single client get calls (Plasma Store)", "objects", bars=against_ray(8)),
    Line("single client put calls (Plasma Store)", "objects", bars=against_ray(25)),
    Line("multi client put calls (Plasma Store)", "objects"),
    Line("single client put gigabytes", "objects", Unit.GIGABYTES),
    Line("put gigabytes, touched", "objects", Unit.GIGABYTES, (Bar(0.85, "memcpy"),)),
    Line("multi client put gigabytes", "objects", Unit.GIGABYTES),
    Line("single client get object containing 10k refs", "references", bars=against_ray(8)),
    Line("single client wait 1k refs", "references", bars=against_ray(10)),
    Line("placement group create/removal", "references", bars=against_ray(6)),
)

_SESSION = (
    Line("start to first result", "session", Unit.SECONDS, (Bar(0.15),)),
    Line("shutdown", "session", Unit.SECONDS, (Bar(0.2),)),
    Line("idle: proportional memory", "session", Unit.MEGABYTES, (Bar(80),)),
    Line("idle: CPU", "session", Unit.CORE, (Bar(0.5),)),
    Line("driver memory of a pending task", "session", Unit.BYTES, (Bar(1536),)),
)

LINES = _TASKS + _ACTORS + _OBJECTS + _SESSION

QUICK_SIZES = 2
"""Of each series: the smallest."""

_KIB, _MIB, _GIB = 1 << 10, 1 << 20, 1 << 30

_SIZES: dict[str, tuple[Unit, tuple[int, ...]]] = {
    "tasks at once": (Unit.RATE, (1_000, 10_000, 100_000, 1_000_000)),
    "put and get of bytes": (Unit.RATE, (1, _KIB, 128 * _KIB, _MIB, 32 * _MIB, _GIB)),
    "workers": (Unit.RATE, (1, 2, 4, 8, 16, 32, 64)),
    "nodes": (Unit.RATE, (1, 2, 4, 8)),
    "driver memory of pending tasks": (Unit.BYTES, (10_000, 100_000, 1_000_000)),
    "driver growth by tasks in waves": (
        Unit.MEGABYTES,
        (1_000, 10_000, 1_000_000, 10_000_000),
    ),
}

SIZE_LINES = tuple(
    Line(f"{series}: {size:,}", series, unit, size=size)
    for series, (unit, sizes) in _SIZES.items()
    for size in sizes
)

FIRST_SIZE_LINES = tuple(
    line for line in SIZE_LINES if line.size in _SIZES[line.group][1][:QUICK_SIZES]
)

BY_NAME = {line.name: line for line in LINES + SIZE_LINES}

"""What a node notes of itself every ten seconds, in a file beside its logs. Never asked of anybody, never sent.

A dashboard reads the file when somebody looks (raysim/dashboard/history.py): while nobody does, it costs a line.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from raysim.protocol.raylet import Raylet
from raysim.spec.ids import NodeId
from raysim.spec.resources import UNITS
from raysim.spec.sample import NAME, PERIOD_S, Sample
from raysim_cluster.memory import of_machine

KEPT: Final = 12 * 3600 // PERIOD_S
"""Twelve hours. The file has up to twice as many, 1 MB or so: then the older half goes."""

_STAT: Final = "/proc/stat"


class SampleFile:
    """The latest ones of a node."""

    def __init__(self, folder: Path, node_id: NodeId, kept: int = KEPT) -> None:
        self.path = folder / f"{NAME}{node_id.hex()[:12]}.log"
        self._kept = kept
        self._lines = 0

    def add(self, sample: Sample) -> None:
        if self._lines >= 2 * self._kept:
            newest = self.path.read_bytes().splitlines(keepends=True)[-self._kept :]
            whole = self.path.with_suffix(".new")
            whole.write_bytes(b"".join(newest))
            whole.replace(self.path)  # Whoever reads it sees the old one or the new one.
            self._lines = len(newest)
        with self.path.open("ab") as file:
            file.write(msgspec.json.encode(sample) + b"\n")
        self._lines += 1


class Sampler:
    """Looks at one node."""

    def __init__(self, raylet: Raylet, store_capacity: int) -> None:
        self._raylet = raylet
        self._store_capacity = store_capacity
        self._busy = Busy()

    def now(self) -> Sample:
        raylet = self._raylet
        local = raylet.view.local
        stats = raylet.restores.stats(raylet.pulls.bytes_pulled)
        used, total = of_machine()
        return Sample(
            time_ms=time.time_ns() // 1_000_000,
            cpu=self._busy.since_last(),
            memory_used=used,
            memory_total=total,
            store_used=stats.used_bytes,
            store_capacity=self._store_capacity,
            objects=stats.objects,
            on_disk=stats.bytes_on_disk,
            spilled=stats.bytes_spilled,
            restored=stats.bytes_restored,
            pulled=stats.bytes_pulled,
            workers=len(raylet.pool.workers),
            queued=local.queued,
            used={
                name: (units - local.available.get(name, 0)) / UNITS
                for name, units in local.total.items()
                if ":" not in name and "_group_" not in name
            },
        )


class Busy:
    """The share of the machine's processors that was busy between two looks."""

    def __init__(self, read: Callable[[], str] | None = None) -> None:
        self._read = read or Path(_STAT).read_text
        self._busy, self._all = self._look()

    def since_last(self) -> float:
        busy, everything = self._look()
        share = (busy - self._busy) / max(1, everything - self._all)
        self._busy, self._all = busy, everything
        return round(min(1.0, max(0.0, share)), 4)

    def _look(self) -> tuple[int, int]:
        """Ticks that were busy, and all: the first line is `cpu user nice system idle iowait ...`."""
        fields = [int(field) for field in self._read().split("\n", 1)[0].split()[1:9]]
        return sum(fields) - fields[3] - fields[4], sum(fields)

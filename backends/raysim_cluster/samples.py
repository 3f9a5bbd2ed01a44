"""What a node notes of itself every ten seconds, for the head. Never asked of anybody, never kept here.

The head keeps it in a file: see sample_keeper. While nobody looks, a sample costs a message and a line.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from raysim.protocol.raylet import Raylet
from raysim.spec.resources import UNITS
from raysim.spec.sample import Sample
from raysim_cluster.memory import of_machine

_STAT: Final = "/proc/stat"

_TRAFFIC: Final = "/proc/net/dev"


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
        received, sent = traffic(Path(_TRAFFIC).read_text())
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
            received=received,
            sent=sent,
            evicted=raylet.memory.ended,
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


def traffic(text: str) -> tuple[int, int]:
    """Bytes that came and went by all networks but the machine's own, of the kernel's table: two lines of headings,
    then `name: received ... sent ...`, the first and the ninth number."""
    received = sent = 0
    for line in text.splitlines()[2:]:
        name, _, numbers = line.partition(":")
        if name.strip() != "lo":
            fields = numbers.split()
            received, sent = received + int(fields[0]), sent + int(fields[8])
    return received, sent

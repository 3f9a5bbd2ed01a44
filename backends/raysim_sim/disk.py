"""The disk of a simulated node: files of spilled objects, in virtual time. Never which objects: see spilling.

It does one thing at a time, in the order of asking. A synthetic object has no bytes: its parts count
as zeros, and a wrong byte in one shows in its checksum all the same.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import TYPE_CHECKING, Final
from zlib import crc32

from raysim.config import MS
from raysim.protocol.disk import PartsRead, Place, Written
from raysim_sim.costs import NO_LIMIT
from raysim_sim.store import SimObjectStore

if TYPE_CHECKING:
    from raysim_sim.hosts import NodeHost

_SECOND: Final = 1_000 * MS


class SpilledFile:
    """Pieces one after another, each the bytes of an object or (None) its size only."""

    def __init__(self, pieces: list[tuple[int, bytes | bytearray | None]]) -> None:
        self.starts: list[int] = []
        self.pieces: list[bytes | bytearray | None] = []
        self.size = 0
        for size, data in pieces:
            self.starts.append(self.size)
            self.pieces.append(data)
            self.size += size
        self.wrong: list[int] = []
        """Positions of bytes that are not what was written."""

    def read(self, position: int, size: int) -> memoryview | None:
        """Within one piece. None where there is a size only."""
        index = bisect_right(self.starts, position) - 1
        data = self.pieces[index]
        if data is None:
            return None
        start = position - self.starts[index]
        read = memoryview(data)[start : start + size]
        if not self.wrong:
            return read  # Not a copy: what is sealed never changes.
        copy = bytearray(read)
        for wrong in self._wrong_in(position, size):
            copy[wrong - position] ^= 0xFF
        return memoryview(copy)

    def checksum(self, position: int, size: int) -> int:
        data = self.read(position, size)
        return sum(1 for _ in self._wrong_in(position, size)) if data is None else crc32(data)

    def _wrong_in(self, position: int, size: int) -> Iterator[int]:
        return (wrong for wrong in self.wrong if position <= wrong < position + size)


class SimDisk:
    """Implements SpillDisk. What it has done is told to the node process, while that runs."""

    def __init__(self, host: NodeHost, store: SimObjectStore) -> None:
        self._host = host
        self._store = store
        self._free_at_ns = 0
        self.files: dict[int, SpilledFile] = {}
        self.lost: dict[int, None] = {}
        """Files that a fault took away."""
        self.full = 0
        """Faults that have it full."""
        self.slow: list[float] = []
        """How many times slower each fault makes it."""

    def usage(self) -> float:
        return 1.0 if self.full else 0.0

    def write(
        self,
        file: int,
        places: Sequence[Place],
        part_bytes: int,
        done: Callable[[Written], None],
    ) -> None:
        # Nothing is copied: what is sealed never changes, and a place's bytes are never used again.
        content = SpilledFile([(size, self._store.content(handle)) for handle, size in places])

        def written() -> None:
            if self.full:
                done(Written(problem="no space left on its disk"))
                return
            self.files[file] = content
            sums = []
            for start, (_, size) in zip(content.starts, places, strict=True):
                sums.append(_sums(content, start, size, part_bytes))
            done(Written(sums))

        self._work(content.size, written)

    def read(
        self,
        file: int,
        position: int,
        size: int,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        def read() -> None:
            data, found = self._read(file, position, size, part_bytes)
            done(PartsRead(found.checksums, bytes(data), found.problem))

        self._work(size, read)

    def fill(
        self,
        file: int,
        position: int,
        place: Place,
        part_bytes: int,
        done: Callable[[PartsRead], None],
    ) -> None:
        handle, size = place

        def filled() -> None:
            data, found = self._read(file, position, size, part_bytes)
            if data:
                self._store.write(handle, [data])
            done(found)

        self._work(size, filled)

    def _read(
        self, file: int, position: int, size: int, part_bytes: int
    ) -> tuple[bytes | memoryview, PartsRead]:
        content = self.files.get(file)
        if content is None:
            return b"", PartsRead(problem="the file is gone")
        sums = _sums(content, position, size, part_bytes)
        return content.read(position, size) or b"", PartsRead(sums)

    def delete(self, file: int) -> None:
        if file in self.lost:
            del self.lost[file]
        else:
            del self.files[file]

    def numbers(self) -> list[int]:
        """Of the files that are there, as far as the raylet knows."""
        return [*self.files, *self.lost]

    def clear(self) -> None:
        """The node process has ended."""
        self.files.clear()
        self.lost.clear()

    # --- what faults do to it ---

    def lose(self, rng: Random) -> str:
        """One file, and which; empty: there is none."""
        if not self.files:
            return ""
        file = rng.choice(list(self.files))
        del self.files[file]
        self.lost[file] = None
        return f"file {file}"

    def corrupt(self, rng: Random) -> str:
        """A byte of one file, and which; empty: there is none."""
        files = [file for file, content in self.files.items() if content.size]
        if not files:
            return ""
        file = rng.choice(files)
        position = rng.randrange(self.files[file].size)
        self.files[file].wrong.append(position)
        return f"byte {position} of file {file}"

    def _work(self, size: int, action: Callable[[], None]) -> None:
        clock, costs = self._host.clock, self._host.world.costs
        duration = float(costs.disk_latency)
        if costs.disk_bandwidth != NO_LIMIT:
            duration += size * _SECOND / costs.disk_bandwidth
        for factor in self.slow:
            duration *= factor
        now = clock.now_ns
        self._free_at_ns = max(now, self._free_at_ns) + int(duration)
        delay_ns = self._free_at_ns - now
        clock.expected += 1

        def over() -> None:
            clock.expected -= 1
            clock.active_ns = clock.now_ns

        clock.call(delay_ns, over)
        self._host.call_later(delay_ns, action)


def _sums(content: SpilledFile, position: int, size: int, part_bytes: int) -> list[int]:
    end = position + size
    return [
        content.checksum(start, min(part_bytes, end - start))
        for start in range(position, end, part_bytes)
    ]

"""What processes hold, and whether it grows: memory, descriptors, files. Read from /proc, never asked of them."""

import contextlib
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

SECONDS_OF_A_MEAN = 30.0
"""Samples nearer than that are not independent of each other."""

HOUR = 3600.0

Samples = list[tuple[float, float]]
"""Seconds since the start, and MiB."""


@dataclass(frozen=True)
class Slope:
    """MiB an hour, and the ends of its interval of 95 %."""

    value: float
    least: float
    most: float

    def __str__(self) -> str:
        return f"{self.value:+.1f} MiB/h ({self.least:+.1f} to {self.most:+.1f})"


def slope_of(samples: Samples) -> Slope:
    """By least squares, of means. Raises ValueError where there are fewer than three of these."""
    means = list(_means(samples))
    if len(means) < 3:
        raise ValueError(
            f"{len(samples)} samples are {len(means)} means of {SECONDS_OF_A_MEAN:g} s, and a slope takes 3"
        )
    mean_at, mean = fmean(at for at, _ in means), fmean(size for _, size in means)
    spread = sum((at - mean_at) ** 2 for at, _ in means)
    slope = sum((at - mean_at) * (size - mean) for at, size in means) / spread
    left = sum((size - mean - slope * (at - mean_at)) ** 2 for at, size in means)
    error = _student(len(means) - 2) * (left / (len(means) - 2) / spread) ** 0.5
    return Slope(slope * HOUR, (slope - error) * HOUR, (slope + error) * HOUR)


def _student(freedom: int) -> float:
    """Near the quantile of 97.5 % of Student's t."""
    return 12.7 if freedom == 1 else 1.96 + 2.4 / freedom + 5.0 / freedom**3


def _means(samples: Samples) -> Iterator[tuple[float, float]]:
    parts: dict[int, Samples] = {}
    for at, size in samples:
        parts.setdefault(int(at // SECONDS_OF_A_MEAN), []).append((at, size))
    for part in parts.values():
        yield fmean(at for at, _ in part), fmean(size for _, size in part)


def own_memory(pid: int) -> float:
    """MiB of its own, shared with its forks or not: neither the object store nor files. 0 for one that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) / 1024
    return 0.0


def proportional_memory(pid: int) -> float:
    """MiB, the object store and files among them, by the part that is its. 0 for one that has ended."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


def descriptors(pid: int) -> Counter[str]:
    """By what they are: socket, pipe, memfd, an eventfd, or the folder of a file."""
    found: Counter[str] = Counter()
    folder = Path(f"/proc/{pid}/fd")
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):
            with contextlib.suppress(OSError):
                found[_kind(os.readlink(folder / name))] += 1
    return found


def _kind(link: str) -> str:
    if link.startswith(("/memfd:", "anon_inode:")):
        return link.split()[0].lstrip("/")
    return link.split(":")[0] if ":[" in link else str(Path(link.split()[0]).parent)


def files_in(folder: Path) -> Counter[str]:
    """How many there are by their ending, below it."""
    return Counter(path.suffix or path.name for path in folder.rglob("*") if not path.is_dir())


def shared_memory() -> set[str]:
    """Names of segments that a process would have to remove."""
    return set(os.listdir("/dev/shm"))

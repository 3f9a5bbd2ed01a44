"""What a cluster takes that nobody uses: a head and a node, each process's memory, and processor time.

    python -m bench.idle --seconds 30

Proportional memory counts a page that several processes share once, spread over them.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from typing import Final

import psutil

MEMORY_MB: Final = 80
"""The bar, of a head and one node."""

CPU_PERCENT: Final = 1.0
"""Of one core."""

SETTLING_S: Final = 3.0


def processes_in(folder: str) -> list[psutil.Process]:
    """Those that were started with this as their folder for temporary files."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("TMPDIR") == folder:
                found.append(process)
        except psutil.Error:  # Another user's, or gone.
            continue
    return found


def cpu_s(processes: list[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def measure(processes: list[psutil.Process], seconds: float) -> tuple[float, float]:
    """MB and percent of a core in all; prints each."""
    before, began = cpu_s(processes), time.monotonic()
    time.sleep(seconds)
    percent = 100 * (cpu_s(processes) - before) / (time.monotonic() - began)
    total = 0.0
    print(f"{'process':15} {'proportional':>12} {'its own':>10}")
    for process in processes:
        memory = process.memory_full_info()
        total += memory.pss / 1e6
        print(f"{process.name():15} {memory.pss / 1e6:9.1f} MB {memory.uss / 1e6:7.1f} MB")
    print(f"{'in all':15} {total:9.1f} MB, {percent:.2f} % of a core in {seconds:g} s")
    return total, percent


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10.0, help="of watching; default 10")
    parser.add_argument("--nodes", type=int, default=1, help="beside the head; default 1")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="raysim-idle-") as folder:
        environment = {**os.environ, "HOME": folder, "TMPDIR": folder}

        def raysim(*args: str) -> str:
            command = [sys.executable, "-m", "raysim", *args]
            return subprocess.run(
                command, env=environment, check=True, stdout=subprocess.PIPE, text=True
            ).stdout

        size = ("--num-cpus", "2", "--object-store-memory", "64MiB")
        try:
            said = raysim("start", "--head", "--port", "0", "--dashboard-port", "0", *size)
            address = said.split("runs at ")[1].split(". ")[0]
            for _ in range(asked.nodes):
                raysim("start", "--address", address, *size)
            time.sleep(SETTLING_S)
            total, percent = measure(processes_in(folder), asked.seconds)
        finally:
            raysim("stop")
    if asked.nodes != 1:
        return 0
    print(f"bars: {MEMORY_MB} MB, {CPU_PERCENT:g} % of a core")
    return 0 if total <= MEMORY_MB and percent < CPU_PERCENT else 1


if __name__ == "__main__":
    sys.exit(main())

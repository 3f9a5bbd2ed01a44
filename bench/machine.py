"""What a run was measured on, and how idle that was. Never judges it."""

import os
import platform
from pathlib import Path
from typing import Any

import psutil

from bench.contenders import Ready


def described() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
    }


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def load() -> float:
    """Processes that wanted a core, over the last minute: about 0 before a run on an idle machine."""
    return round(os.getloadavg()[0], 2)


def header(
    machine: dict[str, Any], loads: tuple[float, float], seconds: float, ready: list[Ready]
) -> str:
    """Of the table, in Markdown."""
    who = ", ".join(f"{one.participant.name} ({one.version})" for one in ready)
    return (
        f"{machine['cores']} cores ({machine['processor']}), {machine['memory_gib']} GiB, "
        f"{machine['system']}, Python {machine['python']}. "
        f"Load average {loads[0]} before, {loads[1]} after.\n\nMeasured: {who}. "
        f"It took {seconds / 60:.1f} minutes."
    )

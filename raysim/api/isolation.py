"""`enable_resource_isolation` of `init`, and what goes with it: checked. Never makes a cgroup.

The checks and the defaults are Ray's (`resource_isolation_config.py`).
"""

import os
from collections.abc import Mapping
from typing import Any, Final

from raysim.spec.isolation import WEIGHTS, Isolation

ARGUMENTS: Final = (
    "enable_resource_isolation",
    "cgroup_path",
    "system_reserved_cpu",
    "system_reserved_memory",
)

CGROUPS: Final = "/sys/fs/cgroup"
"""Where Linux has them. Ray: `DEFAULT_CGROUP_PATH`."""

CPU_SHARE, LEAST_CPUS, MOST_CPUS = 0.05, 1.0, 3.0
"""Cores kept where nothing is said: a part of all, within bounds. Ray: `DEFAULT_SYSTEM_RESERVED_CPU_*`."""

MEMORY_SHARE, LEAST_MEMORY, MOST_MEMORY = 0.10, 500 << 20, 10 << 30
"""Bytes, likewise. Ray: `DEFAULT_SYSTEM_RESERVED_MEMORY_*`."""


def isolation(rest: Mapping[str, Any]) -> Isolation | None:
    """None where it is not asked for. Raises ValueError."""
    if not rest.get(ARGUMENTS[0]):
        for name in ARGUMENTS[1:]:
            if rest.get(name) is not None:
                raise ValueError(
                    f"{name} cannot be set when resource isolation is not enabled. "
                    "Set enable_resource_isolation=True."
                )
        return None
    cpus = float(len(os.sched_getaffinity(0)))
    weight = int(_cpus(rest.get("system_reserved_cpu"), cpus) / cpus * WEIGHTS)
    memory = _memory(rest.get("system_reserved_memory"))
    path = rest.get("cgroup_path") or CGROUPS
    if not isinstance(path, str):
        raise ValueError(f"Invalid value={path} for cgroup_path. Use the path of a cgroup.")
    return Isolation(path, weight, memory)


def _cpus(given: Any, there: float) -> float:
    if there < LEAST_CPUS:
        raise ValueError(f"This machine has {there:g} cores, less than the {LEAST_CPUS:g} to keep.")
    if given is None:
        given = min(max(LEAST_CPUS, CPU_SHARE * there), MOST_CPUS)
    if not isinstance(given, int | float):
        raise ValueError(
            f"Invalid value={given} for system_reserved_cpu. Use a number of cores to keep."
        )
    if given < LEAST_CPUS:
        raise ValueError(
            f"The requested system_reserved_cpu={given} is less than the minimum, {LEAST_CPUS:g}."
        )
    if given >= there:
        raise ValueError(
            f"The requested system_reserved_cpu={given} is greater than or equal to the number of cpus "
            f"available={there:g}. Keep fewer."
        )
    return float(given)


def _memory(given: Any) -> int:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if there < LEAST_MEMORY:
        raise ValueError(f"This machine has {there} bytes, less than the {LEAST_MEMORY} to keep.")
    if given is None:
        given = int(min(max(LEAST_MEMORY, MEMORY_SHARE * there), MOST_MEMORY))
    if not isinstance(given, int):
        raise ValueError(
            f"Invalid value {given} for system_reserved_memory. Use a whole number of bytes to keep."
        )
    if given < LEAST_MEMORY:
        raise ValueError(
            f"The requested system_reserved_memory {given} is less than the minimum, {LEAST_MEMORY}."
        )
    if given > there:
        raise ValueError(
            f"The total requested system_reserved_memory={given} is greater than the amount of memory "
            f"available={there}."
        )
    return given

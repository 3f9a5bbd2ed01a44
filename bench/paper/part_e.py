"""Dominant resource fairness: two users and two resources, exact

Ghodsi et al., NSDI 2011, figure 1: of 9 CPU and 18 GB user A asks for <1 CPU, 4 GB> a task, user B for <3 CPU, 1 GB>.
One simulated node under `queue: drf`; both users have more tasks than fit by the time it becomes free.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import raysim
from bench.paper.row import Row, exact

GB: Final = 10**9
CPUS, MEMORY = 9, 18 * GB
ASKS: Final[dict[str, dict[str, int]]] = {
    "A": {"num_cpus": 1, "memory": 4 * GB},
    "B": {"num_cpus": 3, "memory": 1 * GB},
}
RUNS: Final = {"A": 3, "B": 2}
EACH: Final = 10


def rows(data: Path) -> Iterator[Row]:
    """Reads nothing."""
    running = run_together()
    for user, asks in ASKS.items():
        yield exact(f"tasks of user {user} that run together", RUNS[user], running[user])
        share = max(
            running[user] * asks["num_cpus"] / CPUS, running[user] * asks["memory"] / MEMORY
        )
        yield exact(f"dominant share of user {user}", 2 / 3, share)


def run_together() -> Counter[str]:
    """By user, the tasks that begin when the node becomes free."""
    raysim.init(
        backend="sim",
        num_cpus=CPUS,
        _memory=MEMORY,
        _system_config={"queue": "drf"},
        world={"network": "free"},
    )
    try:
        asked = [one for _ in range(EACH) for one in ("A", "B")]
        whole = _task({"num_cpus": CPUS}, "nobody").remote()
        begun = raysim.get([_task(ASKS[user], user).remote() for user in asked])
        raysim.get(whole)
    finally:
        raysim.shutdown()
    return Counter(user for user, at in zip(asked, begun, strict=True) if at == min(begun))


def _task(asks: dict[str, int], user: str) -> Any:
    """Says when it began, and takes a second."""

    def run() -> float:
        began = time.monotonic()
        time.sleep(1)
        return began

    return raysim.remote(run).options(**asks, _labels={"raysim.io/user": user})

"""Dominant resource fairness: two users and two resources, exact

Ghodsi et al., NSDI 2011, figure 1: of 9 CPU and 18 GB user A asks for <1 CPU, 4 GB> a task, user B for <3 CPU, 1 GB>. One
simulated node; both submit more tasks than fit, and none ends.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import raysim
from bench.paper.row import Row, exact

GB = 10**9
CPUS, MEMORY = 9, 18 * GB
ASKS: dict[str, dict[str, int]] = {
    "A": {"num_cpus": 1, "memory": 4 * GB},
    "B": {"num_cpus": 3, "memory": 1 * GB},
}
RUNS = {"A": 3, "B": 2}
EACH = 10


def rows(data: Path) -> Iterator[Row]:
    """Reads nothing."""
    running = _running()
    for user, asks in ASKS.items():
        yield exact(f"tasks of user {user} that run", RUNS[user], running[user])
        share = max(asks["num_cpus"] / CPUS, asks["memory"] / MEMORY) * running[user]
        yield exact(f"dominant share of user {user}", 2 / 3, share)


def _running() -> Counter[str]:
    """By user, the tasks that run once no more fit."""
    started: Counter[str] = Counter()
    raysim.init(
        backend="sim",
        num_cpus=CPUS,
        _memory=MEMORY,
        _system_config={"queue": "drf"},
        world={"network": "free"},
    )
    try:

        @raysim.remote(num_cpus=0)
        class Log:
            def add(self, user: str) -> None:
                started[user] += 1

        log: Any = Log.remote()  # type: ignore[attr-defined]  # Made by the decorator.

        def run(user: str) -> None:
            log.add.remote(user)
            raysim.util.sleep(1)

        del run
    finally:
        raysim.shutdown()
    return started

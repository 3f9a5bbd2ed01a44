"""How evenly users were served. Never says who a user is: the workload does."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from raysim.scenario.task_records import Records


class Fairness(msgspec.Struct, frozen=True):
    """By progress, which is 1 / mean slowdown, and by finish time; None where nobody can be compared."""

    jain: float | None = None
    max_min: float | None = None
    finish_time: float | None = None


class _User:
    def __init__(self) -> None:
        self.tasks = 0
        self.slowdowns = 0.0
        self.core_seconds = 0.0
        self.longest_s = 0.0
        self.first_s = float("inf")
        self.last_s = 0.0


def fairness(records: Records, users: Sequence[str] | None, cores: float | None) -> Fairness:
    """Of completed tasks that take time. `users`: of each task, in the order of the records."""
    found: dict[str, _User] = {}
    if users is not None:
        columns = (users, records.submitted_s, records.start_s, records.end_s, records.cores)
        for name, came_s, start_s, end_s, wanted in zip(*columns, strict=True):
            if end_s > start_s:
                _count(found.setdefault(name, _User()), came_s, start_s, end_s, wanted)
    if len(found) < 2:
        return Fairness()
    progress = [user.tasks / user.slowdowns for user in found.values()]
    return Fairness(
        jain(progress),
        min(progress) / max(progress),
        max(_finish_time(user, cores / len(found)) for user in found.values()) if cores else None,
    )


def _count(user: _User, came_s: float, start_s: float, end_s: float, cores: float) -> None:
    user.tasks += 1
    user.slowdowns += (end_s - came_s) / (end_s - start_s)
    user.core_seconds += (end_s - start_s) * cores
    user.longest_s = max(user.longest_s, end_s - start_s)
    user.first_s = min(user.first_s, came_s)
    user.last_s = max(user.last_s, end_s)


def jain(values: Sequence[float]) -> float:
    """(sum x)^2 / (n sum x^2): 1 where all are alike, 1/n where one has everything."""
    return sum(values) ** 2 / (len(values) * sum(value * value for value in values))


def _finish_time(user: _User, share: float) -> float:
    """Themis' rho: shared over alone, on an equal share of the cores."""
    alone_s = max(user.longest_s, user.core_seconds / share)
    return (user.last_s - user.first_s) / alone_s

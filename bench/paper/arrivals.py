"""Tasks that come to a simulated cluster, under a policy, through the whole protocol. Never what is measured of them.

On a free network: models of queues let no message take time. What one driver submits at one moment is
placed within SEND_AFTER_NS, 0.2 ms. Each job is a scheduling class of its own, as is a scheduler's job there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, NoReturn

from raysim.backend import Backend, InitOptions, NodeOptions, RemoteTarget, TaskOptions, load
from raysim.config import Config
from raysim.journal import Journal, TaskEnded
from raysim.spec.task import Work

SECOND_NS = 1_000_000_000
NEVER_NS = 10**18
"""Of reports and health checks, which nobody needs here."""


class Job(NamedTuple):
    at_s: float
    name: str
    tasks: int
    duration_ns: int
    """Of each of its tasks, which run on one core."""


def run(
    nodes: int,
    cpus: int,
    policy: str,
    jobs: Iterable[Job],
    told: Callable[[TaskEnded], None],
    seed: int,
    fresh: bool = False,
) -> None:
    """Submit each job at its moment and wait until all have ended. `fresh`: each change of a node is told at once."""
    ended = 0

    def follow(note: object) -> None:
        nonlocal ended
        if type(note) is TaskEnded:
            assert note.status == "finished", f"{note.name} {note.status}: {note.reason}"
            ended += 1
            told(note)

    journal = Journal(keep=False, digest=False)
    journal.follow(follow)
    with _cluster(nodes, cpus, policy, journal, seed, fresh) as backend:
        start_s, submitted = backend.now(), 0
        target = RemoteTarget(_never_called, "task")
        for job in jobs:
            backend.sleep(max(0.0, start_s + job.at_s - backend.now()))
            work = Work(job.duration_ns, (0,))
            options = TaskOptions(name=job.name, max_retries=0, hidden=True, work=work)
            for _ in range(job.tasks):
                backend.submit_task(target, options, (), {})
            submitted += job.tasks
        while ended < submitted:
            backend.sleep(1.0)


@contextmanager
def _cluster(
    nodes: int, cpus: int, policy: str, journal: Journal, seed: int, fresh: bool
) -> Iterator[Backend]:
    options: dict[str, Any] = {
        "nodes": [NodeOptions(num_cpus=cpus, name=f"node-{one}") for one in range(nodes)],
        "config": Config(
            policy=policy,
            resource_report_period_ns=0 if fresh else NEVER_NS,
            health_check_period_ns=NEVER_NS,
        ),
        "seed": seed,
        "journal": journal,
        "world": {"network": "free"},
    }
    world = load("sim")(InitOptions(**options))
    try:
        yield world.connect()
    finally:
        world.stop()


def _never_called(*_: object) -> NoReturn:
    raise AssertionError("a synthetic task runs no Python")

"""What must stand before the clock of a run starts in a real world. Never part of what is measured.

In virtual time a world is whole when the driver has joined. Real nodes join one after another; and
where durations are scaled, the start of a worker process is not, so that its milliseconds would count
as seconds: then the workers that the cores can use are started first.
"""

from __future__ import annotations

from typing import Final, NoReturn

from raysim.backend import Backend, RemoteTarget, TaskOptions
from raysim.config import Config
from raysim.exceptions import RaySystemError
from raysim.journal import Journal, TaskEnded
from raysim.scenario.model import NodeGroup
from raysim.spec.ids import NodeId
from raysim.spec.task import NodeAffinity, Work
from raysim.spec.units import NANOSECONDS

JOIN_TIMEOUT_S: Final = 60.0
"""Seconds until nodes that do not join are an error. Ours; joining takes well under 1 s."""

REST_TIMEOUT_S: Final = 10.0
"""Seconds until cores that are not given back are an error. Ours; idle leases are kept for 50 ms."""

_POLL_S: Final = 0.01
_FIRST_ROUND_NS: Final = 50_000_000
_ROUNDS: Final = 5
"""Rounds of warming up: each occupies all cores twice as long as the one before, 1.6 s in all."""


def await_nodes(backend: Backend, count: int) -> list[str]:
    """The ids in hex of the nodes `node-0` ..., in that order, when all have joined."""
    until = backend.now() + JOIN_TIMEOUT_S
    while True:
        joined = {row["NodeName"]: str(row["NodeID"]) for row in backend.nodes() if row["Alive"]}
        if len(joined) >= count:
            return [joined[f"node-{index}"] for index in range(count)]
        if backend.now() >= until:
            names = ", ".join(sorted(joined)) or "none"
            raise RaySystemError(
                f"Only {len(joined)} of {count} nodes joined within {JOIN_TIMEOUT_S:g} s: {names}. "
                "Ask for fewer nodes, or look into the logs of the session."
            )
        backend.sleep(_POLL_S)


def start_workers(
    backend: Backend, journal: Journal, node_ids: list[str], groups: list[NodeGroup]
) -> None:
    """Occupy all cores of all nodes at once, until as many workers as cores have run something."""
    wanted = sum(int(group.cpus) for group in groups)
    target = RemoteTarget(_never_called, "warm_up")
    for number in range(_ROUNDS):
        work = Work(_FIRST_ROUND_NS << number, (0,))
        refs = [
            backend.submit_task(target, _on(node_id, work), (), {})[0]
            for node_id, group in zip(node_ids, groups, strict=True)
            for _ in range(int(group.cpus))
        ]
        backend.wait(refs, len(refs), None, False)
        seen = {what.worker_id for *_, what in journal.records if isinstance(what, TaskEnded)}
        if len(seen) >= wanted:
            break
    _await_rest(backend, sum(group.cpus for group in groups))


def _await_rest(backend: Backend, cpus: float) -> None:
    """Until all cores are free again, and every node has heard that they are."""
    until = backend.now() + REST_TIMEOUT_S
    while backend.available_resources().get("CPU", 0) < cpus:
        if backend.now() >= until:
            raise RaySystemError(
                f"Of {cpus:g} cores some are still taken {REST_TIMEOUT_S:g} s after warming up: "
                f"{backend.available_resources()}. Is something else running in this cluster?"
            )
        backend.sleep(_POLL_S)
    backend.sleep(2 * Config().resource_report_period_ns / NANOSECONDS["s"])


def _on(node_id: str, work: Work) -> TaskOptions:
    strategy = NodeAffinity(NodeId(bytes.fromhex(node_id)))
    return TaskOptions(name="warm_up", strategy=strategy, work=work)


def _never_called(*_: object) -> NoReturn:
    raise AssertionError("a synthetic task runs no Python")

"""What the node does when its memory runs out: one worker ends, and its work runs again. Never measures.

The host tells what is used. The owner is told before the worker ends, because only the raylet knows why it
does: a retry for this reason is none of those that a task has for crashes.
"""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.config import MS
from raysim.policies.memory import Candidate, Verdict, choose
from raysim.protocol.host import RayletHost
from raysim.protocol.messages import LeaseLost
from raysim.protocol.messages.state import Ending
from raysim.protocol.raylet.lease import Lease
from raysim.protocol.raylet.workers import Worker, WorkerPool

NOTICE_NS = 100 * MS
"""Nanoseconds until a worker ends whose owner does not answer. Ours: many times a message's way."""

SHOWN = 10
"""Workers that the reason lists, those that use most. Ours, as Ray's reason has them."""

GIB = 1 << 30


class MemoryUsage(msgspec.Struct):
    """Of a node, in bytes. `of_worker`: what the worker with this token uses alone."""

    used: int
    total: int
    of_worker: Callable[[int], int]


class MemoryMonitor:
    def __init__(self, host: RayletHost, pool: WorkerPool) -> None:
        self._host = host
        self._pool = pool
        self._ending = -1
        """The token of the worker that is to end."""
        self.ended = 0
        """Workers so far."""

    def measured(self, usage: MemoryUsage) -> str:
        """The host looked, as it does every now and then. Why which worker ends now; empty: none."""
        config = self._host.config
        if usage.used <= config.memory_usage_threshold * usage.total:
            return ""
        if self._pool.by_token(self._ending) is not None:
            return ""  # What it frees shows only once it is gone.
        verdict = choose([_candidate(w, w.lease) for w in self._pool.workers.values() if w.lease])
        if verdict is None:
            return ""
        worker = self._pool.by_token(verdict.token)
        assert worker is not None, f"the policy chose worker {verdict.token}, which is not there"
        self.ended += 1
        return self._end(worker, verdict, usage)

    def _end(self, worker: Worker, verdict: Verdict, usage: MemoryUsage) -> str:
        lease = worker.lease
        assert lease is not None, "the policy chose a worker that runs nothing"
        reason = self._reason(worker, usage)
        self._ending = worker.token
        worker.ending = Ending.NODE_OUT_OF_MEMORY
        if lease.request.actor_id is not None:
            self._pool.kill(worker, reason)  # The GCS hears of the end from here, with the reason.
            return reason
        self._pool.leaving(worker, reason, intended=False)
        self._host.send(
            lease.owner,
            LeaseLost(lease.request.lease_id, worker.address, reason, True, verdict.final),
        )
        self._host.call_later(NOTICE_NS, partial(self._kill, worker.token, reason))
        return reason

    def _kill(self, token: int, reason: str) -> None:
        worker = self._pool.by_token(token)
        if worker is not None:  # Its owner did not return it.
            self._pool.kill(worker, reason)

    def _reason(self, worker: Worker, usage: MemoryUsage) -> str:
        uses = {w.token: usage.of_worker(w.token) for w in self._pool.workers.values()}
        most = sorted(uses.items(), key=lambda one: (-one[1], one[0]))[:SHOWN]
        table = ", ".join(f"worker {token} {_gib(size)}" for token, size in most)
        retriable = worker.lease is not None and worker.lease.request.retriable
        why = "its work may run again" if retriable else "no work here may run again"
        return (
            f"its node ran out of memory: {_gib(usage.used)} of {_gib(usage.total)} are used, more than "
            f"memory_usage_threshold={self._host.config.memory_usage_threshold:g} allows. Worker "
            f"{worker.token} used {_gib(uses[worker.token])}; it ends because {why}, and of its owner's it was given "
            f"its work last (most use: {table}). Ask for memory with .options(memory=...), so that fewer run at once"
        )


def _candidate(worker: Worker, lease: Lease) -> Candidate:
    request = lease.request
    return Candidate(worker.token, lease.owner.worker_id, request.retriable, lease.since_ns)


def _gib(size: int) -> str:
    return f"{size / GIB:.2f} GiB"

"""The node's worker processes: starting, idle, leased, ending. Never which lease gets one: see leases."""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.config import MS
from raysim.protocol.host import RayletHost, Timer
from raysim.protocol.messages import ExitWorker
from raysim.protocol.raylet.lease import Lease
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId
from raysim.spec.resources import CPU, UNITS, Resources

START_ROUNDS = 6
"""Rounds of failed starts in a row after which requests are refused. Ours."""

START_PAUSE_NS = 10 * MS
"""Nanoseconds of the second pause between such rounds (the first is none); each is 4 times the last. Ours."""


class Worker(msgspec.Struct, gc=False):
    """A process that has registered."""

    address: Address
    token: int
    lease: Lease | None = None
    idle_ns: int = 0
    exiting: bool = False
    """It said, or was told, that it ends: never lent again."""
    intended: bool = False
    reason: str = ""
    """Why it ends, if that is known before it does."""
    blocked: int = 0
    """Number of the WorkerBlocked in force, else 0."""
    last_block: int = 0


class WorkerPool:
    """`on_start_failed(reason)`: workers do not start, again and again; those who wait are to be told."""

    def __init__(
        self, host: RayletHost, total: Resources, on_start_failed: Callable[[str], None]
    ) -> None:
        self._host = host
        self._on_start_failed = on_start_failed
        limit = host.config.worker_soft_limit
        self._soft_limit = limit if limit >= 0 else -(-total.get(CPU, 0) // UNITS)
        self._tokens = 0
        self._wanted = 0
        self._starting: dict[int, Timer] = {}
        self._by_token: dict[int, Worker] = {}
        self._idle: dict[WorkerId, Worker] = {}
        self._idle_timer = False
        self._pausing = False
        self._failed_rounds = 0
        self.workers: dict[WorkerId, Worker] = {}

    def get(self, address: Address) -> Worker | None:
        return self.workers.get(address.worker_id)

    def by_token(self, token: int) -> Worker | None:
        return self._by_token.get(token)

    # --- starting ---------------------------------------------------------------------------------

    def want(self, count: int) -> None:
        """So many leases wait for a worker: have as many starting, and no more."""
        self._wanted = count
        while len(self._starting) < count and not self._pausing:
            self._tokens = token = self._tokens + 1
            self._starting[token] = self._host.call_later(
                self._host.config.worker_start_timeout_ns, partial(self._give_up, token)
            )
            self._host.workers.start(token)

    def registered(self, address: Address, token: int) -> Worker | None:
        """The process is up. None for a token that nobody waits for."""
        timer = self._starting.pop(token, None)
        if timer is None:
            return None
        timer.cancel()
        self._failed_rounds = 0
        worker = Worker(address, token)
        self.workers[address.worker_id] = self._by_token[token] = worker
        return worker

    def start_ended(self, token: int, reason: str) -> None:
        """A process ended before it registered."""
        timer = self._starting.pop(token, None)
        if timer is None:
            return
        timer.cancel()
        if self._pausing:
            return  # Those that fail together count once.
        self._pausing = True
        rounds = self._failed_rounds = self._failed_rounds + 1
        pause_ns = START_PAUSE_NS * 4 ** (rounds - 2) if rounds > 1 else 0
        self._host.call_later(pause_ns, partial(self._resume, reason))

    def _resume(self, reason: str) -> None:
        self._pausing = False
        if self._failed_rounds >= START_ROUNDS:
            self._failed_rounds = 0
            self._on_start_failed(reason)
        self.want(self._wanted)

    def _give_up(self, token: int) -> None:
        self._host.workers.kill(token)
        seconds = self._host.config.worker_start_timeout_ns / 1e9
        self.start_ended(token, f"it did not register within {seconds:g} s")

    # --- idle -------------------------------------------------------------------------------------

    def take(self) -> Worker | None:
        """The worker that was busy last: its caches are warm."""
        if not self._idle:
            return None
        return self._idle.popitem()[1]

    def put_back(self, worker: Worker) -> None:
        worker.idle_ns = self._host.now_ns()
        self._idle[worker.address.worker_id] = worker
        if len(self._idle) > self._soft_limit and not self._idle_timer:
            self._idle_timer = True
            self._host.call_later(self._host.config.idle_worker_keep_ns, self._shrink)

    def _shrink(self) -> None:
        """Let those above the soft limit go that have been idle for long: the oldest come first."""
        self._idle_timer = False
        keep_ns = self._host.config.idle_worker_keep_ns
        now = self._host.now_ns()
        while len(self._idle) > self._soft_limit:
            worker = next(iter(self._idle.values()))
            left_ns = worker.idle_ns + keep_ns - now
            if left_ns > 0:
                self._idle_timer = True
                self._host.call_later(left_ns, self._shrink)
                return
            self._leave(worker, f"idle for {keep_ns / 1e9:g} s, above the limit of idle workers")
            self._host.send(worker.address, ExitWorker(worker.reason))

    # --- ending -----------------------------------------------------------------------------------

    def leaving(self, worker: Worker, reason: str, intended: bool) -> None:
        """It said that it ends."""
        worker.intended = intended
        self._leave(worker, reason)

    def retire(self, worker: Worker, reason: str) -> None:
        """Let it end when it likes: others may still need objects that it owns."""
        worker.intended = True
        self._leave(worker, reason)
        self._host.send(worker.address, ExitWorker(reason))

    def kill(self, worker: Worker, reason: str) -> None:
        """End it now; what it holds is taken back when its end is reported."""
        self._leave(worker, reason)
        self._host.workers.kill(worker.token)

    def ended(self, worker: Worker) -> None:
        del self.workers[worker.address.worker_id]
        del self._by_token[worker.token]
        self._idle.pop(worker.address.worker_id, None)

    def _leave(self, worker: Worker, reason: str) -> None:
        worker.exiting = True
        worker.reason = worker.reason or reason
        self._idle.pop(worker.address.worker_id, None)

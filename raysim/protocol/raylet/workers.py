"""The node's worker processes: starting, idle, leased, ending. Never which lease gets one: see leases."""

from collections.abc import Callable
from functools import partial

import msgspec

from raysim.config import MS
from raysim.protocol.host import RayletHost, Timer
from raysim.protocol.messages import ExitWorker
from raysim.protocol.messages.state import Ending
from raysim.protocol.raylet.lease import Lease
from raysim.spec.address import Address
from raysim.spec.ids import JobId, WorkerId
from raysim.spec.resources import CPU, UNITS, Resources

START_ROUNDS = 6
"""Rounds of failed starts in a row after which requests are refused. Ours."""

START_PAUSE_NS = 10 * MS
"""Nanoseconds of the second pause between such rounds (the first is none); each is 4 times the last. Ours."""


class Worker(msgspec.Struct, gc=False):
    """A process that has registered."""

    address: Address
    token: int
    env: str = ""
    """Its runtime environment: it is lent to no other."""
    job: bytes = b""
    """Whose calls it has run; empty: nobody's yet. It is lent to no other: modules keep state."""
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
    pid: int = 0
    since_ns: int = 0
    """When it registered."""
    ended: str = ""
    """How its process ended, once the host or whoever leases it has seen that; what it had sent may still come."""
    ending: Ending = Ending.SYSTEM_ERROR
    """What its end counts as, as far as is known before it."""


class _Starts(msgspec.Struct):
    """Workers of one runtime environment that are wanted, and those on their way."""

    wanted: int = 0
    starting: int = 0
    pausing: bool = False
    failed_rounds: int = 0


class _Starting(msgspec.Struct, gc=False):
    env: str
    timer: Timer


class WorkerPool:
    """`on_start_failed(env, reason)`: workers do not start, again and again; those who wait are to be told.

    `make_ready(env)` has a runtime environment set up, and tells `env_ready` of it: where that is not
    given, all environments are taken for ready.
    """

    def __init__(
        self,
        host: RayletHost,
        total: Resources,
        on_start_failed: Callable[[str, str], None],
        make_ready: Callable[[str], bool] = lambda env: True,
    ) -> None:
        self._host = host
        self._make_ready = make_ready
        self._on_start_failed = on_start_failed
        limit = host.config.worker_soft_limit
        self._soft_limit = limit if limit >= 0 else -(-total.get(CPU, 0) // UNITS)
        self._tokens = 0
        self._starts: dict[str, _Starts] = {}
        self._starting: dict[int, _Starting] = {}
        self._by_token: dict[int, Worker] = {}
        self._idle: dict[WorkerId, Worker] = {}
        self._idle_timer = False
        self.workers: dict[WorkerId, Worker] = {}

    def get(self, address: Address) -> Worker | None:
        return self.workers.get(address.worker_id)

    def by_token(self, token: int) -> Worker | None:
        return self._by_token.get(token)

    # --- starting ---------------------------------------------------------------------------------

    def want(self, count: int, env: str = "") -> None:
        """So many leases wait for a worker of this environment: have as many starting, and no more."""
        starts = self._starts.get(env)
        if starts is None:
            starts = self._starts[env] = _Starts()
        starts.wanted = count
        if count > starts.starting and not starts.pausing and self._make_ready(env):
            self._start(env, starts)
        self._forget_unused(env, starts)

    def env_ready(self, env: str) -> None:
        """Workers can start in it from now on."""
        starts = self._starts.get(env)
        if starts is not None and not starts.pausing:
            self._start(env, starts)

    def _forget_unused(self, env: str, starts: _Starts) -> None:
        """Programs come with environments of their own, ever others."""
        if not (starts.wanted or starts.starting or starts.pausing):
            self._starts.pop(env, None)

    def _start(self, env: str, starts: _Starts) -> None:
        while starts.starting < starts.wanted:
            starts.starting += 1
            self._tokens = token = self._tokens + 1
            timer = self._host.call_later(
                self._host.config.worker_start_timeout_ns, partial(self._give_up, token)
            )
            self._starting[token] = _Starting(env, timer)
            self._host.workers.start(token, env)

    def registered(self, address: Address, token: int, pid: int = 0) -> Worker | None:
        """The process is up. None for a token that nobody waits for."""
        starting = self._started(token)
        if starting is None:
            return None
        starts = self._starts[starting.env]
        starts.failed_rounds = 0
        self._forget_unused(starting.env, starts)
        worker = Worker(address, token, starting.env, pid=pid, since_ns=self._host.now_ns())
        self.workers[address.worker_id] = self._by_token[token] = worker
        return worker

    def start_ended(self, token: int, reason: str) -> None:
        """A process ended before it registered."""
        starting = self._started(token)
        if starting is None:
            return
        starts = self._starts[starting.env]
        if starts.pausing:
            return  # Those that fail together count once.
        starts.pausing = True
        starts.failed_rounds += 1
        rounds = starts.failed_rounds
        pause_ns = START_PAUSE_NS * 4 ** (rounds - 2) if rounds > 1 else 0
        self._host.call_later(pause_ns, partial(self._resume, starting.env, reason))

    def _started(self, token: int) -> _Starting | None:
        """It is not on its way any more."""
        starting = self._starting.pop(token, None)
        if starting is not None:
            starting.timer.cancel()
            self._starts[starting.env].starting -= 1
        return starting

    def _resume(self, env: str, reason: str) -> None:
        starts = self._starts[env]
        starts.pausing = False
        if starts.failed_rounds >= START_ROUNDS:
            starts.failed_rounds = 0
            self._on_start_failed(env, reason)
        self.want(starts.wanted, env)

    def _give_up(self, token: int) -> None:
        self._host.workers.kill(token)
        seconds = self._host.config.worker_start_timeout_ns / 1e9
        self.start_ended(token, f"it did not register within {seconds:g} s")

    # --- idle -------------------------------------------------------------------------------------

    def take(self, env: str, job: JobId) -> Worker | None:
        """Of those of this environment and job, the worker that was busy last: its caches are warm."""
        for worker_id, worker in reversed(self._idle.items()):
            if worker.env == env and worker.job in (b"", job):
                del self._idle[worker_id]
                return worker
        return None

    def job_finished(self, job: JobId) -> None:
        for worker in [one for one in self._idle.values() if one.job == job]:
            self.retire(worker, "its job finished")

    def retire_idle(self, reason: str) -> None:
        for worker in list(self._idle.values()):
            self.retire(worker, reason)

    @property
    def empty(self) -> bool:
        """No process lives, and none is on its way."""
        return not (self.workers or self._starting)

    def put_back(self, worker: Worker) -> None:
        worker.idle_ns = self._host.now_ns()
        self._idle[worker.address.worker_id] = worker
        if self._host.buggify("raylet.idle_worker_leaves"):
            worker.ending = Ending.INTENDED_SYSTEM_EXIT
            self._leave(worker, "it is idle, and the run looks for bugs")
            self._host.send(worker.address, ExitWorker(worker.reason))
        elif len(self._idle) > self._soft_limit and not self._idle_timer:
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
            worker.ending = Ending.INTENDED_SYSTEM_EXIT
            self._leave(worker, f"idle for {keep_ns / 1e9:g} s, above the limit of idle workers")
            self._host.send(worker.address, ExitWorker(worker.reason))

    # --- ending -----------------------------------------------------------------------------------

    def leaving(self, worker: Worker, reason: str, intended: bool) -> None:
        """It said that it ends."""
        worker.intended = intended
        if worker.ending is Ending.SYSTEM_ERROR:
            ours = Ending.INTENDED_SYSTEM_EXIT
            worker.ending = Ending.INTENDED_USER_EXIT if intended else ours
        self._leave(worker, reason)

    def retire(self, worker: Worker, reason: str) -> None:
        """Let it end when it likes: others may still need objects that it owns."""
        worker.intended = True
        worker.ending = Ending.INTENDED_SYSTEM_EXIT
        self._leave(worker, reason)
        self._host.send(worker.address, ExitWorker(reason))

    def kill(self, worker: Worker, reason: str) -> None:
        """End it now; what it holds is taken back when its end is reported."""
        if worker.ending is not Ending.NODE_OUT_OF_MEMORY:
            worker.ending = Ending.INTENDED_SYSTEM_EXIT
        self._leave(worker, reason)
        self._host.workers.kill(worker.token)

    def failed(self, worker: Worker, reason: str) -> None:
        """Whoever leases it found it failed: end it, if it has not. Unless it says that it ends, it counts as lost."""
        worker.reason = worker.reason or reason
        self.silent(worker, worker.reason)
        self._host.workers.kill(worker.token)

    def silent(self, worker: Worker, how: str) -> None:
        """Its process has ended: it is not lent again, and counts as lost once its last words were heard."""
        worker.ended = how
        self._idle.pop(worker.address.worker_id, None)

    def ended(self, worker: Worker) -> None:
        del self.workers[worker.address.worker_id]
        del self._by_token[worker.token]
        self._idle.pop(worker.address.worker_id, None)

    def _leave(self, worker: Worker, reason: str) -> None:
        worker.exiting = True
        worker.reason = worker.reason or reason
        self._idle.pop(worker.address.worker_id, None)

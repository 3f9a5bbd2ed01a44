"""Sees to it that a worker process ends. Never decides whose turn it is: see actors.

KillWorker is repeated until the raylet says that the worker is gone, or is gone itself: what
replaces an actor's process must never run beside it.
"""

from functools import partial

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.host import Timer
from raysim.protocol.messages import KillWorker
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId


class Kills:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._retry_ns = outbox.host.config.request_retry_ns
        self._timers: dict[WorkerId, Timer] = {}

    def request(self, worker: Address, raylet: Address, reason: str, after_ns: int = 0) -> None:
        """End it, unless it is gone by itself within `after_ns`. An earlier request is replaced."""
        self.confirmed(worker.worker_id)
        if after_ns:
            kill = partial(self._kill, worker, raylet, reason)
            self._timers[worker.worker_id] = self._outbox.call_later(after_ns, kill)
        else:
            self._kill(worker, raylet, reason)

    def suspect(self, worker: Address, raylet: Address, reason: str) -> None:
        """It looks gone, and its raylet will say so any moment. If not: end it."""
        if worker.worker_id not in self._timers:
            self.request(worker, raylet, reason, self._retry_ns)

    def confirmed(self, worker: WorkerId) -> None:
        """It is gone."""
        timer = self._timers.pop(worker, None)
        if timer is not None:
            timer.cancel()

    def _kill(self, worker: Address, raylet: Address, reason: str) -> None:
        self._outbox.send(raylet, KillWorker(worker, reason))
        again = partial(self._kill, worker, raylet, reason)
        self._timers[worker.worker_id] = self._outbox.call_later(self._retry_ns, again)

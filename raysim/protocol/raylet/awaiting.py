"""Leases that hold their resources and wait for a worker, by its runtime environment. Never whether there is room."""

from raysim.protocol.raylet.lease import Lease
from raysim.protocol.raylet.lease_book import LeaseKey, lease_key
from raysim.protocol.raylet.workers import Worker, WorkerPool


class Awaiting:
    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool
        self._leases: dict[str, dict[LeaseKey, Lease]] = {}
        """In the order in which they began to wait; environments that nobody waits for are not in it."""

    def add(self, lease: Lease) -> None:
        env = lease.request.runtime_env
        self._leases.setdefault(env, {})[lease_key(lease)] = lease
        self.want(env)

    def remove(self, lease: Lease) -> None:
        env = lease.request.runtime_env
        leases = self._leases[env]
        del leases[lease_key(lease)]
        if not leases:
            del self._leases[env]

    def take_for(self, worker: Worker) -> Lease | None:
        """The first that this worker may serve: it waits no more."""
        job = worker.job
        waiting = self._leases.get(worker.env, {}).values()
        lease = next((one for one in waiting if job in (b"", one.request.job_id)), None)
        if lease is not None:
            self.remove(lease)
        return lease

    def want(self, env: str) -> None:
        """As many workers are started as leases wait."""
        self._pool.want(len(self._leases.get(env, ())), env)

    def of(self, env: str) -> list[Lease]:
        return list(self._leases.get(env, {}).values())

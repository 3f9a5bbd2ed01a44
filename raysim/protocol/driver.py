"""What makes a process a driver: it joins its node and the cluster as a job, and leaves. Never submits."""

from collections.abc import Callable

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import (
    FinishJob,
    JobRegistered,
    RegisterDriver,
    RegisterJob,
    WorkerRegistered,
)
from raysim.protocol.process import Handlers
from raysim.spec.address import Address
from raysim.spec.ids import JobId


class Driver:
    def __init__(
        self,
        host: Host,
        raylet: Address,
        gcs: Address,
        job: RegisterJob,
        pid: int,
        joined: Callable[[JobId], None],
    ) -> None:
        self._host = host
        self._raylet = raylet
        self._gcs = gcs
        self._register_job = job
        self._register_driver = RegisterDriver(pid, job.observer)
        self._joined = joined
        self._at_raylet = False
        self._job: JobId | None = None
        self._timer: Timer | None = None

    def start(self) -> None:
        self._ask()

    def _ask(self) -> None:
        """Until both have answered."""
        if not self._at_raylet:
            self._host.send(self._raylet, self._register_driver)
        if self._job is None:
            self._host.send(self._gcs, self._register_job)
        self._timer = self._host.call_later(self._host.config.request_retry_ns, self._ask)

    @staticmethod
    def handlers() -> Handlers["Driver"]:
        return {
            WorkerRegistered: lambda driver: driver._on_registered,
            JobRegistered: lambda driver: driver._on_job,
        }

    def _on_registered(self, sender: Address, registered: WorkerRegistered) -> None:
        self._at_raylet = True
        self._look()

    def _on_job(self, sender: Address, registered: JobRegistered) -> None:
        self._job = registered.job_id
        self._look()

    def _look(self) -> None:
        if self._at_raylet and self._job is not None and self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._joined(self._job)

    def leave(self) -> None:
        if self._job is not None:
            self._host.send(self._gcs, FinishJob(self._job))

    def peer_lost(self, peer: Address) -> None:
        """A head that is gone is found by whoever waits for it."""

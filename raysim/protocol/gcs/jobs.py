"""Which programs run on the cluster. Never what they submit."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.tables import JobRow, Tables
from raysim.protocol.messages import FinishJob, JobFinished, JobRegistered, RegisterJob
from raysim.protocol.messages.state import JobSeen
from raysim.spec.address import Address
from raysim.spec.ids import JobId, NodeId, WorkerId, job_id
from raysim.spec.resources import Resources
from raysim.spec.runtime_env import job_of_env

_REMEMBERED: Final = 1_000
"""Observers that have ended, the latest ones."""


class JobTable:
    """`finished(job, observer)` is called once for each job that ended, by its word or by its driver's end."""

    def __init__(
        self,
        outbox: Outbox,
        tables: Tables,
        raylets: Callable[[], Iterable[Address]],
        finished: Callable[[JobId, bool], None],
    ) -> None:
        self._outbox = outbox
        self._tables = tables
        self._raylets = raylets
        self._finished = finished
        self._by_driver: dict[WorkerId, JobRow] = {}
        """Ended ones too, the latest: a late copy of RegisterJob must not begin a job that nobody ends."""
        self._running: dict[WorkerId, JobRow] = {}
        self._observers: dict[WorkerId, JobRow] = {}
        """Those that have ended: for late copies, too."""
        self._past: dict[WorkerId, None] = {}
        """Drivers whose jobs have ended and are known, the latest last."""
        self.ended: dict[JobId, None] = {}
        self.quotas: dict[JobId, Resources] = {}
        """Of jobs that have one."""
        self._last = 0
        """The number of the latest one."""

    def load(self) -> None:
        self._last = self._tables.last_job()
        for row in self._tables.jobs():
            self._last = max(self._last, int.from_bytes(row.job_id, "little"))
            self._by_driver[row.driver.worker_id] = row
            self._note_quota(row)
            if row.finished:
                self.ended[row.job_id] = None
                self._past[row.driver.worker_id] = None
            else:
                self._running[row.driver.worker_id] = row

    def seen(self) -> list[JobSeen]:
        """All of them, for people who ask."""
        return [
            JobSeen(
                row.job_id,
                row.driver,
                row.entrypoint,
                row.namespace,
                row.finished,
                row.start_ns,
                row.end_ns,
                row.runtime_env,
                row.metadata,
                row.observer,
            )
            for row in self._by_driver.values()
        ]

    def drivers(self) -> list[Address]:
        return [row.driver for row in self._running.values()]

    def programs(self) -> Iterator[WorkerId]:
        """Drivers that do not only look."""
        return (process for process, row in self._running.items() if not row.observer)

    def environments(self) -> Iterator[str]:
        """Of jobs that run."""
        return (row.runtime_env for row in self._running.values())

    def drivers_at(self, node_id: NodeId) -> list[Address]:
        return [driver for driver in self.drivers() if driver.node_id == node_id]

    def on_register(self, driver: Address, register: RegisterJob) -> None:
        row = self._by_driver.get(driver.worker_id) or self._observers.get(driver.worker_id)
        if row is None:
            self._last += 1
            if register.observer:
                self._tables.save_last_job(self._last)
            now = max(1, self._outbox.host.now_ns())
            row = JobRow(
                job_id(self._last),
                driver,
                register.entrypoint,
                register.namespace,
                start_ns=now,
                runtime_env=register.runtime_env,
                metadata=register.metadata,
                observer=register.observer,
            )
            self._by_driver[driver.worker_id] = row
            self._running[driver.worker_id] = row
            self._note_quota(row)
            self._tables.save_job(row)
        self._outbox.send(driver, JobRegistered(row.job_id))

    def _note_quota(self, row: JobRow) -> None:
        if quota := job_of_env(row.runtime_env).quota:
            self.quotas[row.job_id] = quota

    def on_finish(self, driver: Address, finish: FinishJob) -> None:
        self.process_gone(driver.worker_id)

    def process_gone(self, process: WorkerId) -> None:
        row = self._running.pop(process, None)
        if row is None:
            return  # No driver, or its job has ended.
        now = self._outbox.host.now_ns()
        ended = msgspec.structs.replace(row, finished=True, end_ns=now)
        self._by_driver[process] = ended
        self.ended[row.job_id] = None
        self._tables.save_job(ended)
        if row.observer:
            self._forget_observer(process)
        else:
            self._remember(process)
        message = JobFinished(row.job_id, row.driver)
        for raylet in self._raylets():
            self._outbox.send(raylet, message)
        self._finished(row.job_id, row.observer)

    def _remember(self, process: WorkerId) -> None:
        self._past[process] = None
        if len(self._past) > self._outbox.host.config.gcs_history:
            oldest = next(iter(self._past))
            del self._past[oldest]
            row = self._by_driver.pop(oldest)
            del self.ended[row.job_id]
            self.quotas.pop(row.job_id, None)
            self._tables.forget_job(row.job_id)
            # It may have had the highest number of those that are known.
            self._tables.save_last_job(self._last)

    def _forget_observer(self, process: WorkerId) -> None:
        """Or whoever looks often fills the table."""
        row = self._observers[process] = self._by_driver.pop(process)
        self._tables.forget_job(row.job_id)
        self.quotas.pop(row.job_id, None)
        if len(self._observers) > _REMEMBERED:
            oldest = self._observers.pop(next(iter(self._observers)))
            del self.ended[oldest.job_id]

    def node_gone(self, node_id: NodeId) -> None:
        gone = [p for p, row in self._running.items() if row.driver.node_id == node_id]
        for process in gone:
            self.process_gone(process)

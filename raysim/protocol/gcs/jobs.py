"""Which programs run on the cluster. Never what they submit."""

from collections.abc import Callable, Iterable

import msgspec

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.tables import JobRow, Tables
from raysim.protocol.messages import FinishJob, JobFinished, JobRegistered, RegisterJob
from raysim.protocol.messages.state import JobSeen
from raysim.spec.address import Address
from raysim.spec.ids import JobId, NodeId, WorkerId, job_id


class JobTable:
    """`finished(job)` is called once for each job that ended, by its word or by its driver's end."""

    def __init__(
        self,
        outbox: Outbox,
        tables: Tables,
        raylets: Callable[[], Iterable[Address]],
        finished: Callable[[JobId], None],
    ) -> None:
        self._outbox = outbox
        self._tables = tables
        self._raylets = raylets
        self._finished = finished
        self._by_driver: dict[WorkerId, JobRow] = {}
        """Ended ones too: a late copy of RegisterJob must not begin a job that nobody ends."""
        self._running: dict[WorkerId, JobRow] = {}
        self.ended: dict[JobId, None] = {}

    def load(self) -> None:
        for row in self._tables.jobs():
            self._by_driver[row.driver.worker_id] = row
            if row.finished:
                self.ended[row.job_id] = None
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
            )
            for row in self._by_driver.values()
        ]

    def drivers(self) -> list[Address]:
        return [row.driver for row in self._running.values()]

    def drivers_at(self, node_id: NodeId) -> list[Address]:
        return [driver for driver in self.drivers() if driver.node_id == node_id]

    def on_register(self, driver: Address, register: RegisterJob) -> None:
        row = self._by_driver.get(driver.worker_id)
        if row is None:
            number = len(self._by_driver) + 1
            now = max(1, self._outbox.host.now_ns())
            row = JobRow(
                job_id(number),
                driver,
                register.entrypoint,
                register.namespace,
                start_ns=now,
                runtime_env=register.runtime_env,
            )
            self._by_driver[driver.worker_id] = row
            self._running[driver.worker_id] = row
            self._tables.save_job(row)
        self._outbox.send(driver, JobRegistered(row.job_id))

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
        message = JobFinished(row.job_id, row.driver)
        for raylet in self._raylets():
            self._outbox.send(raylet, message)
        self._finished(row.job_id)

    def node_gone(self, node_id: NodeId) -> None:
        gone = [p for p, row in self._running.items() if row.driver.node_id == node_id]
        for process in gone:
            self.process_gone(process)

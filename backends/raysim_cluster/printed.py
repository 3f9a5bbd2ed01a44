"""Brings what workers print to the driver of their job, where they have not inherited its output. Never to a file.

Of a cluster that outlives its drivers. Most calls come from the driver, whose id shows that it is one; for the others
the GCS says who it is, and what is printed meanwhile waits.
"""

import os
import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.messages import Message
from raysim.protocol.process import Handlers
from raysim.spec.address import Address
from raysim.spec.ids import UNIQUE_ID_BYTES, JobId, WorkerId, job_of_task
from raysim_cluster.shown import DriverIs, FindDriver, Printed

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

_MARK: Final = b"driver"

_MOST: Final = 10_000
"""Prints that wait for the GCS's answer; further ones are in the worker's file only."""


def driver_id() -> WorkerId:
    """A new one, from which everybody sees what it is."""
    return WorkerId(_MARK + os.urandom(UNIQUE_ID_BYTES - len(_MARK)))


class Teller:
    """The role of a worker."""

    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._host = worker.host
        self._drivers: dict[JobId, Address | None] = {}
        """None: it has ended."""
        self._waiting: dict[JobId, list[Printed]] = {}

    def tell(self, is_error: bool, text: str) -> None:
        """From any thread: user code has printed this."""
        context = self._worker.context
        caller = None if context.task is None else context.task.caller
        job = job_of_task(context.task_id)
        self._host.soon(partial(self._tell, job, caller, Printed(is_error, text)))

    @staticmethod
    def handlers() -> Handlers["Teller"]:
        return {DriverIs: lambda teller: teller._on_driver}

    def start(self) -> None:
        """User code begins."""

    def peer_lost(self, peer: Address) -> None:
        if peer.worker_id == self._worker.gcs.worker_id and self._waiting:
            self._host.call_later(self._host.config.request_retry_ns, self._ask_again)

    def _tell(self, job: JobId, caller: Address | None, printed: Printed) -> None:
        if caller is not None and caller.worker_id.startswith(_MARK):
            self._drivers.setdefault(job, caller)
        if job in self._drivers:
            self._say(self._drivers[job], printed)
            return
        waiting = self._waiting.get(job)
        if waiting is None:
            waiting = self._waiting[job] = []
            self._host.send(self._worker.gcs, FindDriver(job))
        if len(waiting) < _MOST:
            waiting.append(printed)

    def _say(self, driver: Address | None, printed: Printed) -> None:
        if driver is not None:
            self._host.send(driver, printed)

    def _on_driver(self, sender: Address, found: DriverIs) -> None:
        self._drivers[found.job_id] = found.driver
        for printed in self._waiting.pop(found.job_id, ()):
            self._say(found.driver, printed)

    def _ask_again(self) -> None:
        for job in self._waiting:
            self._host.send(self._worker.gcs, FindDriver(job))


class Directory:
    """The role of the GCS's process: who the driver of a job is."""

    def __init__(self, send: Callable[[Address, Message], None], jobs: JobTable) -> None:
        self._send = send
        self._jobs = jobs

    @staticmethod
    def handlers() -> Handlers["Directory"]:
        return {FindDriver: lambda directory: directory._answer}

    def start(self) -> None:
        """Others begin."""

    def peer_lost(self, peer: Address) -> None:
        """The jobs hear of it."""

    def _answer(self, sender: Address, asked: FindDriver) -> None:
        running = [
            job for job in self._jobs.seen() if job.job_id == asked.job_id and not job.finished
        ]
        self._send(sender, DriverIs(asked.job_id, running[0].driver if running else None))


class Screen:
    """The role of a driver: shows it, unless that is not wanted."""

    def __init__(self, is_wanted: bool) -> None:
        self._is_wanted = is_wanted

    @staticmethod
    def handlers() -> Handlers["Screen"]:
        return {Printed: lambda screen: screen._show}

    def start(self) -> None:
        """Others begin."""

    def peer_lost(self, peer: Address) -> None:
        """What it printed is shown."""

    def _show(self, sender: Address, printed: Printed) -> None:
        if self._is_wanted:
            stream = sys.stderr if printed.is_error else sys.stdout
            stream.write(printed.text)
            stream.flush()

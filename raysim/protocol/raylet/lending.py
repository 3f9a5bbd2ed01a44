"""The CPUs of workers that wait for something: others have them meanwhile. Never who gets them."""

from collections.abc import Callable

from raysim.protocol.raylet.lease import Lease, LeaseState
from raysim.protocol.raylet.quotas import Quotas
from raysim.protocol.raylet.reports import Reports
from raysim.protocol.raylet.workers import Worker
from raysim.spec.node import NodeView
from raysim.spec.placement_group import cpus_of
from raysim.spec.resources import CPU, Resources, add, subtract
from raysim.spec.task import InBundle


class Lending:
    """`freed()`: there is more room than before."""

    def __init__(
        self, local: NodeView, quotas: Quotas, reports: Reports, freed: Callable[[], None]
    ) -> None:
        self._local = local
        self._quotas = quotas
        self._reports = reports
        self._freed = freed

    def blocked(self, worker: Worker, number: int) -> None:
        if number <= worker.last_block:
            return  # A second copy.
        worker.last_block = number
        lease = worker.lease
        if lease is None or lease.state is not LeaseState.GRANTED:
            return  # The lease's return overtook it.
        worker.blocked = number
        cpus = _cpus(lease)
        if cpus and not lease.lent:
            lease.lent = cpus
            self._quotas.lent(lease)
            add(self._local.available, cpus)
            self._freed()
            self._reports.changed()

    def unblocked(self, worker: Worker, number: int) -> None:
        lease = worker.lease
        if number != worker.blocked or lease is None:
            return  # Of an earlier block, or of a lease that has been returned since.
        worker.blocked = 0
        subtract(self._local.available, lease.lent)  # May go below zero: it runs on regardless.
        if lease.lent:
            lease.lent = {}
            self._quotas.resumed(lease)
        self._reports.changed()


def _cpus(lease: Lease) -> Resources:
    if isinstance(lease.request.strategy, InBundle):
        return cpus_of(lease.held)
    cpus = lease.held.get(CPU, 0)
    return {CPU: cpus} if cpus else {}

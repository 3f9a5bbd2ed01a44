"""When the GCS hears what is free here: after a change, at most once a period. Never what others have.

A report follows every change even if the figures came out as before: somebody may have deducted a
request from their view of this node that never arrived here, and only a newer version corrects it.
"""

from collections.abc import Callable

from raysim.protocol.host import Host
from raysim.protocol.messages import ReportResources
from raysim.spec.address import Address
from raysim.spec.autoscaling import Demand
from raysim.spec.node import NodeView, StoreStats


class Reports:
    def __init__(
        self, host: Host, gcs: Address, local: NodeView, stats: Callable[[], StoreStats]
    ) -> None:
        self._host = host
        self._gcs = gcs
        self._local = local
        self._stats = stats
        self.busy: Callable[[], bool]
        """Set by whoever knows the leases and objects."""
        self.demand: Callable[[], list[Demand]] = list
        """Set where somebody wants to know."""
        self._armed = True  # Nothing is said before the node is registered.
        self._sent_ns = -host.config.resource_report_period_ns

    def begin(self) -> None:
        """The GCS knows this node (again)."""
        self._armed = False
        self.changed()

    def changed(self) -> None:
        """What is free, or queued, or stored here is different from before."""
        if self._armed:
            return
        self._armed = True
        host = self._host
        wait_ns = self._sent_ns + host.config.resource_report_period_ns - host.now_ns()
        if host.buggify("raylet.report_late"):
            wait_ns += 3 * host.config.resource_report_period_ns
        host.call_later(max(0, wait_ns), self._send)

    def _send(self) -> None:
        self._armed = False
        self._sent_ns = self._host.now_ns()
        local = self._local
        local.version += 1
        report = ReportResources(
            local.version,
            local.total,
            dict(local.available),
            local.queued,
            self._stats(),
            self.busy(),
            self.demand(),
            local.gpus,
        )
        self._host.send(self._gcs, report)

"""This node is to go: nothing new begins here, what is kept is moved, and then it says so. Never ends it: the GCS does.

Looked at now and then, as it ends by itself: calls come to their end, actors are moved by the GCS, workers leave when
nobody needs what they own, and drivers when they are done.
"""

from collections.abc import Callable

from raysim.protocol.host import RayletHost
from raysim.protocol.messages import RayletDrained
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.evacuation import Evacuation
from raysim.protocol.raylet.leases import Leases
from raysim.protocol.raylet.store import Store
from raysim.protocol.raylet.workers import WorkerPool
from raysim.spec.address import Address


class RayletDrain:
    """`drivers()`: whether any are here."""

    def __init__(
        self,
        host: RayletHost,
        gcs: Address,
        view: ClusterView,
        leases: Leases,
        pool: WorkerPool,
        store: Store,
        drivers: Callable[[], bool],
    ) -> None:
        self._host = host
        self._gcs = gcs
        self._view = view
        self._leases = leases
        self._pool = pool
        self._store = store
        self._drivers = drivers
        self.evacuation = Evacuation(host, store, view)
        self._reason = ""

    def begin(self, reason: str) -> None:
        """A second time it changes nothing."""
        if self._view.drains:
            return
        self._reason = f"its node drains: {reason}"
        self._view.leave()
        self._leases.drain()
        self._look()

    def _look(self) -> None:
        self._pool.retire_idle(self._reason)
        self.evacuation.look()
        if not self._left():
            self._host.send(self._gcs, RayletDrained())
        self._host.call_later(self._host.config.resource_report_period_ns, self._look)

    def _left(self) -> bool:
        """Whether anything here is needed yet."""
        return (
            self._leases.book.holds_any()
            or not self._pool.empty
            or self._drivers()
            or self._store.may_be_sealed()
            or self.evacuation.left()
        )

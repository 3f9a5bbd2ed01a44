"""Reserves bundles, offers them, gives them back. Never who runs in them: see leases.

Prepared, a bundle's resources are kept from everybody. Committed, the node offers them under the
group's own names (`spec/placement_group.py`), so that leases in a bundle are leases like any other.
"""

from collections.abc import Callable, Collection, Iterable

import msgspec

from raysim.protocol.host import RayletHost
from raysim.protocol.messages import (
    BundlesCommitted,
    BundlesPrepared,
    BundlesReturned,
    CommitBundles,
    KeepBundles,
    PlacementGroupChanged,
    PrepareBundles,
    ReturnBundles,
)
from raysim.protocol.raylet.cluster_view import ClusterView
from raysim.protocol.raylet.groups import Groups
from raysim.protocol.raylet.instances import Assigned
from raysim.protocol.raylet.leases import Leases
from raysim.protocol.raylet.reports import Reports
from raysim.spec.address import Address
from raysim.spec.ids import PlacementGroupId
from raysim.spec.placement_group import GroupState, offered
from raysim.spec.resources import Resources, add, fits, subtract, total

REMEMBERED = 10_000
"""Groups that were given back and are told apart, the latest: a late copy of their messages finds them. Ours."""

FOR_GOOD = 1 << 62
"""In place of an epoch: the group is removed."""


class _Bundle(msgspec.Struct, gc=False):
    resources: Resources
    epoch: int
    pieces: Assigned
    """The GPUs of it."""
    committed: bool = False


class Bundles:
    def __init__(
        self, host: RayletHost, view: ClusterView, leases: Leases, groups: Groups, reports: Reports
    ) -> None:
        self._host = host
        self._view = view
        self._local = view.local
        self._leases = leases
        self._groups = groups
        self._reports = reports
        self._held: dict[PlacementGroupId, dict[int, _Bundle]] = {}
        self._closed: dict[PlacementGroupId, int] = {}
        """The highest epoch that was given back: what comes of it later is a late copy."""

    # --- what the GCS asks for --------------------------------------------------------------------

    def on_prepare(self, gcs: Address, prepare: PrepareBundles) -> None:
        ok = self._prepare(prepare)
        self._host.send(gcs, BundlesPrepared(prepare.group_id, prepare.epoch, ok))

    def _prepare(self, prepare: PrepareBundles) -> bool:
        group_id, epoch = prepare.group_id, prepare.epoch
        if epoch <= self._closed.get(group_id, -1):
            return False
        held = self._held.get(group_id, {})
        if all(index in held and held[index].epoch == epoch for index in prepare.bundles):
            return True  # A second copy.
        # An attempt before this one was given up, whether or not its ReturnBundles has arrived.
        self._give_back(group_id, lambda _, bundle: not bundle.committed)
        need = total(prepare.bundles.values())
        if (
            self._view.drains
            or not fits(need, self._local.available)
            or not self._leases.instances.fits(need)
        ):
            return False
        held = self._held.setdefault(group_id, {})
        for index, resources in prepare.bundles.items():
            subtract(self._local.available, resources)
            pieces = self._leases.instances.take(resources)
            held[index] = _Bundle(resources, epoch, pieces)
        self._reports.changed()
        return True

    def on_commit(self, gcs: Address, commit: CommitBundles) -> None:
        held = self._held.get(commit.group_id, {})
        meant = {index: one for index, one in held.items() if one.epoch == commit.epoch}
        fresh = {index: one for index, one in meant.items() if not one.committed}
        if fresh:
            self._offer(commit.group_id, fresh)
        self._host.send(gcs, BundlesCommitted(commit.group_id, commit.epoch, bool(meant)))

    def _offer(self, group_id: PlacementGroupId, fresh: dict[int, _Bundle]) -> None:
        for index, bundle in fresh.items():
            bundle.committed = True
            self._leases.instances.offer(group_id, index, bundle.pieces)
        names = offered({index: one.resources for index, one in fresh.items()}, group_id)
        whole = dict(self._local.total)  # The one before is in reports that are under way.
        add(whole, names)
        self._local.total = whole
        add(self._local.available, names)
        self._reports.changed()
        self._leases.room_added()

    def on_return(self, gcs: Address, message: ReturnBundles) -> None:
        group_id = message.group_id
        epoch = FOR_GOOD if message.removed else message.epoch
        self._closed[group_id] = max(epoch, self._closed.pop(group_id, -1))
        if len(self._closed) > REMEMBERED:
            del self._closed[next(iter(self._closed))]
        if message.removed:
            self._give_back(group_id, lambda *_: True)
        else:
            self._give_back(group_id, lambda _, one: one.epoch == epoch and not one.committed)
        self._host.send(gcs, BundlesReturned(group_id, message.epoch))

    def on_keep(self, gcs: Address, keep: KeepBundles) -> None:
        for group_id in list(self._held):
            self._keep(group_id, keep.bundles.get(group_id, []))

    def on_changed(self, gcs: Address, changed: PlacementGroupChanged) -> None:
        self._groups.changed(changed)
        if changed.info.state is GroupState.REMOVED:
            self._leases.refuse_group(changed.info.group_id)
        else:
            self._leases.nodes_changed([])

    # --- losses -----------------------------------------------------------------------------------

    def gcs_lost(self) -> None:
        """Nobody is left to decide the attempts that it made."""
        for group_id in list(self._held):
            self._give_back(group_id, lambda _, bundle: not bundle.committed)

    # --- giving back ------------------------------------------------------------------------------

    def _keep(self, group_id: PlacementGroupId, kept: Collection[int]) -> None:
        self._give_back(group_id, lambda index, _: index not in kept)

    def _give_back(self, group_id: PlacementGroupId, which: Callable[[int, _Bundle], bool]) -> None:
        held = self._held.get(group_id)
        if held is None:
            return
        gone = {index: one for index, one in held.items() if which(index, one)}
        if not gone:
            return
        for index in gone:
            del held[index]
        if not held:
            del self._held[group_id]
        offers = {index: one for index, one in gone.items() if one.committed}
        kept = self._take_back(group_id, offers) if offers else {}
        for bundle in gone.values():
            add(self._local.available, bundle.resources)
            if not bundle.committed:
                self._leases.instances.give_back(bundle.pieces)
        # Who used them runs for a moment yet: what it holds comes back with the report of its end.
        subtract(self._local.available, kept)
        self._reports.changed()
        self._leases.room_added()

    def _take_back(self, group_id: PlacementGroupId, offers: dict[int, _Bundle]) -> Resources:
        """Offer them no more. What those who use the group still hold of the node."""
        kept = self._leases.end_group(group_id)
        names = offered({index: one.resources for index, one in offers.items()}, group_id)
        whole = dict(self._local.total)
        subtract(whole, names)
        subtract(self._local.available, names)
        _drop_empty(names, whole)
        self._local.total = whole
        _drop_empty(names, self._local.available)
        for index, bundle in offers.items():
            self._leases.instances.end_offer(group_id, index, bundle.pieces)
        return kept


def _drop_empty(names: Iterable[str], resources: Resources) -> None:
    for name in names:
        if not resources.get(name):
            resources.pop(name, None)

"""What each job has of its quota, in the whole cluster, and who may have more of it. Never whose turn a node's room is.

It counts in one place what raylets lend and placement groups hold. A raylet asks before a lease of such a job begins;
what is beyond the quota waits here, first come first served, and a large request never blocks a small one.
What was granted is written down before it is said: another GCS goes on with it.
"""

from collections.abc import Callable, Iterable, Mapping

import msgspec

from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.tables import QuotaRow, Tables
from raysim.protocol.messages import QuotaGranted, RequestQuota
from raysim.protocol.quotas import beyond, counted
from raysim.spec.address import Address
from raysim.spec.ids import JobId, NodeId, PlacementGroupId, job_of_group
from raysim.spec.placement_group import GroupSpec
from raysim.spec.resources import Resources, fits, subtract, total


class _Job(msgspec.Struct):
    quota: Resources
    shares: dict[NodeId, QuotaRow] = {}
    """What leases have at each node, and were granted there."""
    waiting: dict[tuple[NodeId, int], Resources] = {}
    """In the order of their coming."""
    groups: dict[PlacementGroupId, Resources] = {}
    """Placement groups that have places, or are about to."""

    def used(self) -> Resources:
        return total([*(row.used for row in self.shares.values()), *self.groups.values()])


class Quotas:
    """`freed()` is called when a job may have more than before: set by whoever places groups."""

    def __init__(self, outbox: Outbox, tables: Tables, jobs: JobTable) -> None:
        self._outbox = outbox
        self._tables = tables
        self._table = jobs
        self._jobs: dict[JobId, _Job] = {}
        self.freed: Callable[[], None]

    def load(self) -> None:
        for row in self._tables.quotas():
            self._job(row.job_id, row.quota).shares[row.raylet.node_id] = row

    # Leases.

    def on_request(self, raylet: Address, request: RequestQuota) -> None:
        job = self._job(request.job_id, request.quota)
        node_id = raylet.node_id
        row = job.shares.get(node_id)
        if row is not None and request.version < row.version:
            return  # An old copy.
        if row is None or request.version > row.version:
            row = QuotaRow(request.job_id, raylet, request.quota, request.version, request.used)
            job.shares[node_id] = row
            self._tables.save_quota(row)
            self._leave(job, node_id, request.waiting)
        for number, need in request.waiting.items():
            if number not in row.granted:
                job.waiting.setdefault((node_id, number), need)
        self._divide(job, {node_id})
        self._forget_if_over(request.job_id)
        self.freed()

    def _divide(self, job: _Job, told: Iterable[NodeId] = ()) -> None:
        """What is left of the quota among those who wait. `told`: nodes that hear of it in any case."""
        left = dict(job.quota)
        subtract(left, job.used())
        granted: dict[NodeId, list[tuple[int, Resources]]] = {node_id: [] for node_id in told}
        for (node_id, number), need in list(job.waiting.items()):
            if fits(need, left):
                subtract(left, need)
                del job.waiting[node_id, number]
                granted.setdefault(node_id, []).append((number, need))
        for node_id, some in granted.items():
            row = job.shares[node_id]
            if some:
                used = total([row.used, *(need for _, need in some)])
                numbers = [*row.granted, *(number for number, _ in some)]
                row = msgspec.structs.replace(row, used=used, granted=numbers)
                job.shares[node_id] = row
                self._tables.save_quota(row)
            self._outbox.send(row.raylet, QuotaGranted(row.job_id, row.version, row.granted))

    def _leave(self, job: _Job, node_id: NodeId, but: Mapping[int, Resources]) -> None:
        """Those of this node that do not wait any more."""
        for key in [key for key in job.waiting if key[0] == node_id and key[1] not in but]:
            del job.waiting[key]

    # Placement groups.

    def quota_of(self, group_id: PlacementGroupId) -> Resources:
        """Of its job; empty: it has none."""
        return self._table.quotas.get(job_of_group(group_id), {})

    def beyond(self, spec: GroupSpec) -> str:
        """Why the group can never be; empty: it can."""
        what = f"Placement group {spec.group_id.hex()[:8]}"
        return beyond(what, total(spec.bundles), self.quota_of(spec.group_id))

    def admit_group(self, spec: GroupSpec) -> bool:
        """Whether it may be placed now; then it has its part of the quota until it is released."""
        job_id = job_of_group(spec.group_id)
        quota = self.quota_of(spec.group_id)
        need = counted(total(spec.bundles), quota)
        if not need:
            return True
        job = self._job(job_id, quota)
        if spec.group_id not in job.groups:
            left = dict(quota)
            subtract(left, job.used())
            if not fits(need, left):
                return False
            job.groups[spec.group_id] = need
        return True

    def hold_group(self, spec: GroupSpec) -> None:
        """It was admitted by an earlier GCS."""
        job_id = job_of_group(spec.group_id)
        quota = self.quota_of(spec.group_id)
        if need := counted(total(spec.bundles), quota):
            self._job(job_id, quota).groups[spec.group_id] = need

    def release_group(self, group_id: PlacementGroupId) -> None:
        job_id = job_of_group(group_id)
        job = self._jobs.get(job_id)
        if job is not None and job.groups.pop(group_id, None) is not None:
            self._divide(job)
            self._forget_if_over(job_id)

    # What changes in the cluster.

    def node_gone(self, node_id: NodeId) -> None:
        """What it lent is lent no more."""
        for job_id, job in list(self._jobs.items()):
            self._leave(job, node_id, {})
            row = job.shares.pop(node_id, None)
            if row is not None:
                self._tables.forget_quota(row)
                self._divide(job)
                self._forget_if_over(job_id)
                self.freed()

    def job_finished(self, job_id: JobId) -> None:
        if job_id in self._jobs:
            self._forget_if_over(job_id)

    def used(self, job_id: JobId) -> Resources:
        """What a job with a quota has of it, for people who ask; nothing where it never asked."""
        job = self._jobs.get(job_id)
        return {} if job is None else job.used()

    def _forget_if_over(self, job_id: JobId) -> None:
        """Detached actors may go on, and so may what they call."""
        job = self._jobs[job_id]
        runs = job_id in self._table.quotas and job_id not in self._table.ended
        if not runs and not job.waiting and not any(job.used().values()):
            del self._jobs[job_id]
            for row in job.shares.values():
                self._tables.forget_quota(row)

    def _job(self, job_id: JobId, quota: Resources) -> _Job:
        found = self._jobs.get(job_id)
        if found is None:
            found = self._jobs[job_id] = _Job(quota)
        return found

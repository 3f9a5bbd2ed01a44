"""What jobs with a quota have of it at this node, and what asks for more. Never how much there is: see gcs.quotas.

A lease of such a job takes its resources when its turn comes, as any other, and asks the GCS before it takes a
worker (ADMITTING). What has to wait for the quota gives them back at once (it is parked): what is beyond a quota is
in nobody's way, and no node has to be found for it.
"""

from functools import partial
from itertools import islice
from typing import Final, Protocol

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import QuotaGranted, RequestQuota, RequestWorkerLease
from raysim.protocol.quotas import beyond, counted
from raysim.protocol.raylet.lease import Lease, LeaseState, taken
from raysim.spec.address import Address
from raysim.spec.ids import JobId
from raysim.spec.resources import CPU, Resources, add, fits, subtract, total
from raysim.spec.runtime_env import job_of_env

LONGEST_RETRY: Final = 30
"""Times `request_retry_ns` between two copies of what is asked. Ours."""

TOLD: Final = 256
"""Requests that the GCS hears of at once, the oldest. Ours."""


class _Job(msgspec.Struct):
    quota: Resources
    leases: int = 0
    used: Resources = {}
    """By them, without what they have lent."""
    waiting: dict[int, Lease] = {}
    """By their numbers: those that are ADMITTING, and those that are parked."""
    said: RequestQuota | None = None
    """The latest version."""
    granted: list[int] = []
    """Of what waits in it."""
    answered: bool = True
    changed: bool = False
    timer: Timer | None = None
    wait_ns: int = 0


class Room(Protocol):
    """Who has the node's resources: see leases."""

    def has_room(self, lease: Lease) -> bool:
        """Whether one that was parked could begin."""

    def begin(self, lease: Lease) -> None:
        """Its quota has room for it."""

    def park(self, lease: Lease) -> None:
        """It has to wait for its quota: its room is others'."""

    def place_again(self, lease: Lease) -> None:
        """One that was parked has no room here any more, and waits for some, here or elsewhere."""


class Quotas:
    """One version after the other is said to the GCS. Until it is answered nothing begins; so what was
    promised in it holds, in whatever order copies arrive.
    """

    def __init__(self, host: Host, gcs: Address, room: Room) -> None:
        self._host = host
        self._gcs = gcs
        self._room = room
        self._jobs: dict[JobId, _Job] = {}
        self._versions = 0
        """Of all jobs, so that one may be forgotten in between."""
        self._numbers = 0
        self._telling = False

    # What leases ask.

    def counts(self, lease: Lease) -> bool:
        """Whether it has to be admitted before it begins."""
        return bool(lease.request.runtime_env) and bool(_counted(lease.request)) and not lease.quota

    @staticmethod
    def beyond(request: RequestWorkerLease) -> str:
        """Why it can never be admitted; empty: it can."""
        if not request.runtime_env:
            return ""
        return beyond("It", taken(request), quota_of(request))

    def ask(self, lease: Lease) -> None:
        """May it begin? It holds its room until that is answered."""
        job = self._jobs.get(lease.request.job_id)
        if job is None:
            job = self._jobs[lease.request.job_id] = _Job(quota_of(lease.request))
        self._numbers += 1
        lease.admission = self._numbers
        job.waiting[lease.admission] = lease
        self._change(job)

    def withdraw(self, lease: Lease) -> None:
        """It does not wait any more."""
        job = self._jobs[lease.request.job_id]
        del job.waiting[lease.admission]
        lease.admission = 0
        self._change(job)

    def ended(self, lease: Lease) -> None:
        """It has its part no more. Called while it still says whether its CPUs are lent."""
        if lease.quota:
            job = self._jobs[lease.request.job_id]
            subtract(job.used, _in_use(lease))
            lease.quota = {}
            job.leases -= 1
            self._change(job)

    def lent(self, lease: Lease) -> None:
        """Its worker waits, and its CPUs are others' meanwhile."""
        if CPU in lease.quota:
            job = self._jobs[lease.request.job_id]
            subtract(job.used, {CPU: lease.quota[CPU]})
            self._change(job)

    def resumed(self, lease: Lease) -> None:
        """It goes on regardless, as on the node itself: what the job has may be more than its quota for a while."""
        if CPU in lease.quota:
            job = self._jobs[lease.request.job_id]
            add(job.used, {CPU: lease.quota[CPU]})
            lease.resumed = True
            self._change(job)

    def waiting(self) -> int:
        """Requests that are beyond their jobs' quotas, or about to be admitted."""
        return sum(len(job.waiting) for job in self._jobs.values())

    # What the GCS is told, and says.

    def _change(self, job: _Job) -> None:
        job.changed = True
        if not self._telling:
            self._telling = True
            self._host.call_later(0, self._tell)  # What changes at one instant is said together.

    def _tell(self) -> None:
        self._telling = False
        for job_id, job in list(self._jobs.items()):
            if job.changed and job.answered:
                self._say(job_id, job)

    def _say(self, job_id: JobId, job: _Job) -> None:
        self._versions += 1
        told = islice(job.waiting.items(), TOLD)
        waiting = {number: _counted(lease.request) for number, lease in told}
        used = {name: units for name, units in job.used.items() if units}
        job.said = RequestQuota(job_id, job.quota, self._versions, used, waiting)
        job.granted = []
        job.changed = job.answered = False
        job.wait_ns = self._host.config.request_retry_ns
        self._send(job)

    def _send(self, job: _Job) -> None:
        """Until it is answered; and as long as something waits, as the GCS may have begun anew."""
        if job.timer is not None:
            job.timer.cancel()
        assert job.said is not None, "there is nothing to say"
        self._host.send(self._gcs, job.said)
        job.timer = self._host.call_later(job.wait_ns, partial(self._send, job))
        longest_ns = LONGEST_RETRY * self._host.config.request_retry_ns
        job.wait_ns = min(2 * job.wait_ns, longest_ns)

    def gcs_returned(self) -> None:
        """It does not remember what waited."""
        for job in self._jobs.values():
            if job.timer is not None:
                job.wait_ns = self._host.config.request_retry_ns
                self._send(job)

    def on_granted(self, gcs: Address, granted: QuotaGranted) -> None:
        job = self._jobs.get(granted.job_id)
        if job is None or job.said is None or granted.version != job.said.version:
            return  # Of a version that was followed by another: that one counts.
        job.answered = True
        fresh = [number for number in granted.numbers if number not in job.granted]
        job.granted += fresh
        left = total(job.said.waiting[number] for number in fresh)
        begun = self._share(job, left)
        for number in job.said.waiting:
            lease = job.waiting.get(number)
            if lease is not None and lease.state is LeaseState.ADMITTING:
                self._room.park(lease)
        begun += self._share(job, left)
        for number in fresh:
            lease = job.waiting.get(number)
            if lease is not None:  # It would be granted again and again.
                del job.waiting[number]
                lease.admission = 0
                self._room.place_again(lease)
        if begun != fresh:
            self._change(job)  # What is left goes back, and those that began do not wait any more.
        self._follow_up(granted.job_id, job)

    def _share(self, job: _Job, left: Resources) -> list[int]:
        """Among those that have room, whichever of them it was granted for: else one that holds the room, and one
        that was granted, would change places for ever."""
        begun: list[int] = []
        for number, lease in list(job.waiting.items()):
            need = _counted(lease.request)
            if not fits(need, left):
                continue
            if lease.state is LeaseState.ADMITTING or self._room.has_room(lease):
                subtract(left, need)
                del job.waiting[number]
                lease.admission = 0
                lease.quota = need
                job.leases += 1
                add(job.used, need)
                self._room.begin(lease)
                begun.append(number)
        return begun

    def _follow_up(self, job_id: JobId, job: _Job) -> None:
        assert job.said is not None, "something was answered"
        if any(number not in job.said.waiting for number in islice(job.waiting, TOLD)):
            job.changed = True  # There were too many for one message.
        if job.changed:
            self._change(job)
            return
        if job.waiting or job.timer is None:
            return
        job.timer.cancel()
        job.timer = None
        if not job.leases:
            del self._jobs[job_id]


def quota_of(request: RequestWorkerLease) -> Resources:
    """Of its job; empty: it has none."""
    return job_of_env(request.runtime_env).quota


def _counted(request: RequestWorkerLease) -> Resources:
    """What it takes of its job's quota."""
    quota = quota_of(request)
    return counted(taken(request), quota) if quota else {}


def _in_use(lease: Lease) -> Resources:
    """Without the CPUs that it has lent."""
    if not lease.lent:
        return lease.quota
    return {name: units for name, units in lease.quota.items() if name != CPU}

"""Quotas of jobs: raylets say what leases of a job have, the GCS says which more may begin."""

from raysim.protocol.messages.base import Message
from raysim.spec.ids import JobId
from raysim.spec.resources import Resources, Wanted


class RequestQuota(Message):
    """Raylet to GCS: leases of this job have so much here, and these wait until its quota has room for them.

    Until it is answered, the raylet lets nothing more of the job begin: `used` is a promise, and may only fall.
    Reply: QuotaGranted. Lost: asked again; `version`, which grows, makes it idempotent, and orders it.
    """

    job_id: JobId
    quota: Wanted
    version: int
    used: Resources
    """Workers that go on after a wait may bring it above what was granted: they are not asked."""
    waiting: dict[int, Wanted]
    """By their numbers, in the order of their coming: what each needs."""


class QuotaGranted(Message):
    """GCS to raylet: of what waits in that version of yours, these may begin. Said again when there are more.

    Lost: the raylet asks again.
    """

    job_id: JobId
    version: int
    numbers: list[int]

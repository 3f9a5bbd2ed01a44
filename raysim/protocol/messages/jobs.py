"""Jobs: a driver joins and leaves."""

from raysim.protocol.messages.base import Message
from raysim.spec.ids import JobId


class RegisterJob(Message):
    """Driver to GCS: a program begins; also subscribes the driver to node changes.

    Reply: JobRegistered. Lost: asked again; one driver process has one job.
    """

    entrypoint: str
    namespace: str


class JobRegistered(Message):
    """GCS to driver: your job id.

    Lost: the driver asks again and gets the same id.
    """

    job_id: JobId


class FinishJob(Message):
    """Driver to GCS: the program ended; its non-detached actors end with it.

    Reply: none. Lost: the driver's lost connection says the same.
    """

    job_id: JobId


class JobFinished(Message):
    """GCS to raylets: leases and workers of this job end.

    Lost: the raylet sees its owners' lost connections.
    """

    job_id: JobId

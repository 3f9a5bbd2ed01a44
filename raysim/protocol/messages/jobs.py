"""Jobs: a driver joins and leaves."""

from raysim.protocol.messages.base import Message
from raysim.spec.address import Address
from raysim.spec.ids import JobId


class RegisterJob(Message):
    """Driver to GCS: a program begins; also subscribes the driver to node changes.

    Reply: JobRegistered. Lost: asked again; one driver process has one job.
    """

    entrypoint: str
    namespace: str
    runtime_env: str = ""
    """For people who ask."""
    metadata: dict[str, str] = {}
    """For people who ask. Ray: `JobConfig.metadata`."""
    observer: bool = False
    """It only looks, or acts for others: people are not shown it, and it is forgotten once it has ended."""


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
    """GCS to raylets: this job's driver is gone, with all that it held; idle workers of the job end.

    What others hold goes on: detached actors outlive their job, and so do the tasks that they wait for.
    Lost: the raylet sees the driver's lost connection.
    """

    job_id: JobId
    driver: Address

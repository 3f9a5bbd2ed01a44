"""What processes say to each other about what was printed. Never who shows it: see printed."""

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim.spec.ids import JobId


class Printed(Message):
    """A worker to the driver of its job: whole lines, each with whose it is.

    Reply: none. Lost: they are in the worker's file only.
    """

    is_error: bool
    text: str


class FindDriver(Message):
    """A worker to the GCS: whose job is this? Reply: DriverIs. Lost: asked again when the GCS is back."""

    job_id: JobId


class DriverIs(Message):
    """GCS to a worker; None: it has ended. Lost: see FindDriver."""

    job_id: JobId
    driver: Address | None

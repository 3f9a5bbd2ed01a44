"""What a process that would join asks the GCS, and the answer. Never who asks: see joining."""

from raysim.config import Config
from raysim.protocol.messages import Message
from raysim.spec.address import Address


class AskCluster(Message):
    """A process that would join to the GCS: which cluster is this?

    Reply: ClusterFound. Lost: the connection is, and the process says so to its user.
    """

    version: str


class ClusterFound(Message):
    """GCS to a process that would join. Lost: see AskCluster."""

    version: str
    python: str
    session_id: str
    gcs: Address
    config: Config
    seed: int

"""A cluster that shrinks: nodes that have nothing to do leave it."""

from raysim.protocol.messages.base import Message


class RetireNode(Message):
    """GCS to raylet: leave the cluster if you have nothing to do; take on nothing from then on.

    Reply: NodeRetires. Lost: asked again when the node is still idle at the next look.
    """

    reason: str


class NodeRetires(Message):
    """Raylet to GCS: whether it leaves, or has something to do.

    Lost: the GCS asks again, and the answer is the same as long as the node has nothing to do.
    """

    leaves: bool

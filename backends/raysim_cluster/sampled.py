"""What a node notes of itself, told to the head, which keeps it. Never who looks at it."""

from raysim.protocol.messages import Message
from raysim.spec.sample import Sample


class Sampled(Message):
    """A node to the process of the GCS, each time it has looked at itself.

    Reply: none. Lost: one point is missing in a curve.
    """

    sample: Sample

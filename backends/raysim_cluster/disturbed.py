"""How a node's processes are told what faults do to their links. Never how they obey: see disturbance."""

import msgspec

from raysim.protocol.messages import Message
from raysim.spec.ids import NodeId


class LinkRule(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """What becomes of that which comes from the processes of one node."""

    source: NodeId
    cut: bool = False
    """Nothing arrives any more, until that ends."""
    latency_ns: int = 0
    jitter_ns: int = 0
    """Up to so much more, drawn."""
    message: str = ""
    """Only messages of this kind, and those behind them; empty: all."""


class Disturbed(Message):
    """A node's process to the others of its node: from now on these rules hold for their links, and no others.

    Reply: Obeyed. Lost: the process goes with its connection.
    """

    order: int
    """What the driver asked, which is done once all have answered; 0: nobody waits for it."""
    rules: list[LinkRule]


class Obeyed(Message):
    """A process to that of its node: the rules of this order hold here.

    Reply: none. Lost: the process goes with its connection, and is not waited for much longer.
    """

    order: int

"""What goes wrong between processes. Never what goes wrong in one: see processes.

A connection is TCP or a unix socket: it keeps its order, and what is sent on it arrives or the connection
breaks. So a lost packet is a wait until it is sent again, and a partition is a wait until it is healed. Only
messages that whoever sends them asks for again (`raysim.protocol.messages.repeats`) can be lost, doubled or
overtaken by themselves: that is what a connection that breaks and is made again looks like to a request.
"""

from __future__ import annotations

from typing import ClassVar, Final

from raysim.faults.model import ANY, HALF, REST, Fault, NodeName

WAYS: Final = ("request_lost", "reply_lost", "retried", "stale_duplicate")
"""The four ways a remote call fails."""


class Delay(Fault, frozen=True, kw_only=True, tag="delay"):
    """For `lasting`, what the `nodes` send or receive takes `latency` longer, and up to `jitter` more, drawn.

    With `message`, only messages of that kind, and what is sent behind them on the same connection: within a
    node as well. Never changes the order within a connection.
    """

    nodes: str = ANY
    latency: int = 50_000_000
    jitter: int = 0
    message: str | None = None
    lasting: int | None = None


class Bandwidth(Fault, frozen=True, kw_only=True, tag="bandwidth"):
    """For `lasting`, the links of the `nodes` carry `bandwidth` bytes per second each way.

    Never stops a transfer, never changes what small messages cost.
    """

    nodes: str = ANY
    bandwidth: int = 1_250_000
    lasting: int | None = None


class Loss(Fault, frozen=True, kw_only=True, tag="loss"):
    """For `lasting`, a share `rate` of the packets between the `nodes` and others is lost.

    TCP sends them again after 200 ms, 400 ms and so on, and holds up what is behind them.
    Never loses a message, never changes the order within a connection.
    """

    nodes: str = ANY
    rate: float = 0.05
    lasting: int | None = None


class Duplication(Fault, frozen=True, kw_only=True, tag="duplication"):
    """For `lasting`, a share `rate` of the messages that may arrive twice does, up to `latency` later.

    With `message`, only that kind. Never doubles a message that nobody sends again, a call say.
    """

    rate: float = 0.1
    latency: int = 2_000_000_000
    message: str | None = None
    lasting: int | None = None


class Reordering(Fault, frozen=True, kw_only=True, tag="reordering"):
    """For `lasting`, a share `rate` of the messages that may be lost is overtaken: it comes up to `latency` later.

    With `message`, only that kind. Never reorders what must keep its order.
    """

    rate: float = 0.1
    latency: int = 500_000_000
    message: str | None = None
    lasting: int | None = None


class FailRpc(Fault, frozen=True, kw_only=True, tag="fail_rpc"):
    """The next `count` requests of the kind `message` (of any that is asked again, without it) fail.

    `way`: the request is lost; its reply is lost; it is `retried`, executed, its reply lost, and executed
    again; or a `stale_duplicate` of it arrives 2 s later. Never fails a message that nobody asks for again.
    """

    way: str = "request_lost"
    message: str | None = None
    count: int = 1


class Partition(Fault, frozen=True, kw_only=True, tag="partition"):
    """For `lasting`, nothing passes between the `nodes` and the `others`; `one_way`: only what `nodes` send stops.

    What was sent arrives when the partition is healed, as TCP sends it again. A node that the GCS does not
    hear of for long is declared dead, and stops when it hears of that. Never breaks a connection.
    """

    nodes: str = HALF
    others: str = REST
    one_way: bool = False
    lasting: int | None = 20_000_000_000


class Isolate(Fault, frozen=True, kw_only=True, tag="isolate"):
    """For `lasting`, one node is cut off from all others. Never cuts processes of the node from each other."""

    may_draw_head: ClassVar[bool] = False
    node: NodeName | None = None
    one_way: bool = False
    lasting: int | None = 20_000_000_000


class Heal(Fault, frozen=True, kw_only=True, tag="heal"):
    """All faults that last are over: links, stores, clocks, pauses and slowness.

    Never brings back what died.
    """


KINDS: tuple[type[Fault], ...] = (
    Delay,
    Bandwidth,
    Loss,
    Duplication,
    Reordering,
    FailRpc,
    Partition,
    Isolate,
    Heal,
)

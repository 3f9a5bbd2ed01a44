"""Bandwidth of links, shared max-min fairly by the transfers on them. Never knows what is transferred.

The fluid model: a transfer has a rate at each moment, and the rates change when a transfer begins or ends.
One connection is one transfer at a time, as with TCP: what it sends next waits behind.
"""

from collections.abc import Callable
from math import ceil
from typing import Final

from raysim_sim.clock import Call, Clock

SECOND_NS: Final = 1_000_000_000


class Link:
    """One direction of a node's attachment to the network. `capacity` in bytes per nanosecond."""

    __slots__ = ("capacity", "flows")

    def __init__(self, bytes_per_second: int) -> None:
        self.capacity = bytes_per_second / SECOND_NS
        self.flows: dict[Flow, None] = {}


class Flow:
    """A transfer under way: so many bytes over these links, then `ended`."""

    __slots__ = ("_timer", "ended", "links", "rate", "remaining", "since_ns")

    def __init__(self, size: int, links: tuple[Link, Link], ended: Callable[[], None]) -> None:
        self.remaining = float(size)
        self.links = links
        self.ended = ended
        self.rate = 0.0
        self.since_ns = 0
        self._timer: Call | None = None

    def retime(self, clock: Clock, rate: float) -> None:
        """Go on at another rate from now."""
        now = clock.now_ns
        self.remaining -= self.rate * (now - self.since_ns)
        self.since_ns = now
        self.rate = rate
        if self._timer is not None:
            self._timer.cancel()
        left = max(0, ceil(self.remaining / rate))
        self._timer = clock.call(left, self.ended)

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()


class Fabric:
    """All links, and the transfers on them."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    def begin(self, flow: Flow) -> None:
        flow.since_ns = self._clock.now_ns
        for link in flow.links:
            link.flows[flow] = None
        self._clock.expected += 1
        self._share(flow.links)

    def widen(self, links: tuple[Link, Link], bytes_per_second: float) -> None:
        """Both links carry so much from now on."""
        for link in links:
            link.capacity = bytes_per_second / SECOND_NS
        self._share(links)

    def go_on(self, flow: Flow, size: int) -> None:
        """The next bytes of the same connection: nobody's rate changes."""
        flow.remaining = float(size)
        flow.since_ns = self._clock.now_ns
        flow.retime(self._clock, flow.rate)

    def end(self, flow: Flow) -> None:
        """The transfer has ended, or its sender is gone."""
        flow.stop()
        for link in flow.links:
            link.flows.pop(flow, None)
        self._clock.expected -= 1
        self._clock.active_ns = self._clock.now_ns
        self._share(flow.links)

    def _share(self, changed: tuple[Link, Link]) -> None:
        """Progressive filling over the transfers that a change on these links can reach."""
        room, waiting = _reach(changed)
        clock = self._clock
        while waiting:
            narrow = min(room, key=lambda link: room[link][0] / room[link][1])
            share = room[narrow][0] / room[narrow][1]
            for flow in narrow.flows:
                if waiting.pop(flow, flow) is None:
                    _take(room, flow.links, share)
                    if share != flow.rate:
                        flow.retime(clock, share)


def _reach(links: tuple[Link, Link]) -> tuple[dict[Link, list[float]], dict[Flow, None]]:
    """Every transfer that shares a link with one that shares a link ... with these, and their links' room:
    capacity left, transfers without a rate."""
    flows: dict[Flow, None] = {}
    room: dict[Link, list[float]] = {}
    look = list(links)
    while look:
        link = look.pop()
        if link in room or not link.flows:
            continue
        room[link] = [link.capacity, len(link.flows)]
        for flow in link.flows:
            if flow not in flows:
                flows[flow] = None
                look += flow.links
    return room, flows


def _take(room: dict[Link, list[float]], links: tuple[Link, Link], share: float) -> None:
    for link in links:
        left = room[link]
        left[0] = max(0.0, left[0] - share)
        left[1] -= 1
        if not left[1]:
            del room[link]

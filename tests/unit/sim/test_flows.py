import pytest

from raysim.protocol.host import Waiter
from raysim_sim.clock import Clock
from raysim_sim.flows import Fabric, Flow, Link

GB = 1_000_000_000


class Bench:
    """Transfers over links of 1 byte/ns, and when each ended."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.fabric = Fabric(self.clock)
        self.ended: dict[str, int] = {}

    def begin(self, name: str, size: int, out: Link, into: Link) -> None:
        def end() -> None:
            self.ended[name] = self.clock.now_ns
            self.fabric.end(flow)

        flow = Flow(size, (out, into), end)
        self.fabric.begin(flow)

    def run(self) -> dict[str, int]:
        waiter = Waiter()
        self.clock.call(10**12, waiter.finish)
        self.clock.run_until(waiter)
        return self.ended


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_lone_transfer_has_the_whole_link(bench):
    bench.begin("a", 1_000, Link(GB), Link(GB))
    assert bench.run() == {"a": 1_000}


def test_two_transfers_of_one_link_share_it_and_the_longer_speeds_up_when_the_other_ends(bench):
    out = Link(GB)
    bench.begin("short", 1_000, out, Link(GB))
    bench.begin("long", 3_000, out, Link(GB))
    # Both at 1/2 until 2,000, when 2,000 bytes of the long one are left.
    assert bench.run() == {"short": 2_000, "long": 4_000}


def test_what_a_transfer_cannot_use_goes_to_the_others(bench):
    """Max-min fairness: a is held to 1/4 by its receiver, so b gets 3/4 of the link that they share."""
    out = Link(GB)
    bench.begin("a", 1_000, out, Link(GB // 4))
    bench.begin("b", 3_000, out, Link(GB))
    assert bench.run() == {"a": 4_000, "b": 4_000}


def test_a_change_reaches_transfers_that_share_no_link_with_it(bench):
    """a-b share an outgoing link, b-c an incoming one: when a ends, b speeds up and c slows down no further."""
    out, into = Link(GB), Link(GB)
    bench.begin("a", 1_000, out, Link(GB))
    bench.begin("b", 2_000, out, into)
    bench.begin("c", 2_000, Link(GB), into)
    assert bench.run() == {"a": 2_000, "b": 4_000, "c": 4_000}


def test_links_are_given_back(bench):
    out, into = Link(GB), Link(GB)
    bench.begin("a", 1_000, out, into)
    bench.run()
    assert not out.flows
    assert not into.flows
    assert bench.clock.expected == 0

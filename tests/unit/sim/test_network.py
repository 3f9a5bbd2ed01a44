"""Two or three processes that only write down what reaches them, on a network."""

from types import SimpleNamespace

import pytest

from raysim.journal import Journal, Level
from raysim.protocol.host import Waiter
from raysim.protocol.messages import CheckHealth, Healthy, ObjectChunk
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId, named_node_id, named_worker_id
from raysim_sim.clock import Clock
from raysim_sim.costs import FREE, LAN, Costs
from raysim_sim.hosts import SimHost
from raysim_sim.network import Network
from raysim_sim.streams import Streams

MB = 1_000_000


class Recorder:
    """In the place of a Process."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.handlers: dict[type, object] = {}
        self.seen: list[tuple[int, object]] = []
        self.lost: list[tuple[int, Address]] = []
        self.answer = None

    def receive(self, sender: Address, message: object) -> None:
        what = message.offset if isinstance(message, ObjectChunk) else message.number
        self.seen.append((self.clock.now_ns, what))
        if self.answer is not None:
            self.answer(sender, message)

    def peer_lost(self, peer: Address) -> None:
        self.lost.append((self.clock.now_ns, peer))


class Cluster:
    def __init__(self, costs: Costs, level: Level = Level.OFF, wire: bool = False) -> None:
        self.config = None
        self.buggify = None
        self.clock = Clock()
        self.journal = Journal(level)
        self.trace = level is Level.ALL
        self.network = Network(self.clock, costs, self.journal, self.trace, wire)
        self.streams = Streams(0)

    def node(self) -> SimpleNamespace:
        return SimpleNamespace(
            alive=True, slowness=1, link_in=self.network.link(), link_out=self.network.link()
        )

    def host(self, name: str, node: SimpleNamespace) -> SimHost:
        host = SimHost(self, node, name, Address(named_node_id(name), named_worker_id(name)))
        host.process = Recorder(self.clock)
        return host

    def run(self, for_ns: int = 10**12) -> None:
        waiter = Waiter()
        self.clock.call(for_ns, waiter.finish)
        self.clock.run_until(waiter)


def pair(costs: Costs = LAN, one_node: bool = False, **options):
    cluster = Cluster(costs, **options)
    node = cluster.node()
    other = node if one_node else cluster.node()
    return cluster, cluster.host("a", node), cluster.host("b", other)


def chunk(number: int, size: int) -> ObjectChunk:
    return ObjectChunk(ObjectId(b"o" * 28), number, size, size, b"")


@pytest.mark.parametrize("wire", [False, True])
def test_ping_pong_takes_four_latencies(wire):
    cluster, a, b = pair(Costs(bandwidth=0), wire=wire)
    b.process.answer = lambda sender, ping: b.send(sender, Healthy(ping.number))
    a.process.answer = lambda sender, pong: pong.number == 1 and a.send(sender, CheckHealth(2))
    a.send(b.address, CheckHealth(1))
    cluster.run()
    assert a.process.seen == [(200_000, 1), (400_000, 2)]


@pytest.mark.parametrize(("one_node", "expected"), [(True, LAN.local_latency), (False, 100_102)])
def test_a_small_message_pays_latency_and_its_bytes(one_node, expected):
    cluster, a, b = pair(one_node=one_node)
    a.send(b.address, CheckHealth(1))
    cluster.run()
    assert b.process.seen == [(expected, 1)]


def test_a_message_to_oneself_arrives_after_the_call_that_sent_it():
    cluster, a, _ = pair()
    a.send(a.address, CheckHealth(1))
    assert a.process.seen == []
    cluster.run(1)
    assert a.process.seen == [(0, 1)]


def test_a_free_network_costs_nothing_however_large_the_message():
    cluster, a, b = pair(FREE)
    a.send(b.address, chunk(1, 10**12))
    cluster.run()
    assert b.process.seen == [(0, 1)]


def test_a_connection_keeps_its_order_also_behind_a_large_message():
    cluster, a, b = pair()
    a.send(b.address, CheckHealth(1))
    a.send(b.address, chunk(2, 5 * MB))
    a.send(b.address, CheckHealth(3))
    a.send(b.address, chunk(4, 5 * MB))
    a.send(b.address, CheckHealth(5))
    cluster.run()
    times = [at_ns for at_ns, _ in b.process.seen]
    assert [what for _, what in b.process.seen] == [1, 2, 3, 4, 5]
    assert times == sorted(times)
    assert times[1] == pytest.approx(4_000_000 + 100_000, rel=1e-3)
    assert times[3] == pytest.approx(8_000_000 + 100_000, rel=1e-3)


def test_another_connection_does_not_wait_behind_a_large_message():
    cluster, a, b = pair()
    c = cluster.host("c", a.node)
    a.send(b.address, chunk(1, 500 * MB))
    c.send(b.address, CheckHealth(2))
    cluster.run()
    assert b.process.seen[0] == (100_102, 2)


def test_two_senders_share_the_receiving_link():
    cluster, a, b = pair()
    c = cluster.host("c", cluster.node())
    a.send(b.address, chunk(1, 125 * MB))
    c.send(b.address, chunk(2, 125 * MB))
    cluster.run()
    assert [at_ns for at_ns, _ in b.process.seen] == pytest.approx([200_100_000] * 2, rel=1e-3)


def test_peers_see_a_process_end_behind_what_it_sent():
    cluster, a, b = pair()
    a.send(b.address, chunk(1, 125 * MB))
    a.send(b.address, CheckHealth(2))
    a.end("it ended")
    cluster.run()
    assert [what for _, what in b.process.seen] == [1, 2]
    assert [peer for _, peer in b.process.lost] == [a.address]
    assert b.process.lost[0][0] >= b.process.seen[-1][0]


def test_who_sent_to_a_process_sees_its_end_too():
    cluster, a, b = pair()
    a.send(b.address, CheckHealth(1))
    cluster.run()
    at_ns = cluster.clock.now_ns
    b.end("it ended")
    cluster.run()
    assert a.process.lost == [(at_ns + LAN.latency, b.address)]


def test_a_process_that_talked_both_ways_is_reported_once():
    cluster, a, b = pair()
    b.process.answer = lambda sender, ping: b.send(sender, Healthy(1))
    a.send(b.address, CheckHealth(1))
    cluster.run()
    b.end("it ended")
    cluster.run()
    assert len(a.process.lost) == 1


def test_a_message_to_a_dead_process_of_a_live_node_is_refused_after_a_round_trip():
    cluster, a, b = pair()
    b.end("it ended")
    a.send(b.address, CheckHealth(1))
    a.send(b.address, CheckHealth(2))
    cluster.run()
    assert a.process.lost == [(2 * LAN.latency, b.address)]


def test_each_later_attempt_is_refused_again():
    cluster, a, b = pair()
    b.end("it ended")
    a.send(b.address, CheckHealth(1))
    cluster.run()
    a.send(b.address, CheckHealth(2))
    cluster.run()
    assert len(a.process.lost) == 2


def test_a_loss_of_power_is_silent_and_what_waited_to_leave_is_gone():
    cluster, a, b = pair()
    a.send(b.address, CheckHealth(1))
    a.send(b.address, chunk(2, 125 * MB))
    a.node.alive = False
    a.end("it ended", resets=False)
    b.send(a.address, CheckHealth(3))
    cluster.run()
    assert [what for _, what in b.process.seen] == [1]
    assert b.process.lost == []
    assert not b.node.link_in.flows


def test_a_dead_process_sends_nothing_and_hears_no_timer():
    cluster, a, b = pair()
    rung: list[int] = []
    a.call_later(5, lambda: rung.append(1))
    a.end("it ended")
    a.send(b.address, CheckHealth(1))
    cluster.run()
    assert (rung, b.process.seen) == ([], [])


def test_a_cancelled_timer_does_not_ring():
    cluster, a, _ = pair()
    rung: list[str] = []
    a.call_later(5, lambda: rung.append("kept"))
    a.call_later(5, lambda: rung.append("cancelled")).cancel()
    cluster.run()
    assert rung == ["kept"]


def test_the_journal_holds_each_message_twice_and_each_timer():
    cluster, a, b = pair(level=Level.ALL)
    a.call_later(1, lambda: a.send(b.address, CheckHealth(7)))
    cluster.run()
    kinds = [(process, kind) for _, process, kind, _ in cluster.journal.records]
    assert kinds == [("a", "timer"), ("a", "send"), ("b", "deliver")]
    assert cluster.journal.records[1][3] == ("b", ["CheckHealth", 7])

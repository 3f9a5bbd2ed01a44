"""What faults do to messages: waits that keep the order, cuts that heal, mishaps of what is asked for again."""

import pytest

from raysim.protocol.messages import CheckHealth, Healthy, ReleasePins
from raysim.tape import Draws, SeededTape
from raysim_sim import disturbance as rules
from raysim_sim.costs import LAN, Costs
from raysim_sim.disturbance import Disturbance, FailingCalls, Mishap
from tests.unit.sim.test_network import MB, chunk, pair

LATENCY = LAN.latency
MS = 1_000_000
DRAWS = Draws(SeededTape(1), "x")


def disturbed(costs=LAN, one_node=False):
    cluster, a, b = pair(costs, one_node)
    return cluster, a, b, Disturbance(cluster.network, cluster.clock)


def numbers(host):
    return [what for _, what in host.process.seen]


def at(cluster, ns, action):
    cluster.clock.call(ns, action)


def test_without_a_rule_nothing_changes():
    cluster, a, b, _ = disturbed(Costs(bandwidth=0))
    a.send(b.address, CheckHealth(1))
    cluster.run()
    assert b.process.seen == [(LATENCY, 1)]


def test_a_delay_is_paid_by_each_and_keeps_the_order():
    cluster, a, b, disturbance = disturbed()
    rule = rules.delayed([a.node], 50 * MS, 20 * MS, None, DRAWS)
    disturbance.begin(rule)
    for number in range(20):
        a.send(b.address, CheckHealth(number))
    cluster.run(100 * MS)
    assert numbers(b) == list(range(20))
    assert 50 * MS < b.process.seen[0][0] < 71 * MS
    disturbance.end(rule)
    b.send(a.address, CheckHealth(1))
    cluster.run()
    assert a.process.seen[0][0] < 101 * MS


def test_a_message_behind_one_that_waits_does_not_overtake_it():
    cluster, a, b, disturbance = disturbed()
    disturbance.begin(rules.delayed([a.node], 50 * MS, 0, "CheckHealth", DRAWS))
    a.send(b.address, CheckHealth(1))
    a.send(b.address, Healthy(2))
    b.send(a.address, Healthy(3))
    cluster.run()
    assert numbers(b) == [1, 2]
    assert b.process.seen[1][0] > 50 * MS
    assert a.process.seen[0][0] < MS


def test_a_cut_holds_what_is_sent_until_it_heals():
    cluster, a, b, disturbance = disturbed()
    rule = rules.cut([a.node], [b.node], one_way=False)
    disturbance.begin(rule)
    a.send(b.address, CheckHealth(1))
    a.send(b.address, chunk(2, 5 * MB))
    a.send(b.address, CheckHealth(3))
    b.send(a.address, CheckHealth(4))
    at(cluster, 10 * MS, lambda: disturbance.end(rule))
    cluster.run()
    assert numbers(b) == [1, 2, 3]
    assert b.process.seen[0][0] > 10 * MS
    assert numbers(a) == [4]


def test_a_cut_one_way_lets_the_other_way_pass():
    cluster, a, b, disturbance = disturbed()
    disturbance.begin(rules.cut([a.node], [b.node], one_way=True))
    a.send(b.address, CheckHealth(1))
    b.send(a.address, CheckHealth(2))
    cluster.run()
    assert (numbers(a), numbers(b)) == ([2], [])


def test_processes_of_a_node_are_never_cut_from_each_other():
    cluster, a, b, disturbance = disturbed(one_node=True)
    disturbance.begin(rules.cut([a.node], [a.node], one_way=False))
    a.send(b.address, CheckHealth(1))
    cluster.run()
    assert numbers(b) == [1]


@pytest.mark.parametrize("size", [100, 125 * MB])
def test_the_end_of_a_process_is_heard_of_behind_what_it_sent(size):
    cluster, a, b, disturbance = disturbed()
    rule = rules.cut([a.node], [b.node], one_way=False)
    disturbance.begin(rule)
    a.send(b.address, CheckHealth(1))
    a.send(b.address, chunk(2, size))
    at(cluster, MS, lambda: a.end("it ended"))
    at(cluster, 10 * MS, lambda: disturbance.end(rule))
    cluster.run()
    assert numbers(b) == [1, 2]
    assert [peer for _, peer in b.process.lost] == [a.address]
    assert b.process.lost[0][0] >= b.process.seen[-1][0]


def test_the_end_of_a_process_is_not_heard_of_through_a_cut():
    cluster, a, b, disturbance = disturbed()
    b.send(a.address, CheckHealth(1))
    cluster.run(MS)
    disturbance.begin(rules.cut([a.node], [b.node], one_way=False))
    a.end("it ended")
    cluster.run(10**9)
    assert b.process.lost == []


def test_what_a_machine_without_power_had_sent_into_a_cut_is_gone():
    cluster, a, b, disturbance = disturbed()
    rule = rules.cut([a.node], [b.node], one_way=False)
    disturbance.begin(rule)
    a.send(b.address, CheckHealth(1))
    at(cluster, MS, lambda: a.end("it ended", resets=False))
    at(cluster, 10 * MS, lambda: disturbance.end(rule))
    cluster.run()
    assert b.process.seen == b.process.lost == []


def test_lost_packets_hold_up_what_is_behind_them():
    cluster, a, b, disturbance = disturbed()
    disturbance.begin(rules.lossy([a.node], 0.3, DRAWS))
    for number in range(50):
        a.send(b.address, CheckHealth(number))
    cluster.run()
    assert numbers(b) == list(range(50))
    assert b.process.seen[-1][0] >= rules.RETRANSMIT_NS


def test_only_what_is_asked_for_again_is_doubled():
    cluster, a, b, disturbance = disturbed()
    b.process.receive = lambda sender, message: b.process.seen.append(type(message))
    disturbance.begin(rules.doubled(cluster.network, 1.0, MS, None, DRAWS))
    a.send(b.address, CheckHealth(1))
    a.send(b.address, ReleasePins([]))
    cluster.run()
    assert sorted(kind.__name__ for kind in b.process.seen) == [
        "CheckHealth",
        "CheckHealth",
        "ReleasePins",
    ]


def test_what_is_overtaken_arrives_once_and_later():
    cluster, a, b, disturbance = disturbed()
    disturbance.begin(rules.overtaken(cluster.network, 1.0, 10 * MS, "CheckHealth", DRAWS))
    for number in range(10):
        a.send(b.address, CheckHealth(number))
    a.send(b.address, Healthy(10))
    cluster.run()
    assert sorted(numbers(b)) == list(range(11))
    assert numbers(b)[0] == 10 or numbers(b) != sorted(numbers(b))


@pytest.mark.parametrize(
    ("way", "requests", "replies"),
    [
        ("request_lost", [2], [2]),
        ("reply_lost", [1, 2], [2]),
        ("retried", [1, 1, 2], [1, 2]),
        ("stale_duplicate", [1, 1, 2], [1, 1, 2]),
    ],
)
def test_a_call_fails_in_each_of_the_four_ways(way, requests, replies):
    cluster, a, b, disturbance = disturbed()
    b.process.answer = lambda sender, check: b.send(sender, Healthy(check.number))
    ended = []
    calls = FailingCalls(cluster.network, way, "CheckHealth", 1, lambda: ended.append(way))
    disturbance.begin(Mishap(calls.takes))
    a.send(b.address, CheckHealth(1))
    at(cluster, 5 * MS, lambda: a.send(b.address, CheckHealth(2)))
    cluster.run()
    assert sorted(numbers(b)) == requests
    assert sorted(numbers(a)) == replies
    assert ended == [way]

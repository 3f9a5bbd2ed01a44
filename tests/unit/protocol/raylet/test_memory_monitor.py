"""Memory runs out: one worker after another ends, and its owner knows why before it does."""

import pytest

from raysim.protocol.messages import LeaseLost, ReturnWorkerLease, WorkerDied
from raysim.protocol.raylet.memory_monitor import NOTICE_NS, MemoryUsage
from tests.unit.protocol.raylet.node import ACTOR, GCS, Node, request

GIB = 1 << 30


def low(node, used=96 * GIB, uses=lambda token: token * GIB):
    """What is sent when this much of 100 GiB is used."""
    before = len(node.host.sent)
    node.raylet.memory.measured(MemoryUsage(used, 100 * GIB, uses))
    return node.host.sent[before:]


def lost(sent):
    return [(to, message) for to, message in sent if isinstance(message, LeaseLost)]


def leases(node, owner, count):
    for number in range(1, count + 1):
        node.host.advance(1)
        node.tell(owner, request(number, retriable=True))
        node.worker_up(node.host.workers.started[-1])


def test_enough_memory_ends_nobody(node, owner):
    leases(node, owner, 2)
    assert low(node, used=95 * GIB) == []
    assert node.host.workers.killed == []


def test_the_owner_hears_of_the_newest_before_it_ends(node, owner):
    leases(node, owner, 3)
    [(to, message)] = lost(low(node))
    assert (to, message.lease_id) == (owner, 3)
    assert message.out_of_memory
    assert not message.final
    assert "96.00 GiB of 100.00 GiB" in message.reason
    assert "worker 3 3.00 GiB, worker 2 2.00 GiB, worker 1 1.00 GiB" in message.reason
    assert node.host.workers.killed == []


def test_it_ends_when_the_owner_has_answered(node, owner):
    leases(node, owner, 2)
    low(node)
    node.tell(owner, ReturnWorkerLease(2, worker_failed=True))
    assert node.host.workers.killed == [2]


def test_it_ends_soon_where_the_owner_does_not_answer(node, owner):
    leases(node, owner, 2)
    low(node)
    node.host.advance(NOTICE_NS)
    assert node.host.workers.killed == [2]


def test_only_one_ends_until_its_end_shows(node, owner):
    leases(node, owner, 3)
    low(node)
    assert lost(low(node)) == []
    node.tell(owner, ReturnWorkerLease(3, worker_failed=True))
    assert lost(low(node)) == []
    node.end_worker(3)
    [(_, message)] = lost(low(node))
    assert message.lease_id == 2


def test_the_last_one_is_not_to_run_again(node, owner):
    leases(node, owner, 1)
    [(_, message)] = lost(low(node))
    assert message.final


def test_an_actor_ends_at_once_and_the_gcs_hears_why(node):
    node.tell(GCS, request(1, actor_id=ACTOR, retriable=True))
    node.worker_up(node.host.workers.started[-1])
    assert lost(low(node)) == []
    assert node.host.workers.killed == [1]
    died = [m for _, m in node.end_worker(1, "killed by SIGKILL") if isinstance(m, WorkerDied)]
    assert "ran out of memory" in died[0].reason
    assert died[0].out_of_memory
    assert not died[0].intended


def test_who_runs_nothing_does_not_end(node, owner):
    leases(node, owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    assert low(node) == []
    assert node.host.workers.killed == []


@pytest.mark.parametrize(("used", "ends"), [(50, False), (51, True)])
def test_the_threshold_is_a_knob(owner, used, ends):
    from raysim.config import Config

    node = Node(config=Config(memory_usage_threshold=0.5))
    leases(node, owner, 1)
    assert bool(lost(low(node, used=used * GIB))) is ends


def test_what_was_decided_is_told_and_counted(node, owner):
    leases(node, owner, 2)
    usage = MemoryUsage(96 * GIB, 100 * GIB, lambda token: token * GIB)
    said = node.raylet.memory.measured(usage)
    assert "Worker 2 used 2.00 GiB; it ends because its work may run again" in said
    assert node.raylet.memory.ended == 1
    assert node.raylet.memory.measured(usage) == "", "one at a time"
    assert node.raylet.memory.ended == 1

"""Joining, health, fencing, and what raylets are told of each other."""

import msgspec

from raysim.config import Config
from raysim.journal import NodeJoined, NodeLost
from raysim.protocol.messages import (
    CheckHealth,
    DrainNode,
    GetNodes,
    Healthy,
    NodeRefused,
    NodeRegistered,
    NodeRemoved,
    Nodes,
    RegisterNode,
    ReportResources,
    ResourceView,
    WatchNodes,
)
from raysim.spec.address import Address
from raysim.spec.node import StoreStats
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, HEAD, SECOND_NS, Head, info


def report(version: int, free: float, queued: int = 0) -> ReportResources:
    return ReportResources(version, fixed({"CPU": 8}), fixed({"CPU": free}), queued, StoreStats())


def test_a_node_that_joins_is_told_to_those_who_watch_and_to_nobody_else(head: Head) -> None:
    head.join("head")
    head.tell(HEAD, WatchNodes(True))
    one, two = head.join("one"), head.join("two")
    head.host.advance(head.host.config.resource_report_period_ns // 10)
    told = [(to, view) for to, view in head.take(ResourceView) if not view.whole]
    assert [(to, node.address) for to, view in told for node in view.nodes] == [
        (HEAD, one),
        (HEAD, two),
    ]
    assert [note.name for note in head.host.noted(NodeJoined)] == ["head", "one", "two"]


def test_nodes_that_join_at_one_instant_share_one_answer(head: Head) -> None:
    for name in ("one", "two", "three"):
        head.tell(address(name), RegisterNode(info(address(name), name)))
    head.host.advance(0)
    answers = [message for _, message in head.host.of(NodeRegistered)]
    assert len(answers) == 3
    assert answers[0] is answers[1] is answers[2]


def test_registering_again_changes_nothing(head: Head) -> None:
    """The node cannot tell a lost answer from a slow one."""
    one = head.join("one")
    head.tell(one, report(1, free=2))
    head.join("one")
    assert len(head.take(NodeRegistered)) == 2
    assert head.gcs.nodes.views.live[one.node_id].available == fixed({"CPU": 2})
    assert len(head.host.noted(NodeJoined)) == 1


def test_a_node_is_durable_before_it_is_told_so(head: Head) -> None:
    one = address("one")
    head.tell(one, RegisterNode(info(one, "one")))
    head.host.advance(0)
    assert one.node_id in head.host.storage.tables["nodes"]
    assert head.host.storage.batch == []


def test_a_second_process_with_a_living_nodes_id_is_refused(head: Head) -> None:
    one = head.join("one")
    impostor = Address(one.node_id, address("other").worker_id)
    head.host.take()
    head.tell(impostor, RegisterNode(info(impostor, "one")))
    head.host.advance(0)
    assert [to for to, _ in head.take(NodeRefused)] == [impostor]


def test_who_begins_to_watch_is_told_of_all_nodes_as_they_are(head: Head) -> None:
    """A busy node that does not change would look idle to it for ever."""
    one, two = head.join("one"), head.join("two")
    head.tell(one, report(1, free=0))
    head.host.advance(SECOND_NS)
    head.host.take()
    head.tell(two, WatchNodes(True))
    [(to, view)] = head.take(ResourceView)
    assert (to, view.whole) == (two, True)
    assert [(node.address, node.available) for node in view.nodes] == [
        (one, {}),
        (two, fixed({"CPU": 8})),
    ]


def test_who_watches_no_more_is_told_nothing(head: Head) -> None:
    one, two = head.join("one"), head.join("two")
    head.tell(two, WatchNodes(True))
    head.tell(two, WatchNodes(False))
    head.host.take()
    head.tell(one, report(1, free=0))
    head.host.advance(SECOND_NS)
    assert head.take(ResourceView) == []


def test_a_node_that_is_gone_watches_no_more(head: Head) -> None:
    one, two = head.join("one"), head.join("two")
    head.tell(two, WatchNodes(True))
    head.process.peer_lost(two)
    head.host.take()
    head.tell(one, report(1, free=0))
    head.host.advance(SECOND_NS)
    assert head.take(ResourceView) == []


# --- the resource view ---------------------------------------------------------------------------


def test_the_first_change_after_a_quiet_time_is_told_at_once_the_next_after_a_period(
    head: Head,
) -> None:
    one, two = head.join("one"), head.join("two")
    for node in (one, two):
        head.tell(node, WatchNodes(True))
    head.host.advance(SECOND_NS)
    head.host.take()
    head.tell(one, report(1, free=7))
    head.host.advance(0)
    assert [to for to, _ in head.take(ResourceView)] == [two]
    head.tell(one, report(2, free=6))
    head.tell(two, report(1, free=5))
    head.tell(one, report(3, free=4))
    head.host.advance(head.host.config.resource_report_period_ns - 1)
    assert head.take(ResourceView) == []
    head.host.advance(1)
    views = head.take(ResourceView)
    assert [to for to, _ in views] == [one, two]
    assert [node.available["CPU"] for node in views[0][1].nodes] == [40_000, 50_000]


def test_a_quiet_cluster_sends_no_views(head: Head) -> None:
    head.tell(head.join("one"), WatchNodes(True))
    head.join("two")
    head.host.advance(SECOND_NS)
    head.host.take()
    head.host.advance(100 * SECOND_NS)
    assert head.take(ResourceView) == []


def test_a_head_alone_has_no_timers(head: Head) -> None:
    """Nobody to check, nothing to tell: an idle simulation has no events."""
    head.join("head")
    head.host.advance(SECOND_NS)
    assert head.host.timers == []


def test_an_overtaken_report_is_ignored(head: Head) -> None:
    one = head.join("one")
    head.tell(one, report(5, free=3))
    head.tell(one, report(4, free=8))
    assert head.gcs.nodes.views.live[one.node_id].available == fixed({"CPU": 3})


def test_a_sent_view_is_never_changed_afterwards(head: Head) -> None:
    """Worlds without a wire hand over the object itself."""
    one, two = head.join("one"), head.join("two")
    head.tell(two, WatchNodes(True))
    head.host.advance(SECOND_NS)
    head.host.take()
    head.tell(one, report(1, free=7))
    head.host.advance(0)
    [(_, view)] = head.take(ResourceView)
    head.gcs.nodes.views.ask(one.node_id, 1, fixed({"CPU": 5}))
    head.tell(one, report(2, free=1))
    assert view.nodes[0].available == fixed({"CPU": 7})
    assert two.node_id in head.gcs.nodes.views.live


# --- what placement counts on --------------------------------------------------------------------


def available(head: Head, node: Address) -> int:
    return head.gcs.nodes.views.live[node.node_id].available.get("CPU", 0)


def test_a_request_counts_until_a_report_holds_it(head: Head) -> None:
    one = head.join("one")
    views = head.gcs.nodes.views
    views.ask(one.node_id, 7, fixed({"CPU": 3}))
    assert available(head, one) == 50_000
    head.tell(one, report(1, free=6))  # Made before the request arrived there.
    assert available(head, one) == 30_000
    views.answered(one.node_id, 7, fixed({"CPU": 1}))
    assert available(head, one) == 50_000
    head.tell(one, report(2, free=5))  # Made after the grant: it holds the lease.
    assert available(head, one) == 50_000


def test_a_request_that_went_elsewhere_counts_no_more(head: Head) -> None:
    one = head.join("one")
    views = head.gcs.nodes.views
    views.ask(one.node_id, 7, fixed({"CPU": 3}))
    views.answered(one.node_id, 7, None)
    assert available(head, one) == 80_000


def test_a_lease_that_ended_before_any_report_leaves_no_trace(head: Head) -> None:
    """Ray PR 12711: a node that had nothing to report looked full for ever."""
    one = head.join("one")
    views = head.gcs.nodes.views
    views.ask(one.node_id, 7, fixed({"CPU": 3}))
    views.answered(one.node_id, 7, fixed({"CPU": 3}))
    views.returned(one.node_id, 7)
    views.returned(one.node_id, 7)
    assert available(head, one) == 80_000


# --- health and fencing --------------------------------------------------------------------------


def silent_for(head: Head, checks: int) -> None:
    config = head.host.config
    for _ in range(checks):
        head.host.advance(config.health_check_period_ns + config.health_check_timeout_ns)


def test_a_node_that_answers_lives(head: Head) -> None:
    one = head.join("one")
    for _ in range(50):
        head.host.advance(head.host.config.health_check_period_ns)
        for to, check in head.take(CheckHealth):
            head.tell(to, Healthy(check.number))
    assert one.node_id in head.gcs.nodes.live


def test_the_head_is_not_asked_whether_it_lives(head: Head) -> None:
    head.join("head")
    head.join("one")
    head.host.advance(head.host.config.health_check_period_ns)
    assert [to for to, _ in head.take(CheckHealth)] == [address("one")]


def test_a_silent_node_dies_at_the_threshold_and_everybody_hears_it(head: Head) -> None:
    head.join("head")
    head.job()
    one = head.join("one")
    limit = head.host.config.health_check_failure_threshold
    silent_for(head, limit - 1)
    assert one.node_id in head.gcs.nodes.live
    head.host.take()
    silent_for(head, 1)
    assert one.node_id not in head.gcs.nodes.live
    assert [to for to, _ in head.take(NodeRemoved)] == [HEAD, DRIVER]
    [lost] = head.host.noted(NodeLost)
    assert lost.node_id == one.node_id
    assert f"{limit} health checks" in lost.reason


def test_one_answer_begins_the_count_anew(head: Head) -> None:
    one = head.join("one")
    limit = head.host.config.health_check_failure_threshold
    silent_for(head, limit - 1)
    head.tell(one, Healthy(1))
    silent_for(head, limit - 1)
    assert one.node_id in head.gcs.nodes.live


def test_a_silent_node_is_told_to_stop_though_it_never_speaks_again(head: Head) -> None:
    """Its answers were lost, and it has nothing to say by itself."""
    one = head.join("one")
    silent_for(head, head.host.config.health_check_failure_threshold)
    assert [to for to, _ in head.take(NodeRefused)] == [one]


def test_a_node_that_speaks_after_its_death_is_told_to_stop(head: Head) -> None:
    """It was cut off and comes back: what it holds has been given to others."""
    one = head.join("one")
    head.process.peer_lost(one)
    head.host.take()
    for message in (report(9, free=8), Healthy(1), RegisterNode(info(one, "one"))):
        head.tell(one, message)
        head.host.advance(0)
        assert [to for to, _ in head.take(NodeRefused)] == [one]
    head.tell(address("worker", "one"), GetNodes(1))
    assert [to for to, _ in head.take(NodeRefused)] == [one]
    assert one.node_id not in head.gcs.nodes.live


def test_a_node_dies_once_however_many_notice(head: Head) -> None:
    head.join("head")
    one = head.join("one")
    head.host.take()
    head.process.peer_lost(one)
    head.process.peer_lost(one)
    silent_for(head, 10)
    assert len(head.take(NodeRemoved)) == 1
    assert len(head.host.noted(NodeLost)) == 1


def test_the_end_of_another_process_of_the_node_is_not_the_nodes_end(head: Head) -> None:
    one = head.join("one")
    head.process.peer_lost(address("worker", "one"))
    assert one.node_id in head.gcs.nodes.live


def test_dead_nodes_are_listed_with_their_reason(head: Head) -> None:
    head.join("head")
    one = head.join("one")
    head.gcs.nodes.end(one.node_id, "it was silent")
    head.tell(DRIVER, GetNodes(3))
    _, nodes = head.one(Nodes)
    assert nodes.number == 3
    assert [(n.info.name, n.alive, n.death_reason) for n in nodes.nodes] == [
        ("head", True, ""),
        ("one", False, "it was silent"),
    ]


def test_another_head_takes_the_place_of_one_that_was_killed_with_its_gcs(head: Head) -> None:
    """Nobody was there to see its end; a node beside it is still the same."""
    first, second, one = address("first"), address("second"), address("one")
    told = msgspec.structs.replace(info(first, "first"), is_head=True)
    head.tell(first, RegisterNode(told))
    head.host.advance(0)
    head.join("one")
    again = head.restarted()
    again.tell(one, RegisterNode(info(one, "one")))
    assert first.node_id in again.gcs.nodes.live
    again.tell(second, RegisterNode(msgspec.structs.replace(told, address=second)))
    assert list(again.gcs.nodes.live) == [one.node_id, second.node_id]
    [(to, removed)] = again.take(NodeRemoved)
    assert (to, removed.node_id) == (one, first.node_id)


def test_a_heads_raylet_is_not_asked_for_its_health(head: Head) -> None:
    """Where it stands still, so does the machine of the GCS."""
    first = address("first")
    told = msgspec.structs.replace(info(first, "first"), is_head=True)
    head.tell(first, RegisterNode(told))
    silent_for(head, 10)
    assert first.node_id in head.gcs.nodes.live


def test_dead_nodes_are_remembered_up_to_a_number() -> None:
    """Those that come and go with an autoscaler would fill the tables."""
    head = Head(config=Config(gcs_history=2))
    names = ("one", "two", "three")
    for name in names:
        head.join(name)
        head.tell(DRIVER, DrainNode(1, address(name).node_id, "idle", 0))
        head.process.peer_lost(address(name))
    latest = [address(name).node_id for name in names[1:]]
    assert list(head.gcs.nodes.dead) == latest
    assert list(head.gcs.nodes.drains) == latest
    assert sorted(head.restarted().gcs.nodes.dead) == sorted(latest)

"""Nodes that are to go, as the GCS sees them. The tests play the raylets."""

import pytest

from raysim.journal import NodeLost
from raysim.protocol.messages import (
    BundlesCommitted,
    BundlesPrepared,
    CreatePlacementGroup,
    DrainNode,
    DrainRaylet,
    GetNodes,
    GetPlacementGroups,
    KeepBundles,
    KillWorker,
    NodeDraining,
    NodeDrains,
    NodeRefused,
    NodeRemoved,
    Nodes,
    PlacementGroups,
    PrepareBundles,
    RayletDrained,
    RayletDrains,
    RequestWorkerLease,
    ResourceView,
    ReturnWorkerLease,
    StartActor,
    TerminateActor,
    WatchNodes,
)
from raysim.spec.actor import ActorState
from raysim.spec.address import Address
from raysim.spec.ids import IdSource, driver_task
from raysim.spec.placement_group import GroupSpec, GroupState, GroupStrategy
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, HEAD, SECOND_NS, Head


@pytest.fixture
def one(head: Head) -> Address:
    """A node beside the head; nothing of their joining is left to be taken."""
    head.join("head", cpus=1)
    raylet = head.join("one")
    head.host.take()
    return raylet


def drain(head: Head, raylet: Address, reason: str = "a new disk", deadline_ns: int = 0) -> str:
    """Ask for it; why not."""
    head.tell(DRIVER, DrainNode(1, raylet.node_id, reason, deadline_ns))
    told = [message for to, message in head.host.sent if to == DRIVER]
    return [message.refusal for message in told if isinstance(message, NodeDrains)][-1]


def listed(head: Head, raylet: Address) -> tuple[bool, str | None, str]:
    head.tell(DRIVER, GetNodes(1))
    [state] = [n for n in head.one(Nodes)[1].nodes if n.info.address == raylet]
    return state.alive, state.drain and state.drain.reason, state.death_reason


def test_a_node_drains_until_it_says_that_nothing_is_left(head: Head, one: Address) -> None:
    assert drain(head, one) == ""
    assert listed(head, one) == (True, "a new disk", "")
    head.tell(one, RayletDrains(True))
    head.host.advance(10 * SECOND_NS)
    head.host.take()
    head.tell(one, RayletDrained())
    sent = head.host.take()
    assert (HEAD, NodeRemoved(one.node_id, "it was drained: a new disk")) in sent
    assert (one, NodeRefused("it was drained: a new disk")) in sent
    assert listed(head, one) == (False, "a new disk", "it was drained: a new disk")


def test_its_raylet_is_asked_until_it_answers_and_the_others_are_told(
    head: Head, one: Address
) -> None:
    two = head.join("two")
    head.host.take()
    drain(head, one)
    sent = head.host.take()
    assert [m for to, m in sent if to == one] == [DrainRaylet("a new disk")]
    told = NodeDraining(one.node_id, "a new disk")
    assert [to for to, m in sent if m == told] == [HEAD, two]
    head.host.advance(SECOND_NS)
    assert head.one(DrainRaylet)[0] == one
    head.tell(one, RayletDrains(True))
    head.host.advance(3 * SECOND_NS)
    assert head.take(DrainRaylet) == []


def test_a_node_that_joins_or_comes_back_hears_of_those_that_drain(
    head: Head, one: Address
) -> None:
    drain(head, one)
    head.host.take()
    two = head.join("two")
    assert head.one(NodeDraining)[0] == two


def test_what_is_left_after_the_deadline_goes_with_the_node(head: Head, one: Address) -> None:
    drain(head, one, deadline_ns=5 * SECOND_NS)
    head.tell(one, RayletDrains(True))
    head.host.advance(4 * SECOND_NS)
    assert one.node_id in head.gcs.nodes.live
    head.host.advance(SECOND_NS)
    [lost] = head.host.noted(NodeLost)
    assert "what was left after 5 s went with it" in lost.reason


def test_another_deadline_takes_the_place_of_the_first(head: Head, one: Address) -> None:
    drain(head, one, deadline_ns=5 * SECOND_NS)
    drain(head, one, deadline_ns=50 * SECOND_NS)
    head.host.advance(6 * SECOND_NS)
    assert one.node_id in head.gcs.nodes.live


def test_a_second_copy_of_the_question_moves_no_deadline(head: Head, one: Address) -> None:
    drain(head, one, deadline_ns=5 * SECOND_NS)
    head.host.advance(3 * SECOND_NS)
    assert drain(head, one, deadline_ns=5 * SECOND_NS) == ""
    head.host.advance(2 * SECOND_NS)
    assert one.node_id not in head.gcs.nodes.live


def test_the_head_an_unknown_and_a_dead_node_do_not_drain(head: Head, one: Address) -> None:
    assert "the head" in drain(head, HEAD)
    assert "no node" in drain(head, address("nobody"))
    head.process.peer_lost(one)
    assert "is dead" in drain(head, one)


def test_one_that_was_drained_is_so_whoever_asks_again(head: Head, one: Address) -> None:
    drain(head, one)
    head.tell(one, RayletDrained())
    assert drain(head, one) == ""


def test_a_raylet_that_was_not_asked_does_not_end_its_node(head: Head, one: Address) -> None:
    head.tell(one, RayletDrained())
    assert one.node_id in head.gcs.nodes.live


def test_another_gcs_goes_on_with_it(head: Head, one: Address) -> None:
    drain(head, one, deadline_ns=5 * SECOND_NS)
    head.tell(one, RayletDrains(True))
    again = head.restarted()
    assert [to for to, _ in again.take(DrainRaylet)] == [one]
    assert listed(again, one) == (True, "a new disk", "")
    again.host.advance(5 * SECOND_NS)
    assert one.node_id not in again.gcs.nodes.live


def test_watchers_see_it_no_more(head: Head, one: Address) -> None:
    drain(head, one)
    head.host.take()
    head.tell(HEAD, WatchNodes(True))
    assert [view.address for view in head.one(ResourceView)[1].nodes] == [HEAD]


def test_an_actor_is_placed_on_a_node_that_stays(head: Head, one: Address) -> None:
    job = head.job()
    drain(head, one)
    assert head.create(head.spec(job))[0] == HEAD


def test_a_worker_that_was_granted_too_late_is_given_back(head: Head, one: Address) -> None:
    job = head.job()
    raylet, request = head.create(head.spec(job, placement=fixed({"CPU": 4})))
    assert raylet == one
    two = head.join("two")
    drain(head, one)
    head.host.take()
    head.grant(one, request)
    sent = head.host.take()
    assert (one, ReturnWorkerLease(request.lease_id)) in sent
    assert [to for to, m in sent if isinstance(m, RequestWorkerLease)] == [two]


def test_an_actor_with_restarts_left_moves_and_spends_none(head: Head, one: Address) -> None:
    """Its callers hear of it, then it runs what it has and ends, and then it starts elsewhere."""
    job = head.job()
    spec = head.spec(job, placement=fixed({"CPU": 4}), max_restarts=1)
    raylet, worker = head.alive(spec)
    two = head.join("two")
    head.host.take()
    drain(head, raylet)
    assert [(info.state, info.moving) for info in head.news()] == [(ActorState.ALIVE, True)]
    assert head.take(TerminateActor) == []
    head.host.advance(head.host.config.actor_move_notice_ns)
    assert head.one(TerminateActor) == (worker, TerminateActor(spec.actor_id, 0, moves=True))
    head.died(raylet, worker)
    to, request = head.one(RequestWorkerLease)
    assert to == two
    assert head.gcs.actors.directory.live[spec.actor_id].restarts == 0
    again = head.grant(two, request, "again")
    assert head.one(StartActor)[1].incarnation == 1
    head.started(again, spec, 1)
    assert [(info.state, info.moving) for info in head.news()] == [(ActorState.ALIVE, False)]


def test_an_actor_without_restarts_stays_for_as_long_as_its_node(head: Head, one: Address) -> None:
    job = head.job()
    spec = head.spec(job, placement=fixed({"CPU": 4}))
    raylet, _ = head.alive(spec)
    drain(head, raylet)
    head.host.advance(10 * SECOND_NS)
    assert head.take(TerminateActor) == []
    assert head.gcs.actors.directory.live[spec.actor_id].state is ActorState.ALIVE


def test_an_actor_that_is_being_started_there_starts_elsewhere(head: Head, one: Address) -> None:
    job = head.job()
    spec = head.spec(job, placement=fixed({"CPU": 4}), max_restarts=-1)
    raylet, request = head.create(spec)
    worker = head.grant(raylet, request)
    two = head.join("two")
    head.host.take()
    drain(head, raylet)
    assert head.one(KillWorker)[1].worker == worker
    head.started(worker, spec)  # It crossed that.
    head.died(raylet, worker)
    assert head.one(RequestWorkerLease)[0] == two


def test_an_actor_that_goes_with_its_node_at_the_deadline_spends_no_restart(
    head: Head, one: Address
) -> None:
    job = head.job()
    spec = head.spec(job, placement=fixed({"CPU": 4}), max_restarts=1)
    raylet, _ = head.alive(spec)
    drain(head, raylet, deadline_ns=1)
    head.host.advance(1)
    actor = head.gcs.actors.directory.live[spec.actor_id]
    assert (actor.state, actor.restarts) == (ActorState.RESTARTING, 0)


def test_bundles_are_placed_elsewhere_and_what_runs_in_them_is_left_alone(
    head: Head, one: Address
) -> None:
    job = head.job()
    group_id = IdSource(driver_task(job)).placement_group()
    big = fixed({"CPU": 4})
    spec = GroupSpec(group_id, [big], GroupStrategy.PACK, DRIVER, namespace="space")
    head.tell(DRIVER, CreatePlacementGroup(spec))
    head.host.advance(0)
    _reserve(head)
    two = head.join("two")
    drain(head, one)
    head.host.advance(0)
    assert _reserve(head) == [two]
    head.tell(DRIVER, GetPlacementGroups(1, group_id))
    [group] = head.one(PlacementGroups)[1].groups
    assert (group.state, group.nodes) == (GroupState.CREATED, [two.node_id])
    head.join("one")
    assert [to for to, _ in head.take(KeepBundles)] == []


def _reserve(head: Head) -> list[Address]:
    """Every raylet that is asked has room."""
    asked = head.take(PrepareBundles)
    for raylet, prepare in asked:
        head.tell(raylet, BundlesPrepared(prepare.group_id, prepare.epoch, True))
    for raylet, prepare in asked:
        head.tell(raylet, BundlesCommitted(prepare.group_id, prepare.epoch, True))
    return [raylet for raylet, _ in asked]


def test_nothing_is_said_of_a_drain_twice(head: Head, one: Address) -> None:
    """Its end is the end of all timers."""
    drain(head, one, deadline_ns=5 * SECOND_NS)
    head.process.peer_lost(one)
    head.host.take()
    head.host.advance(10 * SECOND_NS)
    assert head.take(DrainRaylet) == []
    assert len(head.host.noted(NodeLost)) == 1

"""Bundles of placement groups at one raylet: reserved, offered, given back. The tests play the GCS."""

from typing import Any

import pytest

from raysim.protocol.messages import (
    BundlesCommitted,
    BundlesPrepared,
    BundlesReturned,
    CommitBundles,
    KeepBundles,
    LeaseLost,
    NodeRegistered,
    PlacementGroupChanged,
    PrepareBundles,
    ReturnBundles,
    ReturnWorkerLease,
    SubscribePlacementGroup,
    WorkerBlocked,
    WorkerDied,
    WorkerLeaseRefused,
    WorkerLeaseSpilled,
    WorkerUnblocked,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import NodeId, PlacementGroupId
from raysim.spec.placement_group import GroupInfo, GroupState, in_group
from raysim.spec.resources import fixed
from raysim.spec.task import InBundle
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import ACTOR, CPU1, GCS, Node, deaths

GROUP = PlacementGroupId(b"g" * 18)
OTHER = PlacementGroupId(b"h" * 18)
HEX = GROUP.hex()
CPU2 = fixed({"CPU": 2})


def prepare(node: Node, epoch: int = 1, group: PlacementGroupId = GROUP, **bundles: float) -> bool:
    """`_0=2`: bundle 0 with 2 CPUs."""
    wanted = {int(index[1:]): fixed({"CPU": cpus}) for index, cpus in bundles.items()}
    sent = node.tell(GCS, PrepareBundles(group, epoch, wanted))
    [answer] = [message for _, message in sent if isinstance(message, BundlesPrepared)]
    assert (answer.group_id, answer.epoch) == (group, epoch)
    return answer.ok


def commit(node: Node, epoch: int = 1, group: PlacementGroupId = GROUP) -> bool:
    sent = node.tell(GCS, CommitBundles(group, epoch))
    [answer] = [message for _, message in sent if isinstance(message, BundlesCommitted)]
    return answer.ok


def give_back(node: Node, epoch: int = 0, group: PlacementGroupId = GROUP) -> list[Any]:
    """`epoch` 0: the group is removed."""
    sent = node.tell(GCS, ReturnBundles(group, epoch, removed=epoch == 0))
    assert (GCS, BundlesReturned(group, epoch)) in sent
    return sent


def created(node: Node, **bundles: float) -> None:
    assert prepare(node, **bundles)
    assert commit(node)


def lease_in(
    node: Node, owner: Address, lease_id: int, index: int = -1, cpus: float = 1
) -> Address:
    """A granted lease in the group."""
    ask_in(node, owner, lease_id, index, cpus)
    if lease_id not in node.granted(owner):
        node.worker_up(node.host.workers.started[-1])
    return node.granted(owner)[lease_id]


def ask_in(
    node: Node, owner: Address, lease_id: int, index: int = -1, cpus: float = 1, **more: Any
) -> list[Any]:
    need = in_group(fixed({"CPU": cpus}), GROUP, index)
    return node.ask(owner, lease_id, need, InBundle(GROUP, index), **more)


def info(state: GroupState, *nodes: NodeId, version: int = 1) -> GroupInfo:
    return GroupInfo(GROUP, state, version, [CPU2] * len(nodes), list(nodes))


def refusals(sent: list[Any]) -> list[tuple[Address, FailureKind]]:
    return [(to, m.failure.kind) for to, m in sent if isinstance(m, WorkerLeaseRefused)]


# Reserving


def test_prepared_bundles_are_kept_from_everybody(node: Node, owner: Address) -> None:
    assert prepare(node, _0=2, _1=1)
    assert node.free() == 1
    node.ask(owner, 1, CPU2)
    assert node.granted(owner) == {}
    assert node.free(f"CPU_group_{HEX}") == 0, "not offered before the second phase"


def test_bundles_that_do_not_all_fit_reserve_nothing(node: Node) -> None:
    assert not prepare(node, _0=3, _1=2)
    assert node.free() == 4


def test_repeated_prepare_reserves_once(node: Node) -> None:
    """The GCS cannot tell a lost answer from a slow one."""
    assert prepare(node, _0=3)
    assert prepare(node, _0=3)
    assert node.free() == 1


def test_late_copy_of_a_prepare_that_was_given_back_reserves_nothing(node: Node) -> None:
    """Nobody would ever return it: the bundle would leak."""
    assert prepare(node, _0=3)
    give_back(node, epoch=1)
    assert not prepare(node, _0=3)
    assert node.free() == 4


def test_prepare_that_its_own_return_overtook_reserves_nothing(node: Node) -> None:
    give_back(node)
    assert not prepare(node, epoch=7, _0=1)
    assert node.free() == 4


def test_next_attempt_takes_the_place_of_one_that_was_given_up(node: Node) -> None:
    assert prepare(node, epoch=1, _0=3)
    assert prepare(node, epoch=2, _0=4)
    assert node.free() == 0
    assert not commit(node, epoch=1), "the first attempt is no more"
    assert commit(node, epoch=2)


def test_repeated_return_gives_back_once(node: Node) -> None:
    created(node, _0=3)
    give_back(node)
    give_back(node)
    assert node.free() == 4


def test_cancelled_attempt_does_not_touch_what_is_offered(node: Node) -> None:
    """A lost bundle of a group is tried on a node that has another one of the group."""
    created(node, _0=1)
    assert prepare(node, epoch=2, _1=2)
    give_back(node, epoch=2)
    assert node.free() == 3
    assert node.free(f"CPU_group_{HEX}") == 1


# Offering


def test_committed_bundles_are_offered_under_the_names_of_the_group(node: Node) -> None:
    created(node, _0=2, _1=1)
    shown = {name: node.free(name) for name in node.raylet.view.local.total if "_group_" in name}
    assert shown == {
        f"CPU_group_{HEX}": 3,
        f"CPU_group_0_{HEX}": 2,
        f"CPU_group_1_{HEX}": 1,
        f"bundle_group_{HEX}": 2000,
        f"bundle_group_0_{HEX}": 1000,
        f"bundle_group_1_{HEX}": 1000,
    }
    assert node.free() == 1


def test_repeated_commit_offers_once(node: Node) -> None:
    created(node, _0=2)
    assert commit(node)
    assert node.free(f"CPU_group_{HEX}") == 2


def test_commit_of_what_is_not_reserved_says_so(node: Node) -> None:
    assert not commit(node)


def test_lease_in_a_bundle_takes_from_the_bundle_only(node: Node, owner: Address) -> None:
    created(node, _0=2, _1=1)
    lease_in(node, owner, 1, index=0)
    assert node.free() == 1
    assert node.free(f"CPU_group_0_{HEX}") == 1
    assert node.free(f"CPU_group_1_{HEX}") == 1
    assert node.free(f"CPU_group_{HEX}") == 2
    node.tell(owner, ReturnWorkerLease(1))
    assert node.free(f"CPU_group_{HEX}") == 3


def test_leases_of_one_bundle_wait_for_each_other(node: Node, owner: Address) -> None:
    created(node, _0=1, _1=1)
    worker = lease_in(node, owner, 1, index=0)
    ask_in(node, owner, 2, index=0)
    assert lease_in(node, owner, 3, index=1)
    assert 2 not in node.granted(owner)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.granted(owner)[2] == worker


def test_lease_of_nothing_in_a_bundle_goes_where_the_bundle_is(node: Node, owner: Address) -> None:
    created(node, _0=1)
    lease_in(node, owner, 1, cpus=0)
    assert node.free(f"CPU_group_{HEX}") == 1
    assert node.free(f"bundle_group_{HEX}") == 999.999


def test_request_that_came_before_the_bundle_is_granted_on_commit(
    node: Node, owner: Address
) -> None:
    ask_in(node, owner, 1)
    assert node.granted(owner) == {}
    created(node, _0=1)
    node.worker_up(1)
    assert 1 in node.granted(owner)


def test_blocked_worker_lends_the_cpus_of_its_bundle(node: Node, owner: Address) -> None:
    """A get inside a task must not starve the task that it waits for in the same bundle."""
    created(node, _0=1)
    worker = lease_in(node, owner, 1, index=0)
    ask_in(node, worker, 1)
    node.tell(worker, WorkerBlocked(1))
    inner = node.worker_up(2)
    assert node.granted(worker) == {1: inner}
    node.tell(worker, ReturnWorkerLease(1))
    node.tell(worker, WorkerUnblocked(1))
    assert node.free(f"CPU_group_{HEX}") == 0


# Giving back


def test_removal_refuses_those_who_wait_and_kills_those_who_run(node: Node, owner: Address) -> None:
    created(node, _0=1)
    worker = lease_in(node, owner, 1)
    ask_in(node, owner, 2)
    sent = give_back(node)
    assert refusals(sent) == [(owner, FailureKind.TASK_PLACEMENT_GROUP_REMOVED)]
    assert node.host.workers.killed == [1]
    assert not [name for name in node.raylet.view.local.total if "_group_" in name]
    assert node.free() == 3, "what the worker holds comes back with its end"
    sent = node.end_worker(1)
    assert node.free() == 4
    reason = f"its placement group {HEX} was removed"
    assert (owner, LeaseLost(1, worker, reason)) in sent
    assert (GCS, WorkerDied(worker, reason)) in deaths(sent)


def test_removal_refuses_a_lease_whose_worker_still_starts(node: Node, owner: Address) -> None:
    created(node, _0=1)
    ask_in(node, owner, 1)
    assert refusals(give_back(node)) == [(owner, FailureKind.TASK_PLACEMENT_GROUP_REMOVED)]
    assert node.free() == 4


def test_removal_tells_actors_their_own_failure(node: Node, owner: Address) -> None:
    created(node, _0=1)
    ask_in(node, GCS, 1, actor_id=ACTOR, lifetime={})
    assert refusals(give_back(node)) == [(GCS, FailureKind.ACTOR_PLACEMENT_GROUP_REMOVED)]


def test_removal_while_a_user_of_the_bundle_is_blocked_counts_its_cpus_once(
    node: Node, owner: Address
) -> None:
    created(node, _0=2)
    worker = lease_in(node, owner, 1, cpus=2)
    node.tell(worker, WorkerBlocked(1))
    give_back(node)
    assert node.free() == 4, "its CPUs were lent on, and are free"
    node.end_worker(1)
    assert node.free() == 4


def test_removal_of_one_group_leaves_the_other_alone(node: Node, owner: Address) -> None:
    created(node, _0=1)
    assert prepare(node, group=OTHER, _0=1)
    assert commit(node, group=OTHER)
    lease_in(node, owner, 1)
    give_back(node, group=OTHER)
    assert node.host.workers.killed == []
    assert node.free(f"CPU_group_{HEX}") == 0
    assert node.free() == 3


def test_returned_room_goes_to_those_who_wait_for_plain_resources(
    node: Node, owner: Address
) -> None:
    created(node, _0=4)
    node.ask(owner, 1, CPU1)
    give_back(node)
    node.worker_up(1)
    assert 1 in node.granted(owner)


# Losses


def test_prepared_bundles_are_given_back_when_the_gcs_is_lost(node: Node) -> None:
    """Nobody is left to commit them. What is offered already is in use, and stays."""
    created(node, _0=1)
    assert prepare(node, epoch=1, group=OTHER, _0=2)
    node.lose(GCS)
    assert node.free() == 3
    assert node.free(f"CPU_group_{HEX}") == 1


def test_next_gcs_says_what_to_keep(node: Node, owner: Address) -> None:
    """A removal that was under way when the GCS died would leave its bundles behind for ever."""
    created(node, _0=1)
    assert prepare(node, group=OTHER, _0=2)
    assert commit(node, group=OTHER)
    node.lose(GCS)
    node.tell(GCS, NodeRegistered())
    node.tell(GCS, KeepBundles({OTHER: [0]}))
    assert node.free() == 2
    assert node.free(f"CPU_group_{OTHER.hex()}") == 2
    assert f"CPU_group_{HEX}" not in node.raylet.view.local.total


def test_gpus_of_a_bundle_are_its_own(owner: Address) -> None:
    """A plain request, too, must never be told the number of a GPU that a bundle has."""
    node = Node(GPU=2)
    bundle = fixed({"GPU": 1})
    node.tell(GCS, PrepareBundles(GROUP, 1, {0: bundle}))
    assert commit(node)
    node.ask(owner, 1, in_group(bundle, GROUP), InBundle(GROUP))
    node.ask(owner, 2, bundle)
    node.worker_up(1)
    node.worker_up(2)
    assert node.gpus(owner) == {1: [0], 2: [1]}
    give_back(node)
    node.end_worker(1)
    node.ask(owner, 3, bundle)
    node.worker_up(3)
    assert node.gpus(owner)[3] == [0]


# Groups elsewhere


def test_request_for_an_unknown_group_asks_the_gcs_once(node: Node, owner: Address) -> None:
    sent = ask_in(node, owner, 1) + ask_in(node, owner, 2)
    assert [one for one in sent if one[0] == GCS] == [(GCS, SubscribePlacementGroup(GROUP))]


def test_gcs_is_asked_for_a_group_until_it_answers(node: Node, owner: Address) -> None:
    ask_in(node, owner, 1)
    for answered in (False, True):
        if answered:
            node.tell(GCS, PlacementGroupChanged(info(GroupState.PENDING)))
        node.host.take()
        node.host.advance(node.host.config.request_retry_ns)
        assert bool(node.host.of(SubscribePlacementGroup)) is not answered


def test_request_goes_where_the_gcs_says_that_its_bundle_is(owner: Address) -> None:
    """The view of that node lags: it does not show the bundle yet."""
    node = Node(others={"there": 4})
    ask_in(node, owner, 1, index=1)
    there = address("there")
    placed = info(GroupState.CREATED, node.info.address.node_id, there.node_id)
    sent = node.tell(GCS, PlacementGroupChanged(placed))
    assert sent == [(owner, WorkerLeaseSpilled(1, there, 1))]


def test_request_waits_while_the_group_has_no_place(owner: Address) -> None:
    node = Node(others={"there": 4})
    ask_in(node, owner, 1)
    there = address("there")
    assert not node.spilled()
    node.tell(GCS, PlacementGroupChanged(info(GroupState.PREPARED, there.node_id)))
    assert not node.spilled(), "its bundles may not be offered yet"
    node.tell(GCS, PlacementGroupChanged(info(GroupState.CREATED, there.node_id, version=2)))
    assert node.spilled() == {1: there}


def test_request_for_a_removed_group_is_refused(node: Node, owner: Address) -> None:
    ask_in(node, owner, 1)
    sent = node.tell(GCS, PlacementGroupChanged(info(GroupState.REMOVED, version=3)))
    assert refusals(sent) == [(owner, FailureKind.TASK_PLACEMENT_GROUP_REMOVED)]
    assert refusals(ask_in(node, owner, 2)) == refusals(sent)


def test_stale_news_does_not_bring_a_removed_group_back(owner: Address) -> None:
    node = Node(others={"there": 4})
    ask_in(node, owner, 1)
    node.tell(GCS, PlacementGroupChanged(info(GroupState.REMOVED, version=3)))
    placed = info(GroupState.CREATED, address("there").node_id, version=2)
    node.tell(GCS, PlacementGroupChanged(placed))
    assert refusals(ask_in(node, owner, 2)) == [(owner, FailureKind.TASK_PLACEMENT_GROUP_REMOVED)]


def test_next_gcs_is_asked_for_the_groups_that_are_waited_for(node: Node, owner: Address) -> None:
    ask_in(node, owner, 1)
    node.lose(GCS)
    sent = node.tell(GCS, NodeRegistered())
    assert (GCS, SubscribePlacementGroup(GROUP)) in sent


@pytest.mark.parametrize("hops", [0, 8])
def test_request_is_not_sent_round_for_ever(owner: Address, hops: int) -> None:
    """Two raylets with old news could send it to each other: it stays after so many."""
    node = Node(others={"there": 4})
    ask_in(node, owner, 1, hops=hops)
    placed = info(GroupState.CREATED, address("there").node_id)
    node.tell(GCS, PlacementGroupChanged(placed))
    assert bool(node.spilled()) is (hops == 0)

"""Placement groups at the GCS. The tests play the raylets, and narrate what crosses what."""

from collections.abc import Mapping
from typing import Any

import pytest

from raysim.config import Config
from raysim.protocol.messages import (
    BundlesCommitted,
    BundlesPrepared,
    BundlesReturned,
    CommitBundles,
    CreateActor,
    CreatePlacementGroup,
    FinishJob,
    GetPlacementGroups,
    KeepBundles,
    KillActor,
    PlacementGroupChanged,
    PlacementGroupRefused,
    PlacementGroupRegistered,
    PlacementGroups,
    PrepareBundles,
    RegisterNode,
    RemovePlacementGroup,
    ReportResources,
    RequestWorkerLease,
    ReturnBundles,
    SubscribePlacementGroup,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import NIL_NODE, IdSource, JobId, PlacementGroupId, driver_task
from raysim.spec.node import StoreStats
from raysim.spec.placement_group import GroupInfo, GroupSpec, GroupState, GroupStrategy
from raysim.spec.resources import fixed
from raysim.spec.task import InBundle
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.head import DRIVER, SECOND_NS, Head, info

ONE, TWO, THREE = address("one"), address("two"), address("three")
SPREAD, STRICT_SPREAD = GroupStrategy.SPREAD, GroupStrategy.STRICT_SPREAD
CPU = fixed({"CPU": 1})


class Groups:
    """Words for what the tests say about groups to a GCS with the nodes `one` and `two`."""

    def __init__(self, head: Head) -> None:
        self.head = head
        head.join("one")
        head.join("two")
        self.job = head.job()
        self._source = IdSource(driver_task(self.job))

    def spec(
        self, *bundles: Mapping[str, float], strategy: GroupStrategy = SPREAD, **more: Any
    ) -> GroupSpec:
        """Two bundles of a CPU each, unless told otherwise: one goes to each node."""
        wanted = [fixed(bundle) for bundle in bundles] or [CPU, CPU]
        group_id = self._source.placement_group()
        return GroupSpec(group_id, wanted, strategy, DRIVER, namespace="space", **more)

    def create(self, spec: GroupSpec) -> dict[Address, PrepareBundles]:
        """What raylets are asked to reserve."""
        self.head.tell(DRIVER, CreatePlacementGroup(spec))
        return self.asked()

    def asked(self, later_ns: int = 0) -> dict[Address, PrepareBundles]:
        self.head.host.advance(later_ns)
        return dict(self.head.take(PrepareBundles))

    def prepared(self, raylet: Address, asked: PrepareBundles, ok: bool = True) -> None:
        self.head.tell(raylet, BundlesPrepared(asked.group_id, asked.epoch, ok))

    def committed(self, raylet: Address, asked: PrepareBundles, ok: bool = True) -> None:
        self.head.tell(raylet, BundlesCommitted(asked.group_id, asked.epoch, ok))

    def created(self, spec: GroupSpec) -> dict[Address, PrepareBundles]:
        """Everything goes well."""
        asked = self.create(spec)
        self.reserved(asked)
        assert self.state(spec) is GroupState.CREATED
        return asked

    def reserved(self, asked: dict[Address, PrepareBundles]) -> None:
        for answer in (self.prepared, self.committed):
            for raylet, prepare in asked.items():
                answer(raylet, prepare)

    def info(self, spec: GroupSpec) -> GroupInfo:
        self.head.tell(DRIVER, GetPlacementGroups(7, spec.group_id))
        [found] = self.head.one(PlacementGroups)[1].groups
        return found

    def state(self, spec: GroupSpec) -> GroupState:
        return self.info(spec).state

    def subscribe(self, spec: GroupSpec) -> GroupState:
        self.head.tell(DRIVER, SubscribePlacementGroup(spec.group_id))
        return self.head.one(PlacementGroupChanged)[1].info.state

    def news(self) -> list[GroupState]:
        """What the driver was told since the last `take`."""
        return [m.info.state for to, m in self.head.take(PlacementGroupChanged) if to == DRIVER]

    def remove(self, spec: GroupSpec) -> dict[Address, ReturnBundles]:
        """What raylets are asked to give back."""
        self.head.tell(DRIVER, RemovePlacementGroup(spec.group_id))
        return dict(self.head.take(ReturnBundles))

    def lose(self, raylet: Address) -> None:
        self.head.process.peer_lost(raylet)

    def report(self, raylet: Address, cpus: float, version: int = 1) -> None:
        free, has = fixed({"CPU": cpus}), fixed({"CPU": 8})
        self.head.tell(raylet, ReportResources(version, has, free, 0, StoreStats()))


@pytest.fixture
def groups(head: Head) -> Groups:
    return Groups(head)


# Placing


def test_all_nodes_reserve_before_any_offers(groups: Groups) -> None:
    asked = groups.create(groups.spec())
    assert {raylet: prepare.bundles for raylet, prepare in asked.items()} == {
        ONE: {0: CPU},
        TWO: {1: CPU},
    }
    groups.prepared(ONE, asked[ONE])
    assert groups.head.take(CommitBundles) == []
    groups.prepared(TWO, asked[TWO])
    assert [raylet for raylet, _ in groups.head.take(CommitBundles)] == [ONE, TWO]


def test_group_is_created_when_all_offer_and_its_creator_hears_so_unasked(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    for raylet, prepare in asked.items():
        groups.prepared(raylet, prepare)
    assert groups.state(spec) is GroupState.PREPARED
    groups.committed(ONE, asked[ONE])
    assert groups.news() == []
    groups.committed(TWO, asked[TWO])
    assert groups.news() == [GroupState.CREATED]
    assert groups.info(spec).nodes == [ONE.node_id, TWO.node_id]


def test_group_that_one_node_refuses_is_given_back_and_tried_again(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    groups.prepared(ONE, asked[ONE])
    groups.prepared(TWO, asked[TWO], ok=False)
    given_back = dict(groups.head.take(ReturnBundles))
    assert given_back[ONE] == ReturnBundles(spec.group_id, asked[ONE].epoch, removed=False)
    assert groups.state(spec) is GroupState.PENDING
    again = groups.asked(later_ns=SECOND_NS // 2)
    assert set(again) == {ONE, TWO}
    assert again[ONE].epoch > asked[ONE].epoch


def test_late_answer_to_an_attempt_that_was_given_up_means_nothing(groups: Groups) -> None:
    spec = groups.spec()
    first = groups.create(spec)
    groups.prepared(TWO, first[TWO], ok=False)
    second = groups.asked(later_ns=SECOND_NS // 2)
    groups.prepared(ONE, first[ONE])
    groups.prepared(TWO, second[TWO])
    assert groups.head.take(CommitBundles) == [], "ONE has not reserved for the second attempt"


def test_repeated_answers_count_once(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    groups.prepared(ONE, asked[ONE])
    groups.prepared(ONE, asked[ONE])
    assert groups.head.take(CommitBundles) == []
    groups.prepared(TWO, asked[TWO])
    groups.committed(ONE, asked[ONE])
    groups.committed(ONE, asked[ONE])
    assert groups.state(spec) is GroupState.PREPARED


def test_unanswered_requests_are_sent_again(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    groups.prepared(ONE, asked[ONE])
    assert groups.asked(later_ns=SECOND_NS) == {TWO: asked[TWO]}
    groups.prepared(TWO, asked[TWO])
    groups.head.take(CommitBundles)
    groups.head.host.advance(SECOND_NS)
    assert [raylet for raylet, _ in groups.head.take(CommitBundles)] == [ONE, TWO]


def test_group_without_room_waits_for_a_report(groups: Groups) -> None:
    spec = groups.spec({"CPU": 8}, {"CPU": 8})
    groups.report(TWO, cpus=4)
    assert groups.create(spec) == {}
    assert groups.info(spec).progress == "NO_RESOURCES"
    groups.report(TWO, cpus=8, version=2)
    assert set(groups.asked()) == {ONE, TWO}


def test_infeasible_group_waits_for_a_node(groups: Groups) -> None:
    spec = groups.spec({"CPU": 1}, {"CPU": 1}, {"CPU": 1}, strategy=STRICT_SPREAD)
    assert groups.create(spec) == {}
    assert groups.info(spec).progress == "INFEASIBLE"
    groups.head.join("three")
    assert THREE in dict(groups.head.take(PrepareBundles)) or THREE in groups.asked()


def test_large_group_does_not_block_a_small_one(groups: Groups) -> None:
    groups.create(groups.spec({"CPU": 99}))
    assert groups.create(groups.spec({"CPU": 1})) != {}


def test_two_groups_never_count_on_the_same_room(groups: Groups) -> None:
    """The second is placed before any raylet has reported what the first one took."""
    first = groups.create(groups.spec({"CPU": 8}, {"CPU": 8}))
    assert set(first) == {ONE, TWO}
    assert groups.create(groups.spec({"CPU": 1})) == {}


# Names


def test_name_is_taken_until_the_group_is_removed(groups: Groups) -> None:
    first, second = groups.spec(name="shared"), groups.spec(name="shared")
    groups.created(first)
    groups.head.tell(DRIVER, CreatePlacementGroup(second))
    assert "'shared'" in groups.head.one(PlacementGroupRefused)[1].reason
    groups.remove(first)
    groups.head.tell(DRIVER, CreatePlacementGroup(second))
    assert groups.head.take(PlacementGroupRegistered)


def test_names_are_looked_up_in_their_namespace(groups: Groups) -> None:
    spec = groups.spec(name="shared")
    groups.created(spec)
    for namespace, count in (("space", 1), ("elsewhere", 0)):
        groups.head.tell(DRIVER, GetPlacementGroups(1, None, "shared", namespace))
        assert len(groups.head.one(PlacementGroups)[1].groups) == count


def test_repeated_request_makes_one_group(groups: Groups) -> None:
    spec = groups.spec(name="shared")
    asked = groups.create(spec)
    groups.head.tell(DRIVER, CreatePlacementGroup(spec))
    groups.head.host.advance(0)
    assert groups.head.take(PrepareBundles) == []
    groups.reserved(asked)
    assert groups.state(spec) is GroupState.CREATED


# Removal


def test_removal_is_told_to_every_node_until_it_answers(groups: Groups) -> None:
    spec = groups.spec()
    groups.created(spec)
    returned = ReturnBundles(spec.group_id, 0, removed=True)
    assert groups.remove(spec) == {ONE: returned, TWO: returned}
    assert groups.state(spec) is GroupState.REMOVED
    groups.head.tell(ONE, BundlesReturned(spec.group_id, 0))
    groups.head.host.advance(SECOND_NS)
    assert groups.head.take(ReturnBundles) == [(TWO, returned)]


@pytest.mark.parametrize("remover", [DRIVER, THREE])
def test_removal_is_answered_once(groups: Groups, remover: Address) -> None:
    """Also to the creator, who hears of every change."""
    spec = groups.spec()
    groups.created(spec)
    groups.head.take(PlacementGroupChanged)
    groups.head.tell(remover, RemovePlacementGroup(spec.group_id))
    told = [to for to, _ in groups.head.take(PlacementGroupChanged)]
    assert told == list(dict.fromkeys([DRIVER, remover]))


def test_removal_is_idempotent(groups: Groups) -> None:
    spec = groups.spec()
    groups.created(spec)
    assert groups.remove(spec)
    assert groups.remove(spec) == {}


def test_removal_while_a_dead_nodes_prepare_is_pending_leaks_nothing(groups: Groups) -> None:
    """Ray #64693: the answer will never come, and must not be waited for."""
    spec = groups.spec()
    asked = groups.create(spec)
    groups.prepared(ONE, asked[ONE])
    # TWO is dead, which nobody has noticed yet.
    assert set(groups.remove(spec)) == {ONE, TWO}
    groups.lose(TWO)
    groups.head.tell(ONE, BundlesReturned(spec.group_id, 0))
    groups.head.host.advance(10 * SECOND_NS)
    assert groups.head.take(ReturnBundles) == [], "what TWO reserved died with it"


def test_removal_of_a_waiting_group_asks_nobody(groups: Groups) -> None:
    spec = groups.spec({"CPU": 99})
    groups.create(spec)
    assert groups.remove(spec) == {}
    groups.head.join("three", cpus=100)
    assert groups.asked() == {}


def test_answer_that_crosses_the_removal_does_not_bring_the_group_back(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    groups.remove(spec)
    for raylet, prepare in asked.items():
        groups.prepared(raylet, prepare)
    assert groups.head.take(CommitBundles) == []
    assert groups.state(spec) is GroupState.REMOVED


def test_removed_groups_are_remembered_up_to_a_number() -> None:
    groups = Groups(Head(config=Config(gcs_history=2)))
    specs = [groups.spec() for _ in range(3)]
    for spec in specs:
        groups.created(spec)
        groups.head.tell(DRIVER, RemovePlacementGroup(spec.group_id))
    for head in (groups.head, groups.head.restarted()):
        known = {seen.info.group_id for seen in head.gcs.groups.seen()}
        assert known == {spec.group_id for spec in specs[1:]}


def test_group_nobody_created_counts_as_removed(groups: Groups) -> None:
    assert groups.subscribe(groups.spec()) is GroupState.REMOVED


def test_groups_end_with_their_job(groups: Groups) -> None:
    spec, kept = groups.spec(), groups.spec(detached=True)
    groups.created(spec)
    groups.created(kept)
    groups.head.tell(DRIVER, FinishJob(groups.job))
    assert groups.state(spec) is GroupState.REMOVED
    assert groups.state(kept) is GroupState.CREATED


def test_group_of_an_actor_lasts_until_actor_and_job_are_over(groups: Groups) -> None:
    """Ray: another task of the job may use it still."""
    head = groups.head
    actor = head.spec(groups.job)
    head.alive(actor)
    spec = groups.spec(creator_actor=actor.actor_id)
    groups.created(spec)
    head.tell(DRIVER, KillActor(actor.actor_id, no_restart=True))
    assert groups.state(spec) is GroupState.CREATED
    head.tell(DRIVER, FinishJob(groups.job))
    assert groups.state(spec) is GroupState.REMOVED


def test_group_of_a_detached_actor_ends_with_the_actor(groups: Groups) -> None:
    head = groups.head
    actor = head.spec(groups.job, detached=True)
    head.alive(actor)
    spec = groups.spec(creator_actor=actor.actor_id, creator_detached=True)
    groups.created(spec)
    head.tell(DRIVER, FinishJob(groups.job))
    assert groups.state(spec) is GroupState.CREATED
    head.tell(DRIVER, KillActor(actor.actor_id, no_restart=True))
    assert groups.state(spec) is GroupState.REMOVED


# Losses


def test_bundles_of_a_lost_node_find_another(groups: Groups) -> None:
    spec = groups.spec()
    groups.created(spec)
    groups.subscribe(spec)
    groups.lose(TWO)
    assert groups.news() == [GroupState.RESCHEDULING]
    assert groups.info(spec).nodes == [ONE.node_id, NIL_NODE]
    asked = groups.asked(SECOND_NS)
    assert {raylet: prepare.bundles for raylet, prepare in asked.items()} == {ONE: {1: CPU}}
    groups.reserved(asked)
    assert groups.state(spec) is GroupState.CREATED
    assert groups.info(spec).nodes == [ONE.node_id, ONE.node_id]


def test_node_lost_in_the_first_phase_gives_the_others_back(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    groups.prepared(ONE, asked[ONE])
    groups.lose(TWO)
    sent = groups.head.host.take()
    assert (ONE, ReturnBundles(spec.group_id, asked[ONE].epoch, removed=False)) in sent
    assert groups.state(spec) is GroupState.PENDING


def test_node_lost_in_the_second_phase_loses_its_bundles_only(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    for raylet, prepare in asked.items():
        groups.prepared(raylet, prepare)
    groups.lose(TWO)
    groups.committed(ONE, asked[ONE])
    assert groups.state(spec) is GroupState.RESCHEDULING
    assert groups.info(spec).nodes == [ONE.node_id, NIL_NODE]


def test_node_that_forgot_an_attempt_loses_its_bundles(groups: Groups) -> None:
    """It lost the GCS between the phases, and gave back what was not committed."""
    spec = groups.spec()
    asked = groups.create(spec)
    for raylet, prepare in asked.items():
        groups.prepared(raylet, prepare)
    groups.committed(ONE, asked[ONE])
    groups.committed(TWO, asked[TWO], ok=False)
    assert groups.info(spec).nodes == [ONE.node_id, NIL_NODE]
    assert groups.state(spec) is GroupState.RESCHEDULING


def test_another_node_lost_while_bundles_are_placed_again(groups: Groups) -> None:
    head = groups.head
    head.join("three")
    spec = groups.spec({"CPU": 1}, {"CPU": 1}, {"CPU": 1})
    groups.created(spec)
    groups.lose(THREE)
    asked = groups.asked(SECOND_NS)
    [(target, prepare)] = asked.items()
    victim = ONE if target == TWO else TWO
    groups.lose(victim)
    sent = head.host.take()
    assert (target, ReturnBundles(spec.group_id, prepare.epoch, removed=False)) in sent
    head.host.advance(0)
    again = dict(head.take(PrepareBundles))
    assert {raylet: len(one.bundles) for raylet, one in again.items()} == {target: 2}
    groups.reserved(again)
    assert groups.info(spec).nodes == [target.node_id] * 3


def test_groups_in_use_get_room_before_new_ones(groups: Groups) -> None:
    spec = groups.spec({"CPU": 8}, {"CPU": 8})
    groups.created(spec)
    waiting = groups.spec({"CPU": 8})
    assert groups.create(waiting) == {}
    groups.lose(TWO)
    groups.head.join("three")
    asked = dict(groups.head.take(PrepareBundles)) or groups.asked()
    assert {prepare.group_id for prepare in asked.values()} == {spec.group_id}


# Actors in groups


def test_actor_waits_for_its_group_and_starts_in_it(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    actor = groups.head.spec(groups.job, strategy=InBundle(spec.group_id, 1))
    head = groups.head
    head.tell(DRIVER, CreateActor(actor))
    assert head.take(RequestWorkerLease) == []
    for raylet, prepare in asked.items():
        groups.prepared(raylet, prepare)
    groups.committed(ONE, asked[ONE])
    head.take(RequestWorkerLease)
    groups.committed(TWO, asked[TWO])
    assert [raylet for raylet, _ in head.take(RequestWorkerLease)] == [TWO]


def test_actor_of_a_removed_group_dies_of_that(groups: Groups) -> None:
    spec = groups.spec({"CPU": 99})
    groups.create(spec)
    head = groups.head
    head.tell(DRIVER, CreateActor(head.spec(groups.job, strategy=InBundle(spec.group_id))))
    head.host.take()
    head.tell(DRIVER, RemovePlacementGroup(spec.group_id))
    [news] = head.news()
    assert news.death is not None
    assert news.death.kind is FailureKind.ACTOR_PLACEMENT_GROUP_REMOVED


def test_actor_follows_its_bundle_to_another_node(groups: Groups) -> None:
    spec = groups.spec({"CPU": 1}, strategy=GroupStrategy.PACK)
    [(raylet, _)] = groups.created(spec).items()
    other = TWO if raylet == ONE else ONE
    head = groups.head
    head.alive(head.spec(groups.job, strategy=InBundle(spec.group_id), max_restarts=1))
    groups.lose(raylet)
    assert head.take(RequestWorkerLease) == [], "its bundle has no place yet"
    asked = groups.asked(SECOND_NS)
    assert set(asked) == {other}
    groups.prepared(other, asked[other])
    groups.committed(other, asked[other])
    assert [to for to, _ in head.take(RequestWorkerLease)] == [other]


# Another GCS on what this one had committed


def test_next_gcs_knows_created_groups(groups: Groups) -> None:
    spec = groups.spec(name="shared")
    groups.created(spec)
    groups.head = groups.head.restarted()
    assert groups.info(spec).nodes == [ONE.node_id, TWO.node_id]
    assert groups.asked(SECOND_NS) == {}
    groups.head.tell(ONE, RegisterNode(info(ONE, "one")))
    assert groups.head.one(KeepBundles)[1].bundles == {spec.group_id: [0]}


def test_next_gcs_ends_the_second_phase(groups: Groups) -> None:
    """Some may have heard that they are to offer their bundles, others not."""
    spec = groups.spec()
    asked = groups.create(spec)
    for raylet, prepare in asked.items():
        groups.prepared(raylet, prepare)
    groups.head = groups.head.restarted()
    groups.head.host.advance(SECOND_NS)
    commits = groups.head.take(CommitBundles)
    assert {(raylet, commit.epoch) for raylet, commit in commits} == {
        (ONE, asked[ONE].epoch),
        (TWO, asked[TWO].epoch),
    }
    groups.committed(ONE, asked[ONE])
    groups.committed(TWO, asked[TWO], ok=False)
    assert groups.state(spec) is GroupState.RESCHEDULING


def test_next_gcs_begins_the_first_phase_anew(groups: Groups) -> None:
    spec = groups.spec()
    asked = groups.create(spec)
    groups.prepared(ONE, asked[ONE])
    groups.head = groups.head.restarted()
    again = groups.asked(SECOND_NS)
    assert set(again) == {ONE, TWO}
    assert again[ONE].epoch > asked[ONE].epoch


def test_next_gcs_takes_back_what_a_lost_removal_left(groups: Groups) -> None:
    spec = groups.spec()
    groups.created(spec)
    groups.remove(spec)
    groups.head = groups.head.restarted()
    assert groups.state(spec) is GroupState.REMOVED
    groups.head.tell(ONE, RegisterNode(info(ONE, "one")))
    assert groups.head.one(KeepBundles)[1].bundles == {}


def test_ids_tell_the_job(groups: Groups) -> None:
    spec = groups.spec()
    assert JobId(spec.group_id[-4:]) == groups.job
    assert len(PlacementGroupId(spec.group_id)) == 18

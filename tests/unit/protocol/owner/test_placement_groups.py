"""Placement groups as one process asks for them. The tests play the GCS."""

from collections.abc import Callable

import pytest

from raysim.protocol.messages import (
    CreatePlacementGroup,
    PlacementGroupChanged,
    PlacementGroupRefused,
    PlacementGroupRegistered,
    RemovePlacementGroup,
    SubscribePlacementGroup,
)
from raysim.protocol.owner.placement_groups import PlacementGroups
from raysim.protocol.process import Process
from raysim.spec.ids import PlacementGroupId
from raysim.spec.placement_group import GroupInfo, GroupSpec, GroupState, GroupStrategy
from raysim.spec.resources import fixed
from tests.unit.protocol.fake_host import FakeHost, address

GCS = address("head")
DRIVER = address("driver", "here")
GROUP = PlacementGroupId(b"g" * 18)
SPEC = GroupSpec(GROUP, [fixed({"CPU": 1})], GroupStrategy.PACK, DRIVER)
SECOND_NS = 1_000_000_000


class Driver:
    def __init__(self) -> None:
        self.host = FakeHost(DRIVER)
        self.groups = PlacementGroups(self.host, GCS)
        self.process = Process([self.groups])

    def changed(self, state: GroupState) -> None:
        info = GroupInfo(GROUP, state, 1, SPEC.bundles, [])
        self.process.receive(GCS, PlacementGroupChanged(info))


@pytest.fixture
def driver() -> Driver:
    return Driver()


def test_group_is_asked_for_until_the_gcs_knows_it(driver: Driver) -> None:
    answers: list[PlacementGroupRefused | None] = []
    driver.groups.create(SPEC, answers.append)
    driver.host.advance(2 * SECOND_NS)
    assert driver.host.take() == [(GCS, CreatePlacementGroup(SPEC))] * 3
    driver.process.receive(GCS, PlacementGroupRegistered(GROUP))
    driver.process.receive(GCS, PlacementGroupRegistered(GROUP))
    driver.host.advance(10 * SECOND_NS)
    assert driver.host.take() == []
    assert answers == [None]


def test_refusal_tells_why(driver: Driver) -> None:
    answers: list[PlacementGroupRefused | None] = []
    driver.groups.create(SPEC, answers.append)
    refused = PlacementGroupRefused(GROUP, "its name is taken")
    driver.process.receive(GCS, refused)
    assert answers == [refused]


def test_removal_is_asked_for_until_it_is_true(driver: Driver) -> None:
    done: list[bool] = []
    driver.groups.remove(GROUP, lambda: done.append(True))
    driver.changed(GroupState.CREATED)  # It crossed the removal.
    driver.host.advance(SECOND_NS)
    assert driver.host.take() == [(GCS, RemovePlacementGroup(GROUP))] * 2
    assert done == []
    driver.changed(GroupState.REMOVED)
    driver.host.advance(10 * SECOND_NS)
    assert driver.host.take() == []
    assert done == [True]


def test_those_who_wait_hear_of_the_group_once_it_is_settled(driver: Driver) -> None:
    heard: list[GroupState] = []
    for _ in range(2):
        driver.groups.when_settled(GROUP, lambda info: heard.append(info.state))
    driver.changed(GroupState.PENDING)
    driver.changed(GroupState.RESCHEDULING)
    assert heard == []
    driver.changed(GroupState.CREATED)
    driver.changed(GroupState.CREATED)
    assert heard == [GroupState.CREATED] * 2


def test_gcs_is_asked_again_ever_more_seldom_while_somebody_waits(driver: Driver) -> None:
    """A restarted GCS does not know who listened to the one before."""
    driver.groups.when_settled(GROUP, lambda info: None)
    counts = []
    for _ in range(3):
        driver.host.take()
        driver.host.advance(30 * SECOND_NS)
        counts.append(len(driver.host.of(SubscribePlacementGroup)))
    assert counts[0] > counts[1] == counts[2] == 1


def test_nobody_is_asked_when_nobody_waits_any_more(driver: Driver) -> None:
    def settled(info: GroupInfo) -> None:
        raise AssertionError("it gave up waiting")

    driver.groups.when_settled(GROUP, settled)
    driver.groups.forget(GROUP, settled)
    driver.groups.forget(GROUP, settled)
    driver.host.take()
    driver.host.advance(100 * SECOND_NS)
    driver.changed(GroupState.CREATED)
    assert driver.host.take() == []


def created_unasked(driver: Driver) -> None:
    driver.groups.create(SPEC, lambda refusal: None)
    driver.process.receive(GCS, PlacementGroupRegistered(GROUP))
    driver.changed(GroupState.CREATED)
    driver.host.take()


def states(driver: Driver) -> list[GroupState]:
    """What somebody who waits hears."""
    heard: list[GroupState] = []
    driver.groups.when_settled(GROUP, lambda info: heard.append(info.state))
    return heard


def test_gcs_need_not_be_asked_for_what_it_said_of_a_new_group(driver: Driver) -> None:
    created_unasked(driver)
    assert states(driver) == [GroupState.CREATED]
    assert driver.host.take() == []


def test_what_was_said_of_a_new_group_is_believed_once(driver: Driver) -> None:
    """Others may have removed it since: whoever asks again wants to know."""
    created_unasked(driver)
    states(driver)
    assert states(driver) == []
    assert driver.host.take() == [(GCS, SubscribePlacementGroup(GROUP))]


def lose_a_bundle(driver: Driver) -> None:
    driver.changed(GroupState.RESCHEDULING)


def remove(driver: Driver) -> None:
    driver.groups.remove(GROUP, lambda: None)


def hear_of_its_removal_and_a_late_copy(driver: Driver) -> None:
    driver.changed(GroupState.REMOVED)
    driver.changed(GroupState.CREATED)


def lose_the_gcs(driver: Driver) -> None:
    driver.process.peer_lost(GCS)


@pytest.mark.parametrize(
    "happen", [lose_a_bundle, remove, hear_of_its_removal_and_a_late_copy, lose_the_gcs]
)
def test_what_was_said_of_a_new_group_is_not_believed_after(
    happen: Callable[[Driver], None], driver: Driver
) -> None:
    created_unasked(driver)
    happen(driver)
    driver.host.take()
    assert states(driver) == []
    assert driver.host.take() == [(GCS, SubscribePlacementGroup(GROUP))]

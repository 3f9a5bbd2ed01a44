"""Placement groups as one process asks for them. The tests play the GCS."""

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
    answers: list[str | None] = []
    driver.groups.create(SPEC, answers.append)
    driver.host.advance(2 * SECOND_NS)
    assert driver.host.take() == [(GCS, CreatePlacementGroup(SPEC))] * 3
    driver.process.receive(GCS, PlacementGroupRegistered(GROUP))
    driver.process.receive(GCS, PlacementGroupRegistered(GROUP))
    driver.host.advance(10 * SECOND_NS)
    assert driver.host.take() == []
    assert answers == [None]


def test_refusal_tells_why(driver: Driver) -> None:
    answers: list[str | None] = []
    driver.groups.create(SPEC, answers.append)
    driver.process.receive(GCS, PlacementGroupRefused(GROUP, "its name is taken"))
    assert answers == ["its name is taken"]


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

"""Calls of one template wait apart where the policy tells them apart."""

import pytest

from raysim.policies.asked import AskedOfOwners
from raysim.protocol.owner import variants
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.protocol.owner.variants import Variants
from raysim.spec.ids import ObjectId, TaskId
from raysim.spec.task import TaskArg, TaskCall, Work
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import template

A, B, C, D = (address(name) for name in "abcd")
OWNER = address("owner")


def record(*held: tuple[int, tuple[object, ...]], lasts_ns: int = 0) -> TaskRecord:
    """Its arguments have these sizes, and are held there."""
    refs = [
        TaskArg(slot, ObjectId(bytes(28)), OWNER, holders=list(holders), size=size)
        for slot, (size, holders) in enumerate(held)
    ]
    call = TaskCall(TaskId(bytes(24)), 0, b"", refs, Work(lasts_ns) if lasts_ns else None)
    return TaskRecord(call, template(), "f", 0, (), 0)


@pytest.fixture
def shared() -> SchedulingClass:
    return SchedulingClass(template(), None)


def test_the_nodes_with_most_bytes_are_told_at_most_three(shared: SchedulingClass) -> None:
    by_place = Variants(AskedOfOwners(near=True))
    found = by_place.of(shared, record((10, (A, B)), (30, (C, D)), (5, (B,))))
    assert found.near == (C.node_id, D.node_id, B.node_id)
    assert by_place.of(shared, record((10, (A, B)), (30, (C, D)), (5, (B,)))) is found
    assert by_place.of(shared, record((10, (A,)))) is not found
    assert by_place.of(shared, record()) is shared


def test_long_calls_and_short_ones_wait_apart(shared: SchedulingClass) -> None:
    by_length = Variants(AskedOfOwners(cutoff_ns=100))
    long, short = (by_length.of(shared, record(lasts_ns=lasts)) for lasts in (100, 99))
    assert short is shared
    assert (long.expected_ns, short.expected_ns) == (100, 99)
    assert by_length.of(shared, record()) is short  # Nobody knows: as a short one.
    shared.learn(500)
    assert by_length.of(shared, record()) is long


def test_a_function_s_time_is_learned_from_all_its_calls(shared: SchedulingClass) -> None:
    by_length = Variants(AskedOfOwners(cutoff_ns=100))
    by_length.of(shared, record(lasts_ns=200)).learn(300)
    assert shared.mean_ns == 300


def test_those_that_nothing_waits_in_are_forgotten(
    shared: SchedulingClass, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(variants, "KEPT", 2)
    by_place = Variants(AskedOfOwners(near=True))
    first, second = (by_place.of(shared, record((1, (at,)))) for at in (A, B))
    first.queue.append(record())
    by_place.of(shared, record((1, (C,))))
    assert by_place.of(shared, record((1, (A,)))) is first
    assert by_place.of(shared, record((1, (B,)))) is not second

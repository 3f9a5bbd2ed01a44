import msgspec
import pytest

from raysim.protocol.messages import (
    CopyAdded,
    CopyRemoved,
    ExtentLent,
    ExtentRefused,
    FetchObject,
    FetchObjects,
    FetchReason,
    FreeObjects,
    Message,
    NodeRemoved,
    ObjectChunk,
    ObjectLocal,
    PullChunk,
    RegisterDriver,
    ReleasePins,
    RequestExtent,
    SealObject,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import ObjectId
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, PATIENT, Node

HERE = address("here")
THERE = address("there")


def oid(number: int) -> ObjectId:
    return ObjectId(number.to_bytes(28, "big"))


@pytest.fixture
def node(owner: Address) -> Node:
    """A store of 100 bytes, and a driver."""
    node = Node(others={"there": 4})
    node.host.store.capacity = 100
    node.tell(owner, RegisterDriver(1))
    node.host.take()
    return node


def put(node: Node, process: Address, number: int, size: int, owner: Address) -> int:
    """An object sealed by a process; its handle."""
    [(_, lent)] = node.tell(process, RequestExtent(number, size))
    assert isinstance(lent, ExtentLent)
    node.tell(process, SealObject(number, oid(number), size, owner))
    return lent.handle


def fetch(node: Node, process: Address, number: int, size: int, owner: Address) -> list[Message]:
    wanted = FetchObject(oid(number), size, [HERE, THERE], owner)
    return [message for _, message in node.tell(process, FetchObjects(FetchReason.GET, [wanted]))]


def pull(node: Node, process: Address, number: int, size: int, owner: Address) -> None:
    """A copy that came from another node, unpinned again."""
    fetch(node, process, number, size, owner)
    node.tell(THERE, ObjectChunk(oid(number), 0, size, size, bytes(size)))
    node.tell(process, ReleasePins([oid(number)]))


# Extents


def test_repeated_wish_is_lent_the_same_extent(node: Node, owner: Address) -> None:
    first = node.tell(owner, RequestExtent(1, 10))
    assert node.tell(owner, RequestExtent(1, 10)) == first
    assert node.host.store.used() == 10


def test_extents_of_a_dead_process_are_taken_back(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, RequestExtent(1, 60))
    node.end_worker(1)
    assert node.host.store.used() == 0


def test_seal_under_way_when_its_process_died_finds_no_extent(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, RequestExtent(1, 60))
    node.end_worker(1)
    node.tell(worker, SealObject(1, oid(1), 60, owner))
    assert node.raylet.store.objects == {}


def test_wish_under_way_when_its_process_died_is_ignored(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.end_worker(1)
    assert node.tell(worker, RequestExtent(1, 60)) == []
    assert node.host.store.used() == 0


def test_object_that_can_never_fit_is_refused_naming_what_fills_the_store(
    node: Node, owner: Address
) -> None:
    put(node, owner, 1, 60, owner)
    [(to, refused)] = node.tell(owner, RequestExtent(2, 101))
    assert to == owner
    assert isinstance(refused, ExtentRefused)
    assert refused.failure.kind is FailureKind.OBJECT_STORE_FULL
    assert "60 B in 1 objects owned by process" in refused.failure.text


def test_wish_waits_until_something_is_freed(node: Node, owner: Address) -> None:
    put(node, owner, 1, 60, owner)
    assert node.tell(owner, RequestExtent(2, 60)) == []
    assert node.tell(owner, RequestExtent(2, 60)) == [], "a second copy waits as well"
    sent = node.tell(owner, FreeObjects([oid(1)]))
    assert [message.number for _, message in sent if isinstance(message, ExtentLent)] == [2]


def test_wish_that_waits_in_vain_is_refused(node: Node, owner: Address) -> None:
    put(node, owner, 1, 60, owner)
    fetch(node, owner, 1, 60, owner)
    node.tell(owner, RequestExtent(2, 60))
    node.host.advance(node.host.config.store_full_timeout_ns)
    [(_, refused)] = node.host.of(ExtentRefused)
    assert refused.number == 2
    node.tell(owner, ReleasePins([oid(1)]))
    node.tell(owner, FreeObjects([oid(1)]))
    assert node.host.store.used() == 0, "nothing is lent to a wish that was refused"


def test_wish_of_a_dead_process_does_not_take_the_room_that_comes_free(
    node: Node, owner: Address
) -> None:
    put(node, owner, 1, 60, owner)
    worker = node.lease(owner, 1)
    node.tell(worker, RequestExtent(1, 60))
    node.end_worker(1)
    node.tell(owner, FreeObjects([oid(1)]))
    assert node.host.store.used() == 0
    node.host.advance(node.host.config.store_full_timeout_ns)
    assert node.host.of(ExtentRefused) == []


def test_second_copy_that_is_not_kept_makes_room(node: Node, owner: Address) -> None:
    put(node, owner, 1, 40, owner)
    fetch(node, owner, 1, 40, owner)
    node.tell(owner, RequestExtent(2, 40))
    assert node.tell(owner, RequestExtent(3, 40)) == []
    sent = node.tell(owner, SealObject(2, oid(1), 40, owner))
    assert [message.number for _, message in sent if isinstance(message, ExtentLent)] == [3]


def test_small_wish_passes_one_that_does_not_fit(node: Node, owner: Address) -> None:
    put(node, owner, 1, 60, owner)
    node.tell(owner, RequestExtent(2, 100))
    [(_, lent)] = node.tell(owner, RequestExtent(3, 40))
    assert isinstance(lent, ExtentLent)


# Sealed objects


def test_second_seal_of_an_object_keeps_the_first_copy(node: Node, owner: Address) -> None:
    """Two attempts of one task ended here."""
    handle = put(node, owner, 1, 30, owner)
    node.tell(owner, RequestExtent(9, 30))
    node.tell(owner, SealObject(9, oid(1), 30, owner))
    assert node.host.store.used() == 30
    assert fetch(node, owner, 1, 30, owner) == [ObjectLocal(oid(1), handle, 30)]


def test_repeated_seal_is_ignored(node: Node, owner: Address) -> None:
    put(node, owner, 1, 30, owner)
    node.tell(owner, SealObject(1, oid(1), 30, owner))
    assert node.host.store.used() == 30


@pytest.mark.parametrize("late_ns", [0, 10_000_000_000])
def test_free_that_overtakes_the_seal_is_asked_for_again(
    node: Node, owner: Address, late_ns: int
) -> None:
    """The worker tells the owner of the result and the raylet of the seal: two connections. Or the object
    is made again: only its owner knows."""
    worker = node.lease(owner, 1)
    node.tell(worker, RequestExtent(1, 30))
    node.tell(owner, FreeObjects([oid(1)]))
    node.host.advance(late_ns)
    assert node.tell(worker, SealObject(1, oid(1), 30, owner)) == [(owner, CopyAdded(oid(1), HERE))]
    assert node.host.store.used() == 30
    node.tell(owner, FreeObjects([oid(1)]))
    assert node.host.store.used() == 0


def test_the_seal_of_a_rebuild_that_a_free_overtakes_is_asked_about_too(
    node: Node, owner: Address
) -> None:
    """The first copy came late, and was what the free found."""
    worker = node.lease(owner, 1)
    put(node, worker, 1, 30, owner)
    node.tell(worker, RequestExtent(2, 30))
    node.tell(owner, FreeObjects([oid(1)]))
    assert node.tell(worker, SealObject(2, oid(1), 30, owner)) == [(owner, CopyAdded(oid(1), HERE))]


def test_a_copy_that_was_freed_early_is_asked_about_once(node: Node, owner: Address) -> None:
    node.tell(owner, RequestExtent(1, 30))
    node.tell(owner, FreeObjects([oid(1)]))
    node.tell(owner, SealObject(1, oid(1), 30, owner))
    node.tell(owner, RequestExtent(2, 30))
    assert node.tell(owner, SealObject(2, oid(1), 30, owner)) == []


def test_object_of_an_owner_that_was_lost_before_the_seal_does_not_stay(
    node: Node, owner: Address, other: Address
) -> None:
    worker = node.lease(other, 1)
    node.tell(worker, RequestExtent(1, 30))
    node.lose(other)
    node.tell(worker, SealObject(1, oid(1), 30, other))
    assert node.host.store.used() == 0


def test_objects_of_a_lost_owner_are_freed(node: Node, owner: Address, other: Address) -> None:
    worker = node.lease(other, 1)
    put(node, worker, 1, 30, other)
    put(node, worker, 2, 30, owner)
    node.lose(other)
    assert list(node.raylet.store.objects) == [oid(2)]


def test_objects_of_owners_on_a_dead_node_are_freed(
    node: Node, owner: Address, other: Address
) -> None:
    put(node, owner, 1, 30, other)
    node.tell(GCS, NodeRemoved(other.node_id, "no answer"))
    assert node.host.store.used() == 0


def test_dead_worker_s_sealed_objects_are_told_to_their_owner(node: Node, owner: Address) -> None:
    """The worker's own word of them may have died with it; the task is retried elsewhere."""
    worker = node.lease(owner, 1)
    put(node, worker, 1, 30, owner)
    sent = node.end_worker(1)
    assert (owner, CopyAdded(oid(1), HERE)) in sent


# Pins and eviction


def test_freed_object_stays_until_its_last_pin_goes(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    put(node, owner, 1, 30, owner)
    fetch(node, worker, 1, 30, owner)
    fetch(node, worker, 1, 30, owner)
    node.tell(owner, FreeObjects([oid(1)]))
    node.tell(worker, ReleasePins([oid(1)]))
    assert node.host.store.used() == 30
    node.tell(worker, ReleasePins([oid(1)]))
    assert node.host.store.used() == 0


def test_pin_released_twice_does_not_take_another_process_s(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    put(node, owner, 1, 30, owner)
    fetch(node, worker, 1, 30, owner)
    fetch(node, owner, 1, 30, owner)
    node.tell(owner, FreeObjects([oid(1)]))
    node.tell(owner, ReleasePins([oid(1)]))
    node.tell(owner, ReleasePins([oid(1)]))
    assert node.host.store.used() == 30


def test_pins_of_a_dead_process_are_released(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    put(node, owner, 1, 30, owner)
    fetch(node, worker, 1, 30, owner)
    node.tell(owner, FreeObjects([oid(1)]))
    node.end_worker(1)
    assert node.host.store.used() == 0


def test_freed_object_is_not_handed_to_anyone_new(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    put(node, owner, 1, 30, owner)
    fetch(node, worker, 1, 30, owner)
    node.tell(owner, FreeObjects([oid(1)]))
    assert fetch(node, owner, 1, 30, owner) == [PullChunk(oid(1), 0, 30)]


def test_object_that_is_made_again_while_its_freed_copy_is_pinned_stays(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    put(node, owner, 1, 30, owner)
    fetch(node, worker, 1, 30, owner)
    node.tell(owner, FreeObjects([oid(1)]))
    node.tell(owner, RequestExtent(2, 30))
    node.tell(owner, SealObject(2, oid(1), 30, owner))
    node.tell(worker, ReleasePins([oid(1)]))
    assert node.host.store.used() == 30


def test_eviction_takes_unpinned_copies_least_recently_used_first(
    node: Node, owner: Address
) -> None:
    for number in (1, 2, 3):
        pull(node, owner, number, 30, owner)
    fetch(node, owner, 1, 30, owner)
    node.tell(owner, ReleasePins([oid(1)]))
    sent = node.tell(owner, RequestExtent(9, 40))
    assert (owner, CopyRemoved(oid(2), HERE)) in sent
    assert list(node.raylet.store.objects) == [oid(1), oid(3)]


@pytest.mark.parametrize(
    ("eviction", "goes"),
    [("lru", 1), ("largest_first", 2), ("gdsf", 2), ("gdsf(by_bytes=true)", 3)],
)
def test_another_order_of_eviction_counts_sizes_and_uses(
    owner: Address, eviction: str, goes: int
) -> None:
    node = Node(others={"there": 4}, config=msgspec.structs.replace(PATIENT, eviction=eviction))
    node.host.store.capacity = 100
    node.tell(owner, RegisterDriver(1))
    for number, size, uses in ((1, 20, 3), (2, 60, 2), (3, 20, 1)):
        pull(node, owner, number, size, owner)
        for _ in range(uses - 1):
            fetch(node, owner, number, size, owner)
            node.tell(owner, ReleasePins([oid(number)]))
    sent = node.tell(owner, RequestExtent(9, 15))
    assert (owner, CopyRemoved(oid(goes), HERE)) in sent
    assert len(node.raylet.store.objects) == 2


def test_eviction_never_takes_a_primary_or_a_pinned_copy(node: Node, owner: Address) -> None:
    put(node, owner, 1, 30, owner)
    pull(node, owner, 2, 30, owner)
    fetch(node, owner, 2, 30, owner)
    pull(node, owner, 3, 30, owner)
    node.tell(owner, RequestExtent(9, 40))
    assert list(node.raylet.store.objects) == [oid(1), oid(2)]
    assert [message for to, message in node.tell(owner, RequestExtent(10, 30)) if to == owner] == []


def test_nothing_is_evicted_for_a_wish_that_would_not_fit_even_then(
    node: Node, owner: Address
) -> None:
    put(node, owner, 1, 60, owner)
    pull(node, owner, 2, 30, owner)
    assert node.tell(owner, RequestExtent(9, 50)) == []
    assert oid(2) in node.raylet.store.objects


def test_copy_that_becomes_evictable_makes_room_for_who_waits(node: Node, owner: Address) -> None:
    pull(node, owner, 1, 60, owner)
    fetch(node, owner, 1, 60, owner)
    node.tell(owner, RequestExtent(9, 60))
    sent = node.tell(owner, ReleasePins([oid(1)]))
    assert [type(message) for _, message in sent] == [CopyRemoved, ExtentLent]


def test_copy_that_is_made_here_as_well_becomes_the_primary(node: Node, owner: Address) -> None:
    pull(node, owner, 1, 60, owner)
    node.tell(owner, RequestExtent(9, 30))
    node.tell(owner, SealObject(9, oid(1), 30, owner))
    node.tell(owner, RequestExtent(10, 60))
    assert oid(1) in node.raylet.store.objects

"""Objects that a node's store has no room for: written to disk, brought back, freed, lost."""

from collections.abc import Iterator

import pytest
from msgspec.structs import replace

from raysim.config import Config
from raysim.journal import ObjectRestored, ObjectsSpilled
from raysim.protocol.messages import (
    CancelFetches,
    ChunkMissing,
    CopyRemoved,
    DrainRaylet,
    ExtentLent,
    ExtentRefused,
    FetchFailed,
    FetchObject,
    FetchObjects,
    FetchReason,
    FreeObjects,
    Message,
    ObjectChunk,
    ObjectLocal,
    PullChunk,
    RayletDrains,
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


class Rig:
    """A node with a store of 100 bytes, whose driver puts objects of its own. Files have 20 bytes at least."""

    def __init__(self, driver: Address, **changes: object) -> None:
        values = {"min_spilling_size": 20, "object_spilling_threshold": 1.0, "chunk_bytes": 8}
        self.node = Node(others={"there": 4}, config=replace(PATIENT, **{**values, **changes}))
        self.host = self.node.host
        self.disk = self.host.disk
        self.host.store.capacity = 100
        self.driver = driver
        self.node.tell(driver, RegisterDriver(1))
        self.host.take()

    def ask(self, number: int, size: int) -> bool:
        """Whether there was room at once; written and sealed then."""
        self.node.tell(self.driver, RequestExtent(number, size))
        return self.seal(number, size)

    def seal(self, number: int, size: int) -> bool:
        """What was lent for it, if anything was."""
        for _, lent in self.host.of(ExtentLent):
            if lent.number == number:
                self.host.store.write_chunk(lent.handle, 0, content(number, size), size)
                self.node.tell(self.driver, SealObject(number, oid(number), size, self.driver))
                return True
        return False

    def put(self, number: int, size: int) -> None:
        assert self.ask(number, size), f"no room for object {number}"

    def fetch(self, number: int, size: int, reason: FetchReason = FetchReason.GET) -> None:
        wanted = FetchObject(oid(number), size, [HERE], self.driver)
        self.node.tell(self.driver, FetchObjects(reason, [wanted]))

    def release(self, number: int) -> None:
        self.node.tell(self.driver, ReleasePins([oid(number)]))

    def free(self, *numbers: int) -> None:
        self.node.tell(self.driver, FreeObjects([oid(number) for number in numbers]))

    def local(self) -> dict[ObjectId, bytes]:
        """What the driver was handed since the last look."""
        found = {}
        for _, local in self.host.of(ObjectLocal):
            found[local.object_id] = self.host.store.read_chunk(local.handle, 0, local.size)
        self.host.sent = [one for one in self.host.sent if not isinstance(one[1], ObjectLocal)]
        return found

    def get(self, number: int, size: int) -> bytes | None:
        self.fetch(number, size)
        self.disk.run()
        return self.local().get(oid(number))

    def in_memory(self) -> list[int]:
        objects = self.node.raylet.store.objects.values()
        return [int.from_bytes(one.object_id, "big") for one in objects if one.handle >= 0]

    def failed(self) -> list[Message]:
        return [message for _, message in self.host.of(FetchFailed)]

    def at_rest(self) -> None:
        """Nothing is both freed and on disk, and the bytes are accounted for."""
        store, spilling = self.node.raylet.store, self.node.raylet.store.spilling
        assert not spilling.writing
        assert set(self.disk.files) == set(spilling.files)
        on_disk = [one.on_disk.file for one in store.objects.values() if one.on_disk is not None]
        assert {file.number for file in on_disk} == set(spilling.files)
        assert all(file.objects == on_disk.count(file) for file in spilling.files.values())
        assert all(not file.reads for file in spilling.files.values())
        assert spilling.bytes_on_disk == sum(map(len, self.disk.files.values()))
        places = self.host.store.places
        lent = [handle for one in store._holders.values() for handle in one.extents.values()]
        sealed = [one.handle for one in store.objects.values() if one.handle >= 0]
        assert sorted(lent + sealed) == sorted(places)


def content(number: int, size: int) -> bytes:
    return bytes((number + place) % 256 for place in range(size))


@pytest.fixture
def rig(owner: Address) -> Iterator[Rig]:
    rig = Rig(owner)
    yield rig
    rig.disk.run()
    rig.at_rest()


def spilled(owner: Address, **changes: object) -> Rig:
    """Objects 1 to 4 on disk, two in a file, and 5 of 100 bytes in memory."""
    rig = Rig(owner, **changes)
    for number in range(1, 5):
        rig.put(number, 15)
    assert not rig.ask(5, 100)
    rig.disk.run()
    assert rig.seal(5, 100)
    assert rig.in_memory() == [5]
    rig.host.take()
    return rig


# --- what goes, and when ---


def test_a_put_that_does_not_fit_waits_for_cold_objects_to_be_written(rig: Rig) -> None:
    for number in range(1, 6):
        rig.put(number, 20)
    assert not rig.ask(6, 30)
    rig.disk.run()
    assert rig.seal(6, 30)
    assert rig.in_memory() == [3, 4, 5, 6], "the one used longest ago goes first"
    assert rig.get(1, 20) == content(1, 20)


def test_one_that_was_used_since_is_not_cold(rig: Rig) -> None:
    for number in range(1, 6):
        rig.put(number, 20)
    rig.get(1, 20)
    rig.release(1)
    rig.node.tell(THERE, PullChunk(oid(2), 0, 8))
    rig.ask(6, 20)
    rig.disk.run()
    assert rig.in_memory() == [1, 2, 4, 5], "neither here nor elsewhere"


def test_one_in_use_is_never_written(rig: Rig) -> None:
    for number in (1, 2):
        rig.put(number, 50)
        rig.fetch(number, 50)
    assert not rig.ask(3, 50)
    assert rig.disk.begun == []
    rig.release(2)
    rig.disk.run()
    assert rig.seal(3, 50)
    assert rig.in_memory() == [1, 3]


def test_objects_are_fused_into_files_of_the_least_size(rig: Rig) -> None:
    for number in range(1, 11):
        rig.put(number, 10)
    rig.ask(11, 40)
    rig.disk.run()
    assert [len(file) for file in rig.disk.files.values()] == [20, 20]


def test_no_file_has_more_objects_than_it_may(owner: Address) -> None:
    rig = Rig(owner, max_fused_object_count=1)
    for number in range(1, 11):
        rig.put(number, 10)
    rig.ask(11, 40)
    rig.disk.run()
    assert [len(file) for file in rig.disk.files.values()] == [10, 10, 10, 10]
    rig.at_rest()


def test_above_the_threshold_objects_are_written_ahead_and_stay_in_memory(owner: Address) -> None:
    rig = Rig(owner, object_spilling_threshold=0.5)
    for number in range(1, 6):
        rig.put(number, 10)
    assert rig.disk.begun == []
    rig.put(6, 10)
    rig.disk.run()
    assert len(rig.disk.files) == 1
    assert rig.in_memory() == [1, 2, 3, 4, 5, 6]
    assert rig.get(1, 10) == content(1, 10)
    rig.release(1)
    rig.put(7, 50)
    assert rig.in_memory() == [1, 3, 4, 5, 6, 7], "there was room at once, and 1 was used since"
    rig.disk.run()
    rig.at_rest()


def test_nothing_is_written_where_that_is_switched_off(owner: Address) -> None:
    rig = Rig(owner, automatic_object_spilling_enabled=False)
    rig.put(1, 100)
    assert not rig.ask(2, 100)
    assert rig.disk.begun == []


def test_one_that_is_wanted_while_it_is_written_is_handed_out_at_once(rig: Rig) -> None:
    rig.put(1, 100)
    assert not rig.ask(2, 50)
    rig.fetch(1, 100)
    assert rig.local() == {oid(1): content(1, 100)}
    rig.disk.run()
    assert not rig.seal(2, 50), "in use"
    rig.release(1)
    assert rig.seal(2, 50), "on disk, and in use no more"


def test_a_wish_that_does_not_fit_into_the_pieces_has_the_next_ones_written(rig: Rig) -> None:
    for number in range(1, 6):
        rig.put(number, 20)
    create, rig.host.store.create = rig.host.store.create, lambda size: None
    rig.ask(6, 20)
    rig.disk.run()
    assert len(rig.disk.files) == 5, "room enough, and none in one piece"
    rig.host.store.create = create
    rig.free(1)
    assert rig.seal(6, 20)


# --- how long a put waits, and how it fails ---


def test_a_put_waits_on_while_files_are_written(rig: Rig) -> None:
    config = rig.host.config
    rig.put(1, 100)
    rig.ask(2, 50)
    rig.host.advance(config.store_full_timeout_ns * 3)
    assert rig.host.of(ExtentRefused) == []
    rig.disk.run()
    assert rig.seal(2, 50)


def test_a_disk_that_hangs_is_not_waited_for(owner: Address) -> None:
    rig = Rig(owner)
    rig.put(1, 100)
    rig.ask(2, 50)
    rig.host.advance(rig.host.config.spill_stuck_ns + rig.host.config.store_full_timeout_ns)
    [(_, refused)] = rig.host.of(ExtentRefused)
    assert refused.failure.kind is FailureKind.OBJECT_STORE_FULL


def test_a_wish_whose_time_was_up_is_passed_no_more(rig: Rig) -> None:
    for number in range(1, 6):
        rig.put(number, 20)
    for number in range(2, 6):
        rig.fetch(number, 20)
    assert not rig.ask(6, 60)
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    rig.disk.run()
    assert not rig.ask(7, 20), "the room is kept for 6"
    rig.release(2)
    rig.release(3)
    rig.disk.run()
    assert rig.seal(6, 60)


def test_those_behind_an_overdue_wish_go_on_when_it_is_refused(rig: Rig) -> None:
    for number in range(1, 6):
        rig.put(number, 20)
    for number in range(2, 6):
        rig.fetch(number, 20)
    rig.ask(6, 60)
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    rig.disk.run()
    assert not rig.ask(7, 20)
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    assert [refused.number for _, refused in rig.host.of(ExtentRefused)] == [6]
    assert rig.seal(7, 20)


def test_a_full_store_is_an_error_that_names_the_largest_and_who_uses_it(rig: Rig) -> None:
    rig.put(1, 70)
    rig.put(2, 30)
    rig.fetch(1, 70)
    rig.fetch(2, 30)
    rig.ask(3, 50)
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    [(_, refused)] = rig.host.of(ExtentRefused)
    assert refused.failure.kind is FailureKind.OBJECT_STORE_FULL
    by = rig.driver.worker_id.hex()[:12]
    largest = f"object {oid(1).hex()}, 70 B, owned by process {by}, in use by process {by}; object"
    assert largest in refused.failure.text


# --- the disk is full ---


def test_a_full_disk_is_a_typed_error_and_loses_nothing(rig: Rig) -> None:
    rig.disk.used = 0.96
    rig.put(1, 100)
    rig.ask(2, 50)
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    [(_, refused)] = rig.host.of(ExtentRefused)
    assert refused.failure.kind is FailureKind.OUT_OF_DISK
    assert "its disk is 96.0% full" in refused.failure.text
    assert rig.get(1, 100) == content(1, 100)


def test_what_could_not_be_written_is_tried_again_and_is_still_the_coldest(rig: Rig) -> None:
    for number in range(1, 6):
        rig.put(number, 20)
    rig.disk.problem = "no space left"
    rig.ask(6, 20)
    rig.disk.run()
    assert rig.in_memory() == [1, 2, 3, 4, 5]
    rig.disk.problem = ""
    rig.host.advance(rig.host.config.spill_retry_ns)
    rig.disk.run()
    assert rig.seal(6, 20)
    assert rig.in_memory() == [2, 3, 4, 5, 6]


def test_files_have_no_more_than_their_quota(owner: Address) -> None:
    rig = Rig(owner, object_spilling_quota_bytes=45)
    for number in range(1, 11):
        rig.put(number, 10)
    rig.ask(11, 60)
    rig.disk.run()
    assert sum(map(len, rig.disk.files.values())) == 40
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    [(_, refused)] = rig.host.of(ExtentRefused)
    assert refused.failure.kind is FailureKind.OUT_OF_DISK
    assert "its spilled files may have 45 B" in refused.failure.text
    rig.at_rest()


# --- back from disk ---


def test_a_get_brings_an_object_back_and_its_file_stays(owner: Address) -> None:
    rig = spilled(owner)
    assert rig.get(1, 15) == content(1, 15)
    assert rig.in_memory() == [1], "5 went to disk for it"
    rig.release(1)
    assert rig.get(5, 100) == content(5, 100)
    assert rig.in_memory() == [5], "1 was on disk still"
    notes = rig.host.notes
    assert len([one for one in notes if isinstance(one, ObjectsSpilled)]) == 3
    assert len([one for one in notes if isinstance(one, ObjectRestored)]) == 2
    rig.at_rest()


def test_all_who_want_it_share_one_read(owner: Address) -> None:
    rig = spilled(owner)
    rig.free(5)
    worker = rig.node.lease(owner, 1)
    rig.host.take()
    rig.fetch(1, 15)
    rig.node.tell(worker, FetchObjects(FetchReason.ARGUMENT, [FetchObject(oid(1), 15, [], owner)]))
    assert len(rig.disk.begun) == 1
    rig.disk.run()
    assert {to for to, _ in rig.host.of(ObjectLocal)} == {owner, worker}


def test_one_that_nobody_wants_any_more_takes_no_room(owner: Address) -> None:
    rig = spilled(owner)
    rig.fetch(5, 100)
    rig.fetch(1, 15)
    rig.node.tell(owner, CancelFetches([oid(1)]))
    rig.release(5)
    rig.disk.run()
    assert rig.in_memory() == [5]
    assert rig.local() == {oid(5): content(5, 100)}


def test_one_that_is_wanted_again_while_it_is_read_is_read_once(owner: Address) -> None:
    rig = spilled(owner)
    rig.free(5)
    rig.fetch(1, 15)
    rig.node.tell(owner, CancelFetches([oid(1)]))
    rig.fetch(1, 15)
    assert len(rig.disk.begun) == 1
    rig.disk.run()
    assert rig.local() == {oid(1): content(1, 15)}
    rig.release(1)
    rig.at_rest()


def test_a_get_for_which_there_is_no_room_fails_and_the_object_stays(owner: Address) -> None:
    rig = spilled(owner)
    rig.fetch(5, 100)
    rig.fetch(1, 15)
    rig.host.advance(rig.host.config.store_full_timeout_ns)
    [failed] = rig.failed()
    assert failed.failure.kind is FailureKind.OBJECT_STORE_FULL
    rig.release(5)
    rig.host.take()
    assert rig.get(1, 15) == content(1, 15)


def test_a_process_that_died_while_it_waited_gets_no_pin(owner: Address) -> None:
    rig = spilled(owner)
    rig.free(5)
    worker = rig.node.lease(owner, 1)
    rig.node.tell(worker, FetchObjects(FetchReason.GET, [FetchObject(oid(1), 15, [], owner)]))
    rig.node.end_worker(1)
    rig.disk.run()
    assert rig.host.of(ObjectLocal) == []
    rig.put(6, 100)
    rig.at_rest()


def test_an_object_sealed_again_while_it_is_on_disk_is_one_object(owner: Address) -> None:
    """A rebuild, or a second attempt of its task."""
    rig = spilled(owner)
    rig.free(5)
    rig.node.tell(owner, RequestExtent(9, 15))
    rig.node.tell(owner, SealObject(9, oid(1), 15, owner))
    assert rig.get(1, 15) == content(1, 15)
    rig.at_rest()


# --- for other nodes ---


def test_another_node_is_served_from_disk_without_room_in_memory(owner: Address) -> None:
    rig = spilled(owner)
    for offset, length in ((0, 8), (8, 7), (3, 6)):
        rig.node.tell(THERE, PullChunk(oid(2), offset, length))
        rig.disk.run()
        [(_, chunk)] = rig.host.of(ObjectChunk)
        assert chunk.data == content(2, 15)[offset : offset + length]
        rig.host.take()
    assert rig.in_memory() == [5]
    rig.at_rest()


def test_another_node_is_not_served_what_is_corrupt(owner: Address) -> None:
    rig = spilled(owner)
    rig.disk.files[1][15] ^= 1
    rig.node.tell(THERE, PullChunk(oid(2), 0, 8))
    rig.disk.run()
    assert [message for _, message in rig.host.of(ChunkMissing)] == [ChunkMissing(oid(2))]
    [(to, removed)] = rig.host.of(CopyRemoved)
    assert (to, removed.object_id) == (owner, oid(2))
    assert "corrupt" in removed.why
    assert rig.get(1, 15) == content(1, 15), "its neighbour in the file is as it was"
    rig.release(1)
    rig.at_rest()


# --- freed ---


def test_a_file_goes_with_the_last_object_in_it(owner: Address) -> None:
    rig = spilled(owner)
    assert list(rig.disk.files) == [1, 2]
    rig.free(1)
    assert list(rig.disk.files) == [1, 2]
    rig.free(2)
    assert list(rig.disk.files) == [2]
    rig.free(3, 4, 5)
    assert rig.disk.files == {}
    assert rig.host.store.used() == 0


def test_objects_freed_while_they_are_written_leave_no_file(rig: Rig) -> None:
    rig.put(1, 50)
    rig.put(2, 50)
    rig.ask(3, 100)
    rig.free(1, 2)
    assert rig.seal(3, 100), "their memory is free at once"
    rig.disk.run()
    assert rig.disk.files == {}


def test_one_freed_while_it_is_read_leaves_nothing_and_its_place_is_not_lent_before(
    owner: Address,
) -> None:
    rig = spilled(owner)
    rig.free(5)
    rig.fetch(1, 15)
    rig.free(1, 2)
    [failed] = rig.failed()
    assert (failed.object_id, failed.failure) == (oid(1), None)
    assert rig.host.store.used() == 15, "the disk still writes there"
    rig.disk.run()
    assert rig.host.store.used() == 0
    assert list(rig.disk.files) == [2]
    rig.at_rest()


def test_one_freed_while_somebody_reads_it_is_off_the_disk_at_once(owner: Address) -> None:
    rig = spilled(owner)
    rig.free(2, 5)
    rig.get(1, 15)
    rig.free(1)
    assert list(rig.disk.files) == [2]
    rig.release(1)
    rig.at_rest()


def test_what_a_lost_process_owned_is_off_the_disk(owner: Address) -> None:
    rig = spilled(owner)
    worker = rig.node.lease(owner, 1)
    rig.host.take()
    rig.node.tell(worker, FetchObjects(FetchReason.GET, [FetchObject(oid(1), 15, [], owner)]))
    rig.node.lose(owner)
    [failed] = rig.failed()
    assert failed.failure.kind is FailureKind.OWNER_DIED
    rig.disk.run()
    assert rig.disk.files == {}
    assert rig.host.store.used() == 0


def test_a_node_with_objects_on_disk_does_not_leave(owner: Address) -> None:
    """The autoscaler asks whether it may end an idle node."""
    rig = Rig(owner)
    rig.node.tell(owner, RequestExtent(1, 100))
    rig.node.tell(owner, SealObject(1, oid(1), 100, address("worker", "there")))
    rig.ask(2, 100)
    rig.disk.run()
    rig.node.lose(owner)
    assert rig.host.store.used() == 0
    [(_, retires)] = rig.node.tell(GCS, DrainRaylet("idle", only_if_idle=True))
    assert retires == RayletDrains(False, idle=True)


# --- lost ---


@pytest.mark.parametrize("break_it", ["lose", "corrupt"])
def test_a_copy_that_cannot_be_read_is_a_lost_copy(owner: Address, break_it: str) -> None:
    rig = spilled(owner)
    if break_it == "lose":
        del rig.disk.files[1]
    else:
        rig.disk.files[1][7] ^= 1
    rig.free(5)
    assert rig.get(1, 15) is None
    [(_, removed)] = rig.host.of(CopyRemoved)
    assert removed.object_id == oid(1)
    assert removed.why
    [failed] = rig.failed()
    assert (failed.missing_on, failed.failure) == ([HERE.node_id], None)
    assert rig.host.store.used() == 0
    order = [type(message) for _, message in rig.host.sent]
    assert order.index(CopyRemoved) < order.index(FetchFailed), "why is known before it is asked"


def test_a_loss_that_a_reader_elsewhere_finds_leaves_the_copy_in_memory(owner: Address) -> None:
    rig = spilled(owner)
    rig.free(5)
    rig.node.tell(THERE, PullChunk(oid(1), 0, 8))
    rig.disk.files[1][7] ^= 1
    read, rig.disk.begun = rig.disk.begun, []
    rig.disk.files[1][7] ^= 1
    assert rig.get(1, 15) == content(1, 15)
    rig.disk.files[1][7] ^= 1
    rig.disk.begun = read
    rig.host.take()
    rig.disk.run()
    assert rig.host.of(CopyRemoved) == []
    rig.release(1)
    assert rig.get(1, 15) == content(1, 15)


def test_defaults_are_rays() -> None:
    config = Config()
    assert (config.object_spilling_threshold, config.min_spilling_size) == (0.8, 100 << 20)

"""Packages on their way through the GCS, part by part."""

import pytest

from raysim.config import Config
from raysim.protocol.messages import GetPackage, PackagePart, PackageStored, PutPackage
from raysim.protocol.uploads import Uploads
from tests.unit.protocol.fake_host import FakeHost, address
from tests.unit.protocol.gcs.head import DRIVER, HEAD, Head

URI = "gcs://_ray_pkg_1.zip"
DATA = b"0123456789"
KEEP_NS = 1_000_000_000


@pytest.fixture
def head() -> Head:
    return Head(config=Config(chunk_bytes=4, package_keep_ns=KEEP_NS))


def put(head: Head, offset: int, data: bytes) -> int:
    head.tell(DRIVER, PutPackage(URI, len(DATA), offset, data))
    to, stored = head.one(PackageStored)
    assert to == DRIVER
    return stored.upto


def parts(head: Head) -> list[tuple[int, int, bytes]]:
    """What a raylet that asks for one part after another is told."""
    raylet, found, offset = head.join("a"), [], 0
    while True:
        head.tell(raylet, GetPackage(URI, offset))
        _, part = head.one(PackagePart)
        found.append((part.offset, part.size, part.data))
        offset += len(part.data)
        if offset >= part.size:
            return found


def test_a_package_comes_out_as_it_went_in(head: Head) -> None:
    assert [put(head, at, DATA[at : at + 4]) for at in (0, 4, 8)] == [4, 8, 10]
    assert parts(head) == [(0, 10, b"0123"), (4, 10, b"4567"), (8, 10, b"89")]


def test_a_second_copy_of_a_part_changes_nothing(head: Head) -> None:
    assert [put(head, at, DATA[at : at + 4]) for at in (0, 0, 4, 4, 0, 8, 8)] == [
        4,
        4,
        8,
        8,
        8,
        10,
        10,
    ]
    assert b"".join(data for _, _, data in parts(head)) == DATA


def test_half_a_package_is_not_given_out(head: Head) -> None:
    put(head, 0, b"0123")
    assert parts(head) == [(0, -1, b"")]


def test_packages_survive_the_gcs(head: Head) -> None:
    put(head, 0, b"0123")
    again = head.restarted()
    assert put(again, 0, b"0123") == 4
    put(again, 4, b"4567")
    put(again, 8, b"89")
    assert b"".join(data for _, _, data in parts(again.restarted())) == DATA


def known(head: Head) -> bool:
    return parts(head)[0][1] == len(DATA)


def another_comes(head: Head) -> None:
    """Brought by somebody whose job is not registered: who only looks."""
    head.host.advance(KEEP_NS + 1)
    uri = f"gcs://{head.host.now_ns()}.zip"
    head.tell(address("looker", "head"), PutPackage(uri, 1, 0, b"x"))
    head.take(PackageStored)


def brought(head: Head) -> None:
    for at in (0, 4, 8):
        put(head, at, DATA[at : at + 4])


def test_a_package_goes_some_time_after_the_program_that_brought_it(head: Head) -> None:
    head.join("head")
    head.job()
    brought(head)
    another_comes(head)
    assert known(head)
    head.host.advance(KEEP_NS)
    head.process.peer_lost(DRIVER)
    assert known(head)  # Asked for a moment ago.
    another_comes(head)
    assert not known(head)
    assert not known(head.restarted())
    assert len(head.host.storage.tables["packages"]) == 1


def test_a_package_stays_while_an_actor_may_start_again_in_it(head: Head) -> None:
    head.join("one")
    spec = head.spec(head.job(), detached=True, runtime_env='{"working_dir":"' + URI + '"}')
    raylet, worker = head.alive(spec)
    brought(head)
    head.process.peer_lost(DRIVER)
    another_comes(head)
    assert known(head)
    head.died(raylet, worker)
    another_comes(head)
    assert not known(head)


def test_a_restarted_gcs_keeps_packages_of_programs_that_run(head: Head) -> None:
    head.join("head")
    head.job()
    brought(head)
    again = head.restarted()
    another_comes(again)
    assert known(again)


def test_a_driver_sends_the_next_part_when_the_last_one_is_there() -> None:
    host = FakeHost(DRIVER, Config(chunk_bytes=4))
    uploads = Uploads(host, HEAD)
    done: list[str] = []
    uploads.send(URI, DATA, lambda: done.append(URI))
    sent = host.of(PutPackage)
    assert [message.offset for _, message in sent] == [0]
    host.advance(host.config.request_retry_ns)  # The first part, or its answer, was lost.
    assert [message.offset for _, message in host.of(PutPackage)] == [0, 0]
    handle = uploads.handlers()[PackageStored](uploads)
    for upto in (4, 4, 8, 10):
        handle(HEAD, PackageStored(URI, upto))
    assert [message.offset for _, message in host.of(PutPackage)] == [0, 0, 4, 8]
    assert done == [URI]
    host.advance(10 * host.config.request_retry_ns)
    assert len(host.of(PutPackage)) == 4
    assert all(to == HEAD for to, _ in host.of(PutPackage))

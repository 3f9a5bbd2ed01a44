"""Values that others keep at the GCS."""

from raysim.protocol.messages import KvDelete, KvDeleted, KvFound, KvGet, KvPut, KvStored
from tests.unit.protocol.gcs.head import DRIVER, Head


def put(head: Head, key: bytes, value: bytes, overwrite: bool = True, space: str = "s") -> bytes:
    head.tell(DRIVER, KvPut(1, space, key, value, overwrite))
    return head.one(KvStored)[1].value


def found(head: Head, key: bytes, prefix: bool = False, space: str = "s") -> dict[bytes, bytes]:
    head.tell(DRIVER, KvGet(2, space, key, prefix))
    return head.one(KvFound)[1].values


def deleted(head: Head, key: bytes, prefix: bool = False, space: str = "s") -> int:
    head.tell(DRIVER, KvDelete(3, space, key, prefix))
    return head.one(KvDeleted)[1].count


def test_the_first_stays_where_nothing_is_to_be_overwritten(head: Head) -> None:
    assert put(head, b"a", b"one", overwrite=False) == b"one"
    assert put(head, b"a", b"two", overwrite=False) == b"one"
    assert put(head, b"a", b"three") == b"three"
    assert found(head, b"a") == {b"a": b"three"}


def test_a_second_copy_of_a_request_does_no_harm(head: Head) -> None:
    """Its answer was lost."""
    assert [put(head, b"a", b"one", overwrite=False) for _ in range(2)] == [b"one", b"one"]
    assert [deleted(head, b"a") for _ in range(2)] == [1, 0]


def test_keys_are_found_and_forgotten_by_what_they_begin_with(head: Head) -> None:
    for key in (b"job-2", b"job-1", b"node"):
        put(head, key, key)
    assert list(found(head, b"job", prefix=True)) == [b"job-1", b"job-2"]
    assert found(head, b"job") == {}
    assert deleted(head, b"job", prefix=True) == 2
    assert list(found(head, b"", prefix=True)) == [b"node"]


def test_namespaces_know_nothing_of_each_other(head: Head) -> None:
    put(head, b"a", b"here", space="here")
    put(head, b"a", b"there", space="there")
    assert deleted(head, b"", prefix=True, space="here") == 1
    assert found(head, b"a", space="there") == {b"a": b"there"}


def test_values_are_durable_before_anybody_hears_of_them(head: Head) -> None:
    put(head, b"a\x00b", b"one")
    put(head, b"gone", b"two")
    deleted(head, b"gone")
    assert head.host.storage.batch == []
    again = head.restarted()
    assert found(again, b"", prefix=True) == {b"a\x00b": b"one"}

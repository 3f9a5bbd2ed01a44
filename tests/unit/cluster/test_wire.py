"""Every message survives its way through the bytes of a connection."""

import msgspec
import pytest

from raysim.protocol.messages import (
    MESSAGES,
    CheckHealth,
    FetchObjects,
    FetchReason,
    ObjectChunk,
    PushTasks,
)
from raysim.protocol.messages.objects import FetchObject
from raysim.spec.address import Address
from raysim.spec.ids import FunctionId, NodeId, ObjectId, TaskId, WorkerId
from raysim.spec.task import NodeAffinity, TaskArg, TaskCall, TaskTemplate, Work
from raysim_cluster import wire

ADDRESS = Address(NodeId(b"n" * 28), WorkerId(b"w" * 28), "127.0.0.1:1")


def test_a_frame_holds_its_messages_in_order() -> None:
    template = TaskTemplate(
        FunctionId(b"f" * 28), "f", {"CPU": 10_000}, strategy=NodeAffinity(NodeId(b"n" * 28), True)
    )
    call = TaskCall(
        TaskId(b"t" * 24),
        2,
        b"args",
        [
            TaskArg("keyword", ObjectId(b"o" * 28), ADDRESS, holders=[ADDRESS], size=7),
            TaskArg(0, ObjectId(b"p" * 28), ADDRESS, payload=b""),
        ],
        Work(5, (1, 2)),
    )
    batch = [
        CheckHealth(1),
        PushTasks(3, template, [call], b"function"),
        FetchObjects(FetchReason.WAIT, [FetchObject(ObjectId(b"o" * 28), 9, [ADDRESS], ADDRESS)]),
    ]
    ((frame, attachment),) = wire.frames(batch)
    assert attachment is None
    assert wire.HEADER.unpack_from(frame) == (len(frame) - wire.HEADER_BYTES, 0)
    assert wire.decode(memoryview(frame)[wire.HEADER_BYTES :]) == batch


def test_a_large_part_of_an_object_is_attached_and_keeps_its_place_in_the_order() -> None:
    """Its bytes are neither encoded nor copied."""
    data = b"x" * wire.ATTACH_BYTES
    large = ObjectChunk(ObjectId(b"o" * 28), 0, len(data), len(data), data)
    small = ObjectChunk(ObjectId(b"o" * 28), 0, 1, 1, b"y")
    batch = [CheckHealth(1), large, small, CheckHealth(2), large]
    got = []
    for frame, attachment in wire.frames(batch):
        body = memoryview(frame)[wire.HEADER_BYTES :]
        if attachment is not None:
            assert attachment is data
            assert len(body) < 100
        got += wire.decode(body, None if attachment is None else memoryview(attachment))
    assert got == batch


def test_only_a_part_of_an_object_has_an_attachment() -> None:
    part = ObjectChunk(ObjectId(b"o" * 28), 0, 1, 1, b"")
    for batch in ([CheckHealth(1)], [], [part, part]):
        body = memoryview(wire.encode(batch))[wire.HEADER_BYTES :]
        with pytest.raises(msgspec.DecodeError, match="no single part of an object"):
            wire.decode(body, memoryview(b"x"))


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_kind_of_message_is_known_by_its_name(kind: type) -> None:
    assert kind.__struct_config__.tag == kind.__name__


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.decode(memoryview(b"\x91\x91\xa5Nasty"))
    with pytest.raises(msgspec.DecodeError):
        wire.decode(memoryview(b"\xc1garbage"))

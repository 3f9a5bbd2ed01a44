"""Every message survives its way through the bytes of a connection."""

import msgspec
import pytest

from raysim.protocol.messages import MESSAGES, CheckHealth, FetchObjects, FetchReason, PushTasks
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
    frame = wire.encode(batch)
    (size,) = wire.LENGTH.unpack_from(frame)
    assert size == len(frame) - wire.HEADER_BYTES
    assert wire.decode(memoryview(frame)[wire.HEADER_BYTES :]) == batch


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_every_kind_of_message_is_known_by_its_name(kind: type) -> None:
    assert kind.__struct_config__.tag == kind.__name__  # type: ignore[attr-defined]


def test_what_is_no_message_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        wire.decode(b"\x91\x91\xa5Nasty")
    with pytest.raises(msgspec.DecodeError):
        wire.decode(b"\xc1garbage")

"""How messages become bytes of a connection: frames of a length and a batch. Never a socket.

A frame is two 4-byte little-endian lengths, a msgpack list of messages, and an attachment: the bytes
of a part of an object, which are then neither encoded nor decoded. User data is opaque here: nothing
is unpickled.
"""

from collections.abc import Iterator
from struct import Struct
from typing import Final, Union

import msgspec

from raysim.protocol.messages import MESSAGES, Message, ObjectChunk
from raysim_cluster.disturbed import Disturbed, Obeyed
from raysim_cluster.found import AskCluster, ClusterFound
from raysim_cluster.noted import Noted
from raysim_cluster.sampled import Sampled
from raysim_cluster.shown import DriverIs, FindDriver, Printed

HEADER: Final = Struct("<II")
"""Bytes of the messages, bytes of the attachment."""

HEADER_BYTES: Final = HEADER.size
MAX_FRAME_BYTES: Final = (1 << 32) - 1
"""What a length field can say."""

ATTACH_BYTES: Final = 64 * 1024
"""From this size on, a part of an object travels beside its message. Below it a copy costs less."""

LETS_GO: Final = MAX_FRAME_BYTES
"""Said in place of how many frames have come: none will come any more."""

_OURS: Final = (
    *(Noted, Disturbed, Obeyed, AskCluster, ClusterFound),
    *(Printed, FindDriver, DriverIs, Sampled),
)
"""Messages of this backend alone."""

_encode_into = msgspec.msgpack.Encoder().encode_into
_decoder: Final = msgspec.msgpack.Decoder(
    list[Union[(*MESSAGES, *_OURS)]]  # type: ignore[valid-type]  # Made at run time.
)
_write_header = HEADER.pack_into


def frames(messages: list[Message]) -> Iterator[tuple[bytearray, bytes | memoryview | None]]:
    """Frames with these messages in order, each with its attachment, which is not copied."""
    first = 0
    for index, message in enumerate(messages):
        if type(message) is ObjectChunk and len(message.data) >= ATTACH_BYTES:
            if index > first:
                yield encode(messages[first:index]), None
            first = index + 1
            yield encode([_without_data(message)], len(message.data)), message.data
    if first == 0:
        yield encode(messages), None
    elif first < len(messages):
        yield encode(messages[first:]), None


def encode(messages: list[Message], attached: int = 0) -> bytearray:
    """A frame up to its attachment. Raises OverflowError beyond 4 GiB."""
    frame = bytearray(HEADER_BYTES)
    _encode_into(messages, frame, HEADER_BYTES)
    size = len(frame) - HEADER_BYTES
    if max(size, attached) > MAX_FRAME_BYTES:
        raise OverflowError(
            f"a frame of {size} bytes does not fit its 4-byte length; send less at once"
        )
    _write_header(frame, 0, size, attached)
    return frame


def said(count: int) -> bytes:
    """A header without a body: so many of the peer's frames have come."""
    return HEADER.pack(0, count)


def decode(body: memoryview, attachment: memoryview | None = None) -> list[Message]:
    """The messages of a frame without its header. Raises msgspec.DecodeError for anything else, or, of msgspec's own,
    UnicodeDecodeError and RecursionError."""
    messages: list[Message] = _decoder.decode(body)
    if attachment is not None:
        chunk = messages[0] if len(messages) == 1 else None
        if type(chunk) is not ObjectChunk:
            raise msgspec.DecodeError(
                "there is an attachment, and no single part of an object before it"
            )
        # Valid while the handler runs, which copies it to its place.
        messages[0] = msgspec.structs.replace(chunk, data=attachment)
    return messages


def _without_data(chunk: ObjectChunk) -> ObjectChunk:
    return ObjectChunk(chunk.object_id, chunk.offset, chunk.length, chunk.total, b"")

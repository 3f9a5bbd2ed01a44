"""How messages become bytes of a connection: frames of a length and a batch. Never a socket.

A frame is a 4-byte little-endian length and a msgpack list of messages. User data inside is opaque
bytes: nothing here unpickles anything.
"""

from struct import Struct
from typing import Final, Union

import msgspec

from raysim.protocol.messages import MESSAGES, Message

LENGTH: Final = Struct("<I")
HEADER_BYTES: Final = LENGTH.size
MAX_FRAME_BYTES: Final = (1 << 32) - 1
"""What the length field can say."""

_encode_into = msgspec.msgpack.Encoder().encode_into
_decoder: Final = msgspec.msgpack.Decoder(list[Union[MESSAGES]])  # type: ignore[valid-type]  # noqa: UP007
_write_length = LENGTH.pack_into


def encode(messages: list[Message]) -> bytearray:
    """One frame with these messages. Raises OverflowError beyond 4 GiB."""
    frame = bytearray(HEADER_BYTES)
    _encode_into(messages, frame, HEADER_BYTES)
    size = len(frame) - HEADER_BYTES
    if size > MAX_FRAME_BYTES:
        raise OverflowError(
            f"a frame of {size} bytes does not fit its 4-byte length; send less at once"
        )
    _write_length(frame, 0, size)
    return frame


def decode(body: bytes | bytearray | memoryview) -> list[Message]:
    """The messages of a frame without its length. Raises msgspec.DecodeError for anything else."""
    messages: list[Message] = _decoder.decode(body)
    return messages

"""Values to bytes and back: pickle 5 with buffers out of band. Never where the bytes go.

Layout of a serialised value: one byte that says what follows.
`V`/`E`: a pickle, of a value or of an exception. `B`: a pickle with buffers: the number of buffers,
the pickle's length, each buffer's length (8 bytes each), the pickle, and each buffer at the next
multiple of 64, so that arrays can lie where they are. Anything else, or nothing: what a synthetic
task returned, which has a size and no value.
"""

import pickle
import struct
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import cloudpickle

from raysim.protocol.messages import ContainedRef
from raysim.runtime.object_ref import ObjectRef, deserialised, serialised

ALIGNMENT = 64
"""Bytes; a cache line, and what numpy's vector code likes best."""

_VALUE, _ERROR, _BUFFERS = b"V", b"E", b"B"
_PLAIN = frozenset({int, float, str, bytes, bool, type(None), complex})


class Serialized:
    """A value as parts that follow each other; `contained` are the references inside."""

    __slots__ = ("contained", "parts", "size")

    def __init__(self, parts: list[bytes | memoryview], contained: list[ContainedRef]) -> None:
        self.parts = parts
        self.contained = contained
        self.size = sum(len(part) for part in parts)

    def join(self) -> bytes:
        return self.parts[0] if self._one() else b"".join(self.parts)  # type: ignore[return-value]

    def _one(self) -> bool:
        return len(self.parts) == 1 and isinstance(self.parts[0], bytes)


def is_plain(value: object) -> bool:
    """Whether the plain pickler does: neither references nor functions can be inside."""
    return type(value) in _PLAIN


def serialize(value: object) -> Serialized:
    """Raises what the value's own reduction raises, TypeError typically."""
    if type(value) in _PLAIN:
        return Serialized([_VALUE + pickle.dumps(value, 5)], [])
    buffers: list[pickle.PickleBuffer] = []
    contained: list[ContainedRef] = []
    token = serialised.set(contained)
    try:
        if _is_plain_array(value):
            data = pickle.dumps(value, 5, buffer_callback=buffers.append)
        else:
            file = BytesIO()
            pickler = cloudpickle.Pickler(file, protocol=5, buffer_callback=buffers.append)
            pickler.dump(value)
            data = file.getvalue()
    finally:
        serialised.reset(token)
    if not buffers:
        return Serialized([_VALUE + data], contained)
    return Serialized(_with_buffers(data, buffers), contained)


def serialize_error(error: BaseException) -> Serialized:
    return Serialized([_ERROR + cloudpickle.dumps(error, protocol=5)], [])


def _is_plain_array(value: Any) -> bool:
    kind = type(value)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy" and not value.dtype.hasobject


def _with_buffers(data: bytes, buffers: Sequence[pickle.PickleBuffer]) -> list[bytes | memoryview]:
    views = [_raw(buffer) for buffer in buffers]
    head = _BUFFERS + struct.pack(
        f"<QQ{len(views)}Q", len(views), len(data), *(view.nbytes for view in views)
    )
    parts: list[bytes | memoryview] = [head + data]
    size = len(parts[0])
    for view in views:
        gap = -size % ALIGNMENT
        if gap:
            parts.append(bytes(gap))
        parts.append(view)
        size += gap + view.nbytes
    return parts


def _raw(buffer: pickle.PickleBuffer) -> memoryview:
    """The buffer as flat bytes; one that is not contiguous is copied."""
    try:
        return buffer.raw()
    except BufferError:
        return memoryview(memoryview(buffer).tobytes())


def deserialize(data: bytes | memoryview) -> tuple[Any, bool, list[ObjectRef]]:
    """The value, whether it is an exception to raise, and the references inside.

    The references are not counted by anybody yet. Arrays are read-only views of `data`.
    Raises what the value's own reconstruction raises.
    """
    view = memoryview(data)
    kind = view[:1]
    if kind not in (_VALUE, _ERROR, _BUFFERS):
        return None, False, []
    refs: list[ObjectRef] = []
    token = deserialised.set(refs)
    try:
        if kind == _BUFFERS:
            value = _load_with_buffers(view)
        else:
            value = pickle.loads(view[1:])
    finally:
        deserialised.reset(token)
    return value, kind == _ERROR, refs


def _load_with_buffers(view: memoryview) -> Any:
    count, length = struct.unpack_from("<QQ", view, 1)
    sizes = struct.unpack_from(f"<{count}Q", view, 17)
    start = 17 + 8 * count
    pickled = view[start : start + length]
    position = start + length
    buffers: list[memoryview] = []
    for size in sizes:
        position += -position % ALIGNMENT
        buffers.append(view[position : position + size].toreadonly())
        position += size
    return pickle.loads(pickled, buffers=buffers)

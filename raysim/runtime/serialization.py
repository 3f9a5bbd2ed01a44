"""Values to bytes and back: pickle 5 with buffers out of band. Never where the bytes go.

Layout of a serialised value: one byte that says what follows.
`V`/`E`: a pickle, of a value or of an exception. `R`: bytes, as they are. `B`: a pickle with buffers: the number of
buffers, the pickle's length, each buffer's length (8 bytes each), the pickle, and each buffer at the next
multiple of 64, so that arrays can lie where they are. `T`: as `B`, with a last buffer that is the table of the
references inside (`references.py`). Anything else, or nothing: what a synthetic task returned, which has a size and no
value.
"""

import pickle
import struct
from collections import ChainMap
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any
from weakref import WeakKeyDictionary

import msgspec

from raysim.protocol.messages import ContainedRef
from raysim.runtime.current import current
from raysim.runtime.object_ref import ObjectRef, deserialised, serialised
from raysim.runtime.pickler import dumps
from raysim.runtime.references import ReferencePickler, load, read_table, table_of

ALIGNMENT = 64
"""Bytes; a cache line, and what numpy's vector code likes best."""

_VALUE, _ERROR, _BUFFERS, _RAW, _REFERENCES = b"V", b"E", b"B", b"R", b"T"
_KINDS = b"VEBRT"
_IS_VALUE, _IS_ERROR, _IS_BUFFERS, _IS_RAW, _IS_REFERENCES = _KINDS
_NONE = _VALUE + pickle.dumps(None, 5)
_PLAIN = frozenset({int, float, str, bytes, bool, type(None), complex})

_ATOMS = _PLAIN - {complex}
"""What picklers write without asking anybody how."""

_FEW = 16
"""Parts of a container that are looked at, at most: it saves some microseconds."""

_SHORT = 1 << 10
"""Up to so many bytes a copy costs less than a view."""

_REFERENCE = b"object_ref"
"""In the pickle of a reference is the name of the module that makes it again. One that comes by other ways, from
a pickle in a pickle say, counts itself."""


class Serialized(msgspec.Struct, gc=False):
    """A value as parts that follow each other, `size` bytes in all; `contained` are the references inside."""

    parts: list[bytes | memoryview]
    contained: list[ContainedRef]
    size: int

    @classmethod
    def of(
        cls, parts: list[bytes | memoryview], contained: list[ContainedRef] | None = None
    ) -> "Serialized":
        return cls(parts, contained or [], sum(map(len, parts)))

    def join(self) -> bytes:
        return self.parts[0] if self._one() else b"".join(self.parts)  # type: ignore[return-value]  # _one says bytes.

    def _one(self) -> bool:
        return len(self.parts) == 1 and isinstance(self.parts[0], bytes)


class Custom:
    """How one process serialises classes of its program: see `raysim.util.register_serializer`."""

    def __init__(self) -> None:
        self.reducers: dict[type, Callable[[Any], tuple[Any, ...]]] = {}
        table = ChainMap(self.reducers, ReferencePickler.dispatch_table)
        self.pickler: type[Any] = type("Pickler", (ReferencePickler,), {"dispatch_table": table})


_custom: WeakKeyDictionary[object, Custom] = WeakKeyDictionary()
"""By process: simulated ones share this module."""

_of_drivers = Custom()
"""Registered outside of a session: for this process whenever it is a driver."""


def custom() -> Custom:
    """Of the process that asks, for registering."""
    process = current()
    if process is None or process.context_info().is_driver:
        return _of_drivers
    return _custom.setdefault(process, Custom())


def _registered() -> Custom | None:
    """Of the process that serialises; None where it has registered nothing."""
    process = current()
    if process is None:
        return None
    if _of_drivers.reducers and process.context_info().is_driver:
        return _of_drivers
    return _custom.get(process)


def is_plain(value: object) -> bool:
    """Whether the plain pickler does: neither references nor functions can be inside."""
    return type(value) in _PLAIN


def _is_simple(value: Any, depth: int = 2) -> bool:
    """Whether it is a small container, so deep at most, of values that the plain pickler writes as any does: the
    arguments of most calls are, and their results."""
    kind = type(value)
    if kind is dict:
        if not value:
            return True
        value = [*value, *value.values()]
    elif kind is not list and kind is not tuple:
        return kind in _ATOMS
    if not depth or len(value) > _FEW:
        return False
    for part in value:  # noqa: SIM110  (as a generator expression it takes twice the time)
        if type(part) not in _ATOMS and not _is_simple(part, depth - 1):
            return False
    return True


class _Large:
    """Bytes that are pickled out of band: the pickle is the same for all of them."""

    def __reduce__(self) -> tuple[Any, ...]:
        return bytes, (pickle.PickleBuffer(b""),)


_LARGE_BYTES = pickle.dumps(_Large(), 5, buffer_callback=lambda _: None)

_LARGE = 1 << 16
"""From so many bytes on a copy less is worth more than the layout costs."""


def serialize(value: object) -> Serialized:
    """Raises what the value's own reduction raises, TypeError typically."""
    plain = serialize_plain(value)
    if plain is not None:
        return Serialized([plain], [], len(plain))
    if type(value) is bytes:
        return Serialized.of(_with_buffers(_LARGE_BYTES, [pickle.PickleBuffer(value)]))
    if _is_simple(value):
        return _in_band(pickle.dumps(value, 5))
    buffers: list[pickle.PickleBuffer] = []
    contained: list[ContainedRef] = []
    own = _registered() if _of_drivers.reducers or _custom else None
    token = serialised.set(contained)
    try:
        if own is None and _is_plain_array(value):
            data = pickle.dumps(value, 5, buffer_callback=buffers.append)
        else:
            file = BytesIO()
            kind = ReferencePickler if own is None else own.pickler
            pickler = kind(file, protocol=5, buffer_callback=buffers.append)
            pickler.dump(value)
            data = file.getvalue()
    finally:
        serialised.reset(token)
    if contained:
        buffers.append(pickle.PickleBuffer(table_of(contained)))
        return Serialized.of(_with_buffers(data, buffers, _REFERENCES), contained)
    return Serialized.of(_with_buffers(data, buffers)) if buffers else _in_band(data)


def _in_band(pickled: bytes) -> Serialized:
    parts: list[bytes | memoryview] = [_VALUE + pickled]
    if len(pickled) >= _LARGE:
        parts = [_VALUE, pickled]
    return Serialized(parts, [], len(pickled) + 1)


def serialize_plain(value: object) -> bytes | None:
    """What `serialize` makes of the values that come most often; None: it is another one."""
    if value is None:
        return _NONE
    if type(value) is bytes:
        return _RAW + value if len(value) < _LARGE else None
    return _VALUE + pickle.dumps(value, 5) if type(value) in _PLAIN else None


def serialize_error(error: BaseException) -> Serialized:
    return Serialized.of([_ERROR + dumps(error)])


def _is_plain_array(value: Any) -> bool:
    kind = type(value)
    return kind.__name__ == "ndarray" and kind.__module__ == "numpy" and not value.dtype.hasobject


def _with_buffers(
    data: bytes, buffers: Sequence[pickle.PickleBuffer], kind: bytes = _BUFFERS
) -> list[bytes | memoryview]:
    views = [_raw(buffer) for buffer in buffers]
    head = kind + struct.pack(
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
    if len(data) < _SHORT and data[:1] == _VALUE and _REFERENCE not in bytes(data):
        return pickle.loads(data[1:]), False, []
    view = memoryview(data)
    kind = view[0] if len(view) else 0
    if kind not in _KINDS:
        return None, False, []
    if kind == _IS_RAW:
        return bytes(view[1:]), False, []
    refs: list[ObjectRef] = []
    token = deserialised.set(refs)
    try:
        value = _load(kind, view, refs)
    finally:
        deserialised.reset(token)
    return value, kind == _IS_ERROR, refs


def _load(kind: int, view: memoryview, refs: list[ObjectRef]) -> Any:
    """`refs`: to which those of its table are added."""
    if kind == _IS_REFERENCES:
        pickled, (*buffers, table) = _taken_apart(view)
        made = read_table(table)
        refs += made
        return load(pickled, buffers, made)
    return _load_with_buffers(view) if kind == _IS_BUFFERS else pickle.loads(view[1:])


def load_plain(data: bytes | memoryview) -> Any:
    """A value, not an exception, that refers to nothing: as `deserialize`, without looking for references."""
    kind = data[0]
    if kind == _IS_RAW:
        return bytes(data[1:])
    if kind == _IS_VALUE:
        return pickle.loads(data[1:] if len(data) < _SHORT else memoryview(data)[1:])
    assert kind == _IS_BUFFERS, f"kind {kind} is no plain value"
    return _load_with_buffers(memoryview(data))


def _load_with_buffers(view: memoryview) -> Any:
    pickled, buffers = _taken_apart(view)
    return pickle.loads(pickled, buffers=buffers)


def _taken_apart(view: memoryview) -> tuple[memoryview, list[memoryview]]:
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
    return pickled, buffers

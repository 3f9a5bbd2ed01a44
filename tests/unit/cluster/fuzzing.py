"""What no process of ours sends: messages of any fields, frames that are damaged, and bytes by hand."""

import os
import select
import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from hypothesis import reject
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from msgspec import inspect

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim_cluster import handshake, wire
from raysim_cluster.session import Session

EXAMPLES = int(os.environ.get("RAYSIM_FUZZ", "25"))
"""Of each kind."""

IDS = tuple(bytes([byte]) * size for size in (4, 16, 18, 24, 28) for byte in (1, 2, 255))
"""Few of them, so that one message is about what another was about."""


class Fields:
    """Values of the types that messages are made of. `ids`: more that may mean something where they are sent."""

    def __init__(self, ids: Sequence[bytes] = (), endpoints: Sequence[str] = ()) -> None:
        self._bytes = st.sampled_from([*ids, *IDS]) | st.binary(max_size=64)
        self._texts = st.sampled_from(["", "CPU", "x", *endpoints]) | st.text(max_size=12)
        self._structs: dict[type, SearchStrategy[Any]] = {}

    def of(self, kind: type) -> SearchStrategy[Any]:
        return self._of(inspect.type_info(kind))

    def messages(self, kinds: Sequence[type[Message]]) -> SearchStrategy[Message]:
        return st.sampled_from(list(kinds)).flatmap(self.of)

    def _of(self, info: inspect.Type) -> SearchStrategy[Any]:
        match info:
            case inspect.BytesType():
                return self._bytes
            case inspect.StrType():
                return self._texts
            case inspect.BoolType():
                return st.booleans()
            case inspect.IntType(ge=least):
                low = -(1 << 63) if least is None else least
                large = st.sampled_from([10_000, 1 << 31, 1 << 62])
                return st.integers(max(low, -2), 3) | large | st.integers(low, (1 << 64) - 1)
            case inspect.FloatType():
                return st.floats()
            case inspect.NoneType():
                return st.none()
            case inspect.EnumType(cls=cls):
                return st.sampled_from(list(cls))
            case inspect.LiteralType(values=values):
                return st.sampled_from(values)
            case inspect.ListType(item_type=item):
                return st.lists(self._of(item), max_size=3)
            case inspect.VarTupleType(item_type=item):
                return st.lists(self._of(item), max_size=3).map(tuple)
            case inspect.TupleType(item_types=items):
                return st.tuples(*map(self._of, items))
            case inspect.DictType(key_type=key, value_type=value):
                return st.dictionaries(self._of(key), self._of(value), max_size=3)
            case inspect.UnionType(types=types):
                return st.one_of(*map(self._of, types))
            case inspect.StructType(cls=cls, fields=fields):
                return self._struct(cls, fields)
        raise AssertionError(f"messages have fields of {info}, which nobody makes here")

    def _struct(self, cls: type, fields: Sequence[inspect.Field]) -> SearchStrategy[Any]:
        if cls not in self._structs:
            # Deferred: a field may be of the same class again.
            self._structs[cls] = st.deferred(
                lambda: st.builds(
                    _valid, st.just(cls), **{field.name: self._of(field.type) for field in fields}
                )
            )
        return self._structs[cls]


def _valid(_cls: type, **fields: Any) -> Any:
    try:
        return _cls(**fields)
    except ValueError:
        reject()


@st.composite
def damaged(draw: st.DrawFn, frames: SearchStrategy[bytes]) -> bytes:
    """A frame of which some bytes are others, more, or fewer; or whose lengths say something else."""
    frame = bytearray(draw(frames))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(frame) - 1)) if frame else 0
        match draw(st.sampled_from(["flip", "cut", "insert", "lengths"])):
            case "flip" if frame:
                frame[at] ^= draw(st.integers(1, 255))
            case "cut":
                del frame[at:]
            case "insert":
                frame[at:at] = draw(st.binary(max_size=16))
            case "lengths" if len(frame) >= wire.HEADER_BYTES:
                lengths = st.sampled_from([0, 1, 2, 300, 1 << 20, 1 << 31, wire.MAX_FRAME_BYTES])
                wire.HEADER.pack_into(frame, 0, draw(lengths), draw(lengths))
    return bytes(frame)


def framed(messages: SearchStrategy[list[Message]]) -> SearchStrategy[bytes]:
    return messages.map(lambda batch: bytes(wire.encode(batch)))


class Stranger:
    """A connection to a process, which is given bytes by hand."""

    def __init__(self, session: Session, to: Address, me: Address, challenged: bool) -> None:
        self.me = me
        self._session, self._to, self._challenged = session, to, challenged
        if challenged:
            host, _, port = to.endpoint.partition(":")
            self.sock = socket.create_connection((host, int(port)))
        else:
            self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                self.sock.connect(session.unix_name(to.worker_id))
            except OSError:
                self.sock.close()
                raise

    def __enter__(self) -> "Stranger":
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def say(self, data: bytes) -> None:
        """What it does not take any more is lost."""
        with suppress(ConnectionError):
            self.sock.sendall(data)

    def prove(self, turn: Callable[[], object] = lambda: None) -> None:
        """The handshake of one that has the token; `turn` lets the other side go on."""
        steps = handshake.connect(
            self._session.token, self.me, self._to, self._challenged, self.sock.sendall
        )
        with suppress(StopIteration):
            need = next(steps)
            while True:
                need = steps.send(self._take(need, turn))

    def _take(self, count: int, turn: Callable[[], object]) -> bytes:
        taken = bytearray()
        while len(taken) < count:
            turn()
            if select.select([self.sock], (), (), 0.001)[0]:
                data = self.sock.recv(count - len(taken))
                assert data, "it was dropped"
                taken += data
        return bytes(taken)

    def end(self) -> None:
        """Say no more."""
        with suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def is_dropped(self) -> bool:
        self.sock.setblocking(False)
        try:
            while self.sock.recv(65_536):
                pass
        except BlockingIOError:
            return False
        except ConnectionError:
            return True
        return True

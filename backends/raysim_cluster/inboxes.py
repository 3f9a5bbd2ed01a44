"""Pipes that values of compiled graphs go through within a node. Never a message, never whose turn it is.

A reader has one pipe for each graph, and says where: its process and descriptor, which others of the
same user open through /proc. A record is not larger than what the kernel writes at once or not at all
(PIPE_BUF), so that writers need not know of each other; of a larger value it says where that is, in memory
that writer and reader share (see buffers). All this has no names, and goes with its processes.

Whoever waits for an inbox waits for it and the sockets at once, or for it alone (see listening); nobody
else watches the pipe, so that a thread that pumps beside busy user code is not woken by values that are not
for it.
"""

import os
import select
import stat
from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Final

from raysim.protocol.host import Execute, Waiter
from raysim.protocol.messages import ChannelWrite
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import TaskId
from raysim_cluster.buffers import LARGEST, BufferReader, BufferWriter, Place
from raysim_cluster.listening import Listening
from raysim_cluster.poller import READ
from raysim_cluster.spinning import FOR_RESULT_NS

if TYPE_CHECKING:
    from raysim_cluster.user_host import UserHost

_HEAD: Final = Struct("<IIQB")
"""Bytes that follow, channel, pass, and what they are."""

_IS_ERROR: Final = 1
_BESIDE: Final = 2
"""They say where the value is."""

_WHERE: Final = Struct("<QIiiQ")
"""Where it begins in the shared memory, bytes of the value, and the memory's place."""

_KNOCK: Final = (1 << 32) - 1
"""In place of a channel: nothing has come, but whoever sleeps is to look around."""

_HEAD_BYTES: Final = _HEAD.size
_ROOM: Final = select.PIPE_BUF - _HEAD_BYTES
_READ_BYTES: Final = 1 << 14
"""At once: most often all there is."""

_pack, _unpack = _HEAD.pack, _HEAD.unpack_from

_KNOCKED: Final = _pack(0, _KNOCK, 0, 0)


class PipeInbox:
    """The port `raysim.protocol.host.Inbox`."""

    def __init__(self, host: "UserHost", graph_id: TaskId) -> None:
        self._host = host
        self._graph_id = graph_id
        self.fd, self._write_end = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.place = "/".join(map(str, Place.of(self._write_end)))
        self.readable = True
        """There may be something."""
        self.turn: Callable[[Execute], bool] | None = None
        self._data = b""
        """What was read and not taken: at the end there may be a record that is not read to its end."""
        self._blocking = False
        self._buffers: dict[Place, BufferReader] = {}
        self._listening: Listening | None = None
        self._announced: dict[Callable[[], None], None] = {}
        self._watched = False

    def take(self) -> list[ChannelWrite]:
        found: list[ChannelWrite] = []
        if self._data:
            self._parse(found)
        while self.readable and self.fd >= 0:
            try:
                data = os.read(self.fd, _READ_BYTES)
            except BlockingIOError:
                self.readable = False
                break
            self.readable = len(data) == _READ_BYTES
            self._data = self._data + data if self._data else data
            self._parse(found)
        return found

    def read(self) -> bool:
        """Wait until something has come, or for a knock. All the time that this is done, `take` does not read."""
        if not self._blocking:
            self.set_blocking(True)
        data = os.read(self.fd, _READ_BYTES)
        if data == _KNOCKED:
            return False
        self._data = self._data + data if self._data else data
        return True

    def set_blocking(self, blocking: bool) -> None:
        if blocking != self._blocking:
            self._blocking = blocking
            self.readable = not blocking
            os.set_blocking(self.fd, blocking)

    def knock(self) -> None:
        """Wake who sleeps here, though nothing has come."""
        try:
            os.write(self._write_end, _KNOCKED)
        except BlockingIOError:  # Something has come.
            return

    def _parse(self, found: list[ChannelWrite]) -> None:
        data = self._data
        position, end, graph_id = 0, len(data), self._graph_id
        while end - position >= _HEAD_BYTES:
            size, channel, number, kind = _unpack(data, position)
            behind = position + _HEAD_BYTES + size
            if behind > end:
                break
            payload = data[position + _HEAD_BYTES : behind]
            if kind & _BESIDE:
                found.append(self._from_buffer(number, channel, payload, bool(kind & _IS_ERROR)))
            elif channel != _KNOCK:
                found.append(ChannelWrite(graph_id, number, channel, payload, bool(kind)))
            position = behind
        self._data = data[position:] if position < end else b""

    def _from_buffer(self, number: int, channel: int, where: bytes, is_error: bool) -> ChannelWrite:
        begin, size, *numbers = _WHERE.unpack(where)
        place = Place(*numbers)
        try:
            buffer = self._buffers.get(place)
            if buffer is None:
                buffer = self._buffers[place] = BufferReader.at(place)
        except OSError as error:
            text = f"A value of process {place.pid} cannot be read ({error}): has it ended?"
            failure = Failure(FailureKind.CHANNEL_CLOSED, text)
            return ChannelWrite(self._graph_id, number, channel, failure=failure)
        return ChannelWrite(self._graph_id, number, channel, buffer.take(begin, size), is_error)

    def serve(self, turn: Callable[[Execute], bool]) -> None:
        self.turn = turn
        self._host.serve(self)

    def ring(self) -> None:
        self._host.ring(self)

    def block(self, waiter: Waiter, timeout_ns: int | None) -> bool:
        if self._listening is None:
            self._listening = Listening(self._host.poller, FOR_RESULT_NS)
            self._listening.add(self)
        self._listening.heard = False
        self._host.listen(waiter, timeout_ns, self._listening)
        return waiter.done or self._listening.heard

    def announce(self, action: Callable[[], None]) -> None:
        with self._host.lock:
            if self.fd < 0:
                return
            self._announced[action] = None
            if not self._watched:
                self._watched = True
                self._host.poller.watch(self.fd, self._on_event, READ)

    def _on_event(self, _mask: int) -> None:
        self._unwatch()
        self.readable = True
        announced, self._announced = self._announced, {}
        for action in announced:
            action()

    def _unwatch(self) -> None:
        if self._watched:
            self._watched = False
            self._host.poller.forget(self.fd)

    def close(self) -> None:
        with self._host.lock:  # Whoever wakes a sleeper here holds it, too.
            if self.fd >= 0:
                self._close()

    def _close(self) -> None:
        self._unwatch()
        if self._listening is not None:
            self._host.pump.forget(self._listening)
        if self.turn is not None:
            self._host.serve_no_more(self)
        self.abandon()
        self._host.pipes.pop(self, None)

    def abandon(self) -> None:
        """As `close`; in a fork, where the parent goes on watching."""
        if self._listening is not None:
            self._listening.close()
        for buffer in self._buffers.values():
            buffer.close()
        self._buffers.clear()
        os.close(self.fd)
        os.close(self._write_end)
        self.fd = -1


class PipeOutlet:
    """The port `raysim.protocol.host.Outlet`."""

    def __init__(self, host: "UserHost", fd: int) -> None:
        self._host = host
        self._fd = fd
        self._buffer: BufferWriter | None = None

    @classmethod
    def to(cls, host: "UserHost", text: str) -> "PipeOutlet | None":
        place = Place(*map(int, text.split("/")))
        try:
            if not _is_pipe(os.stat(place.path()), place.inode):
                return None  # The process has ended, and another one has its number.
            # Readable as well: to write into a pipe whose reader has ended is then no SIGPIPE.
            fd = os.open(place.path(), os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return None
        if not _is_pipe(os.fstat(fd), place.inode):
            os.close(fd)
            return None
        return cls(host, fd)

    def write(
        self,
        number: int,
        channel: int,
        parts: Sequence[bytes | memoryview],
        size: int,
        is_error: bool,
    ) -> bool:
        if size > LARGEST or self._fd < 0:
            return False
        if size > _ROOM:
            return self._write_beside(number, channel, parts, size, is_error)
        return self._say(b"".join((_pack(size, channel, number, is_error), *parts)))

    def _say(self, record: bytes) -> bool:
        try:
            os.write(self._fd, record)
        except BlockingIOError:
            return False
        return True

    def _write_beside(
        self,
        number: int,
        channel: int,
        parts: Sequence[bytes | memoryview],
        size: int,
        is_error: bool,
    ) -> bool:
        buffer = self._buffer
        if buffer is None:
            try:
                buffer = self._buffer = BufferWriter()
            except OSError:
                return False  # No descriptors or no memory are left; a message needs none.
        begin = buffer.put(parts, size)
        if begin < 0:
            return False
        kind = _BESIDE | (_IS_ERROR if is_error else 0)
        head = _pack(_WHERE.size, channel, number, kind)
        if not self._say(head + _WHERE.pack(begin, size, *buffer.place)):
            buffer.take_back(begin)
            return False
        return True

    def close(self) -> None:
        if self._fd >= 0:
            self.abandon()
            self._host.pipes.pop(self, None)

    def abandon(self) -> None:
        """As `close`; in a fork."""
        if self._buffer is not None:
            self._buffer.close()
            self._buffer = None
        os.close(self._fd)
        self._fd = -1


def _is_pipe(found: os.stat_result, inode: int) -> bool:
    return stat.S_ISFIFO(found.st_mode) and found.st_ino == inode

"""One connection: handshake, frames in, frames out, without blocking. Never decides whom to talk to."""

import socket
from collections import deque
from collections.abc import Callable
from typing import Final

import msgspec

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim_cluster.handshake import Handshake, HandshakeError
from raysim_cluster.poller import READ, WRITE, Poller
from raysim_cluster.wire import HEADER_BYTES, LENGTH, decode

_SCRATCH_BYTES: Final = 256 * 1024
_READ_AT_ONCE: Final = 8 * 1024 * 1024
"""Bytes taken from one connection before others have their turn."""
_GATHER: Final = 16
"""Frames handed to the kernel in one call."""

_unpack_length = LENGTH.unpack_from


class Scratch:
    """A buffer that all links of a process receive into, one after another."""

    def __init__(self) -> None:
        self.view = memoryview(bytearray(_SCRATCH_BYTES))


class Link:
    """A non-blocking stream socket of one peer. `opened` is called when the peer has proved itself,
    `deliver` for each batch of messages, `closed` once, with the reason, when it is over."""

    def __init__(
        self,
        sock: socket.socket,
        poller: Poller,
        scratch: Scratch,
        *,
        opened: Callable[["Link"], None],
        deliver: Callable[[Address, list[Message]], None],
        closed: Callable[["Link", str], None],
    ) -> None:
        self.sock = sock
        self.peer: Address | None = None
        self.is_closed = False
        self._poller = poller
        self._scratch = scratch.view
        self._opened = opened
        self._deliver = deliver
        self._closed = closed
        self._handshake: Handshake | None = None
        self._need = 0
        self._early = bytearray()
        """Bytes of the handshake, or of a length, that are not whole yet."""
        self._frame: bytearray | None = None
        self._filled = 0
        self._outbox: deque[bytearray | bytes | memoryview] = deque()
        self._held: list[bytearray | bytes | memoryview] | None = []
        """Frames that wait for the handshake; None after it."""
        self._writing = False
        self._deaf = False
        """The peer takes nothing any more; what it said before its end is still to be read."""
        poller.watch(sock.fileno(), self._on_event, READ)

    def begin(self, handshake: Handshake) -> None:
        """Start the handshake, whose first bytes may leave at once."""
        self._handshake = handshake
        self._advance(None)

    def write(self, frame: bytearray | bytes | memoryview) -> None:
        """Send these bytes after all earlier ones."""
        if self._held is not None:
            self._held.append(frame)
        else:
            self.write_raw(frame)

    def write_raw(self, frame: bytearray | bytes | memoryview) -> None:
        """As `write`, for the handshake itself."""
        if self._deaf or self.is_closed:
            return
        if not self._outbox:
            try:
                sent = self.sock.send(frame)
            except BlockingIOError:
                sent = 0
            except OSError:
                self._go_deaf()
                return
            if sent == len(frame):
                return
            frame = memoryview(frame)[sent:]
        self._outbox.append(frame)
        self._watch_writing(True)

    def idle(self) -> bool:
        """Everything written has left this process."""
        return self.is_closed or self._deaf or not (self._outbox or self._held)

    def close(self, reason: str) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self._poller.forget(self.sock.fileno())
        self.sock.close()
        self._outbox.clear()
        self._handshake = None
        self._frame = None
        self._closed(self, reason)

    def abandon(self) -> None:
        """In a fork: let go of the descriptor, which the parent goes on using. Tells nobody."""
        self.is_closed = True
        self.sock.close()

    # --- inside -------------------------------------------------------------------------------

    def _on_event(self, mask: int) -> None:
        if mask & WRITE and not self._deaf:
            self._flush()
        if mask & ~WRITE and not self.is_closed:
            self._read()

    def _flush(self) -> None:
        outbox = self._outbox
        while outbox:
            try:
                sent = self.sock.sendmsg([outbox[i] for i in range(min(len(outbox), _GATHER))])
            except BlockingIOError:
                return
            except OSError:
                self._go_deaf()
                return
            while outbox and sent >= len(outbox[0]):
                sent -= len(outbox.popleft())
            if sent:
                outbox[0] = memoryview(outbox[0])[sent:]
        self._watch_writing(False)

    def _go_deaf(self) -> None:
        # The peer's last words may still be in the socket: only the reading side ends the link.
        self._deaf = True
        self._outbox.clear()
        self._watch_writing(False)

    def _watch_writing(self, on: bool) -> None:
        if on is not self._writing and not self.is_closed:
            self._writing = on
            self._poller.change(self.sock.fileno(), READ | WRITE if on else READ)

    def _read(self) -> None:
        taken = 0
        while taken < _READ_AT_ONCE and not self.is_closed:
            frame = self._frame
            target = self._scratch if frame is None else memoryview(frame)[self._filled :]
            try:
                count = self.sock.recv_into(target)
            except BlockingIOError:
                return
            except OSError as error:
                self.close(error.strerror or type(error).__name__)
                return
            if count == 0:
                self.close("the peer closed the connection")
                return
            taken += count
            if frame is None:
                self._take(self._scratch[:count])
                if count < _SCRATCH_BYTES and self._frame is None:
                    return  # Most often all there was; the poller calls again if not.
            else:
                self._filled += count
                if self._filled == len(frame):
                    self._frame = None
                    self._emit(memoryview(frame))

    def _take(self, data: memoryview) -> None:
        if self._handshake is not None:
            self._early += data
            self._advance_early()
            return
        if self._early:
            data = memoryview(bytes(self._early) + bytes(data))
            self._early.clear()
        self._parse(data)

    def _parse(self, data: memoryview) -> None:
        position, end = 0, len(data)
        while end - position >= HEADER_BYTES:
            (size,) = _unpack_length(data, position)
            position += HEADER_BYTES
            if end - position < size:
                frame = bytearray(size)
                frame[: end - position] = data[position:]
                self._frame, self._filled = frame, end - position
                return
            self._emit(data[position : position + size])
            if self.is_closed:
                return
            position += size
        if position < end:
            self._early += data[position:]

    def _emit(self, body: memoryview) -> None:
        try:
            messages = decode(body)
        except msgspec.DecodeError as error:
            self.close(f"the peer sent what is no message: {error}")
            return
        assert self.peer is not None
        self._deliver(self.peer, messages)

    def _advance_early(self) -> None:
        while self._handshake is not None and len(self._early) >= self._need:
            data = bytes(self._early[: self._need])
            del self._early[: self._need]
            self._advance(data)
        if self._handshake is None and self._early and not self.is_closed:
            rest = memoryview(bytes(self._early))
            self._early.clear()
            self._parse(rest)

    def _advance(self, data: bytes | None) -> None:
        assert self._handshake is not None
        try:
            self._need = next(self._handshake) if data is None else self._handshake.send(data)
        except StopIteration as end:
            self._handshake = None
            self.peer = end.value
            held, self._held = self._held, None
            self._opened(self)
            for frame in held or ():
                self.write_raw(frame)
        except (HandshakeError, msgspec.DecodeError) as error:
            self.close(str(error))

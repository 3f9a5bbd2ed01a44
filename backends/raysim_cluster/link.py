"""One connection: handshake, frames in, frames out, without blocking. Never decides whom to talk to."""

import logging
import mmap
import socket
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import msgspec

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim_cluster.handshake import Handshake, HandshakeError, Proved
from raysim_cluster.poller import READ, WRITE, Poller
from raysim_cluster.wire import HEADER, HEADER_BYTES, decode

_SCRATCH_BYTES: Final = 256 * 1024
_READ_AT_ONCE: Final = 8 * 1024 * 1024
"""Bytes taken from one connection before others have their turn."""
_GATHER: Final = 16
"""Frames handed to the kernel in one call."""

_KEEP_BYTES: Final = 16 * 1024 * 1024
"""Buffers up to this size are kept for the next large frame: new pages cost more than the copy."""

_BELIEVED: Final = 64 * 1024 * 1024
"""Memory made for a frame before so much of it has come: a length is only a peer's word."""

logger = logging.getLogger(__name__)

_unpack_header = HEADER.unpack_from


class Scratch:
    """A buffer that all links of a process receive into, one after another."""

    def __init__(self) -> None:
        # Most processes never use more than its first pages; the others are no memory until then.
        flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        self.view = memoryview(mmap.mmap(-1, _SCRATCH_BYTES, flags=flags))


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
        self.proved: Proved | None = None
        self.is_closed = False
        self.was_cut = False
        """It was closed because of the socket, not by either side's decision."""
        self.error = 0
        """The socket's, if there was one."""
        self.farewell = b""
        """Said before it is closed by decision."""
        self.told: Callable[[int], None] | None = None
        """Told of headers without a body, where there may be such."""
        self._poller = poller
        self._scratch = scratch.view
        self.opened = opened
        self.deliver = deliver
        self.closed = closed
        self._handshake: Handshake | None = None
        self._need = 0
        self._early = bytearray()
        """Bytes of the handshake, or of a length, that are not whole yet."""
        self._frame = bytearray()
        """Receives frames larger than what the scratch buffer had of them; kept for the next."""
        self._expected = 0
        """Bytes of the frame under way, 0 when there is none."""
        self._body = 0
        self._filled = 0
        self._outbox: deque[bytearray | bytes | memoryview] = deque()
        self._held: list[bytearray | bytes | memoryview] | None = []
        """Frames that wait for the handshake; None after it."""
        self._writing = False
        self._muted = False
        """A fault has nothing come in, nor the peer's end be seen."""
        self._watched = READ
        self._deaf = False
        """The peer takes nothing any more; what it said before its end is still to be read."""
        poller.watch(sock.fileno(), self._on_event, READ)

    def begin(self, handshake: Handshake) -> None:
        """Start the handshake, whose first bytes may leave at once."""
        self._handshake = handshake
        self._advance(None)

    def write(self, frame: bytearray, attachment: bytes | memoryview | None = None) -> None:
        """Send a frame after all earlier ones. Of the attachment, what does not leave at once is
        copied: its memory may be another object's by then."""
        if self._held is not None:
            self._held.append(frame if attachment is None else b"".join((frame, attachment)))
        elif attachment is None:
            self.write_raw(frame)
        elif self._outbox:
            self.write_raw(b"".join((frame, attachment)))
        else:
            self._write_beside(frame, attachment)

    def write_raw(self, data: bytearray | bytes | memoryview) -> None:
        """As `write`, for the handshake itself."""
        if self._deaf or self.is_closed:
            return
        if not self._outbox:
            sent = self._send(data)
            if sent == len(data):
                return
            data = memoryview(data)[sent:]
        self._outbox.append(data)
        self._watch_writing(True)

    def _write_beside(self, frame: bytearray, attachment: bytes | memoryview) -> None:
        if self._deaf or self.is_closed:
            return
        sent = self._send(frame, attachment)
        beyond = sent - len(frame)
        if beyond < 0:
            self.write_raw(b"".join((frame[sent:], attachment)))
        elif beyond < len(attachment):
            self.write_raw(bytes(memoryview(attachment)[beyond:]))

    def _send(self, *parts: bytearray | bytes | memoryview) -> int:
        """How many bytes the kernel took. When the peer takes none any more, all count as taken."""
        try:
            return self.sock.send(parts[0]) if len(parts) == 1 else self.sock.sendmsg(parts)
        except BlockingIOError:
            return 0
        except OSError:
            self._go_deaf()
            return sum(len(part) for part in parts)

    def idle(self) -> bool:
        """Everything written has left this process."""
        return self.is_closed or self._deaf or not (self._outbox or self._held)

    def close(self, reason: str) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        if self.farewell and not (self.was_cut or self._deaf or self._outbox):
            with suppress(OSError):
                self.sock.send(self.farewell)
        self._poller.forget(self.sock.fileno())
        self.sock.close()
        self._outbox.clear()
        self._handshake = None
        self._expected = 0
        self.closed(self, reason)

    def mute(self, on: bool) -> None:
        """Read no more, until it is off again."""
        self._muted = on
        self._watch()

    def abandon(self) -> None:
        """In a fork: let go of the descriptor, which the parent goes on using. Tells nobody."""
        self.is_closed = True
        self.sock.close()

    # --- inside -------------------------------------------------------------------------------

    def _on_event(self, mask: int) -> None:
        if (mask & WRITE or self._muted) and not self._deaf:
            self._flush()
        if mask & ~WRITE and not (self.is_closed or self._muted):
            self._read()

    def _flush(self) -> None:
        outbox = self._outbox
        while outbox:
            sent = self._send(*(outbox[i] for i in range(min(len(outbox), _GATHER))))
            if sent == 0 or self._deaf:
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
        if on is not self._writing:
            self._writing = on
            self._watch()

    def _watch(self) -> None:
        wanted = (0 if self._muted else READ) | (WRITE if self._writing else 0)
        before, self._watched = self._watched, wanted
        if wanted == before or self.is_closed:
            return
        fd = self.sock.fileno()
        if not wanted:
            self._poller.forget(fd)  # Watched for nothing, it would still tell of the peer's end.
        elif not before:
            self._poller.watch(fd, self._on_event, wanted)
        else:
            self._poller.change(fd, wanted)

    def _read(self) -> None:
        taken = 0
        while taken < _READ_AT_ONCE and not self.is_closed:
            target = self._scratch if self._expected == 0 else self._rest()
            try:
                count = self.sock.recv_into(target)
            except BlockingIOError:
                return
            except OSError as error:
                self._broke(error)
                return
            if count == 0:
                self.was_cut = True
                self.close("the peer closed the connection")
                return
            taken += count
            if self._expected == 0:
                self._take(self._scratch[:count])
                if count < _SCRATCH_BYTES and self._expected == 0:
                    return  # Most often all there was; the poller calls again if not.
            else:
                self._filled += count
                if self._filled == self._expected:
                    self._take_frame()

    def _broke(self, error: OSError) -> None:
        self.was_cut, self.error = True, error.errno or 0
        self.close(error.strerror or type(error).__name__)

    def _rest(self) -> memoryview:
        """Where the rest of the frame under way is to be received."""
        if self._filled == len(self._frame):
            # So much has come that as much again is believed.
            frame = bytearray(min(self._expected, 2 * self._filled))
            frame[: self._filled] = self._frame
            self._frame = frame
        return memoryview(self._frame)[self._filled : self._expected]

    def _begin_frame(self, size: int, attached: int, data: memoryview) -> None:
        """A frame that is not whole yet: its rest is received in place."""
        self._expected, self._body = size + attached, size
        if len(self._frame) < min(self._expected, _BELIEVED):
            self._frame = bytearray(min(self._expected, _BELIEVED))
        self._frame[: len(data)] = data
        self._filled = len(data)

    def _take_frame(self) -> None:
        whole = memoryview(self._frame)
        expected, self._expected = self._expected, 0
        self._emit(whole[: self._body], whole[self._body : expected])
        if len(self._frame) > _KEEP_BYTES:
            self._frame = bytearray()

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
            size, attached = _unpack_header(data, position)
            position += HEADER_BYTES
            if size == 0 and self.told is not None:
                self.told(attached)
                if self.is_closed:
                    return
                continue
            if end - position < size + attached:
                self._begin_frame(size, attached, data[position:])
                return
            behind = position + size
            self._emit(data[position:behind], data[behind : behind + attached])
            if self.is_closed:
                return
            position = behind + attached
        if position < end:
            self._early += data[position:]

    def _emit(self, body: memoryview, attachment: memoryview) -> None:
        try:
            messages = decode(body, attachment if attachment else None)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            self.close(f"the peer sent what is no message: {error}")
            return
        assert self.peer is not None
        try:
            self.deliver(self.peer, messages)
        except Exception:
            # What the peer has here goes with its connection; a process ends for nobody's message.
            logger.exception("a role failed at what %s sent", self.peer.worker_id.hex())
            self.close("a role failed at what the peer sent")

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
            self.proved = end.value
            self.peer = end.value.peer
            held, self._held = self._held, None
            self.opened(self)
            for frame in held or ():
                self.write_raw(frame)
        except (HandshakeError, msgspec.DecodeError) as error:
            self.close(str(error))

"""What lies between two processes of different machines: carries bytes, a few at a time, until somebody cuts it."""

import select
import socket
import struct
from random import Random

from raysim.spec.address import Address

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: what is under way is thrown away."""


class Cable:
    """Listens in place of a process. `carry` moves what there is; nothing moves by itself."""

    def __init__(self, to: Address, chance: Random) -> None:
        host, _, port = to.endpoint.partition(":")
        self._to = (host, int(port))
        self._chance = chance
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self.is_closed = False
        """Whoever connects meanwhile is cut off at once."""
        self.damages = False
        """The next bytes are to be others."""
        self.damaged = 0
        self.carried = 0
        self.end = Address(
            to.node_id, to.worker_id, "{}:{}".format(*self._listener.getsockname()[:2])
        )
        """Where the process is reached through this."""

    def carry(self) -> bool:
        """One step; always False, for `turn`."""
        try:
            near, _ = self._listener.accept()
        except BlockingIOError:
            pass
        else:
            self._pairs.append((near, socket.create_connection(self._to)))
            if self.is_closed:
                self.cut()
        for pair in tuple(self._pairs):
            for source, sink in (pair, pair[::-1]):
                if pair in self._pairs and select.select([source], (), (), 0)[0]:
                    self._move(pair, source, sink)
        return False

    def _move(
        self, pair: tuple[socket.socket, socket.socket], source: socket.socket, sink: socket.socket
    ) -> None:
        try:
            data = source.recv(self._chance.choice([1, 100, 5_000, 300_000]))
            if not data:
                raise ConnectionAbortedError("the end")
            if self.damages:
                data = data[:-1] + bytes([data[-1] ^ 1])
                self.damages = False
                self.damaged += 1
            sink.sendall(data)
            self.carried += len(data)
        except ConnectionError:
            self._pairs.remove(pair)
            for sock in pair:
                sock.close()

    def cut(self) -> None:
        """With all that is under way."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for sock in pair:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sock.close()

    def close(self) -> None:
        self.cut()
        self._listener.close()

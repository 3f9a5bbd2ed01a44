"""A port scan and a million malformed frames against a head that works: `make fuzz`.

Each frame comes over a connection of its own, at a port of any process, from one that knows the token or does not.
While they come, and afterwards, the program's answers are right, every process is the one that it was, none holds a
descriptor more, memory is flat and the log is short.
"""

import argparse
import ctypes
import fcntl
import os
import socket
import ssl
import struct
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import NamedTuple

import psutil

from raysim.protocol.messages import CheckHealth
from raysim_cluster import handshake, wire
from tests.cluster.inspection import until
from tests.cluster.ports import NOBODY, Port, Running, running_cluster, secured, with_token
from tests.unit.cluster.authority import Authority

CHECKS = 10
"""How often the program is asked meanwhile."""

KNOWN_SHARE = 0.01
"""Of the frames, how many come from one that knows the token and what else is needed."""

TOGETHER = 32
"""Connections at a time."""

MOST_MORE_MIB = 24
"""That all processes together may have grown by after the first tenth."""

MOST_LOG_BYTES = 256 * 1024
"""Of a minute: 20 lines and a number in each process."""

_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER: no port waits for what may still come."""

PROBES = (
    b"",
    b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(509),
    b"*1\r\n$4\r\nPING\r\n",
    b"\x00\x00\x00\x2f\xffSMB" + bytes(43),
    b"cos\nsystem\n(S'true'\ntR.",
)


class Seen(NamedTuple):
    frames: int
    grown_mib: float
    refused_logged: int
    seconds: float


def storm(running: Running, frames: int, chance: Random, tell: bool = False) -> Seen:
    """Asserts what has to hold."""
    ports = running.ports()
    before = running.lasting()
    begun = time.monotonic()
    grown, descriptors = 0.0, {}
    scan(ports)
    for tenth in range(CHECKS):
        ports = _send(running, ports, frames // CHECKS, chance)
        running.assert_right()
        assert running.lasting() == before, "a process has ended, or begun"
        if tenth == 0:
            memory = _memory(before)
            assert until(lambda: not _strangers(before, descriptors))
            descriptors.update(_descriptors(before))
        grown = (_memory(before) - memory) / (1 << 20)
        if tell:
            log = _log_bytes(running)
            print(
                f"{(tenth + 1) * frames // CHECKS} frames, {grown:+.1f} MiB, log {log} bytes",
                flush=True,
            )
    assert grown < MOST_MORE_MIB, f"memory has grown by {grown:.1f} MiB"
    assert until(lambda: not _strangers(before, descriptors)), "descriptors are left open"
    seconds = time.monotonic() - begun
    log = _log_bytes(running)
    assert log < MOST_LOG_BYTES * (1 + seconds / 60), f"the logs have {log} bytes"
    return Seen(frames, grown, _refusals(running), seconds)


def scan(ports: list[Port]) -> None:
    """All TCP ports of 127.0.0.1 where we are alone there, else ours; and each of ours with other protocols' words."""
    tcp = {port.at[1] for port in ports if port.family == socket.AF_INET}
    if _alone:
        found = set()
        for number in range(1, 65_536):
            with socket.socket() as sock:
                if sock.connect_ex(("127.0.0.1", number)) == 0:
                    found.add(number)
        assert tcp <= found, "a scan finds all of them"
    for port in ports:
        for said in PROBES:
            with port.connect() as sock, suppress(ConnectionError):
                sock.sendall(said)


def _send(running: Running, ports: list[Port], count: int, chance: Random) -> list[Port]:
    """Until all have been hung up on. The ports as they are now."""
    waiting: deque[socket.socket] = deque()
    sent = 0
    while sent < count or waiting:
        if sent < count and len(waiting) < TOGETHER:
            try:
                sock = _send_one(running, chance.choice(ports), chance)
            except ConnectionRefusedError:
                ports = running.ports()  # A worker has ended, as those without work do.
                continue
            sent += 1
            if sock is not None:
                waiting.append(sock)
        else:
            with waiting.popleft() as sock, suppress(ConnectionError, ssl.SSLError):
                while sock.recv(4096):
                    pass
    return ports


def _send_one(running: Running, port: Port, chance: Random) -> socket.socket | None:
    """A socket that is to be hung up on; None: it was. Raises ConnectionRefusedError where nobody is."""
    known = chance.random() < KNOWN_SHARE
    sock = secured(running.tls, port) if known else port.connect()
    if port.family == socket.AF_INET:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    try:
        if known:
            # What it sends is looked at: this is a peer that has gone mad.
            with_token(port, sock, _token(running))
            sock.sendall(_undecodable(chance))
        else:
            sock.sendall(chance.choice(_MADE)(chance))
            sock.shutdown(socket.SHUT_WR)  # It may be the beginning of something longer.
    except (OSError, handshake.HandshakeError) as error:
        sock.close()
        if isinstance(error, TimeoutError):
            raise
        return None
    return sock


def _any(chance: Random) -> bytes:
    return chance.randbytes(chance.randrange(80, 2_000))


def _after_the_first_word(chance: Random) -> bytes:
    return handshake.MAGIC + chance.randbytes(chance.randrange(4_200, 5_000))


def _greeting(chance: Random) -> bytes:
    """As a peer's, with another token, and a few bytes of it others."""
    said = bytearray()
    steps = handshake.connect(chance.randbytes(32), NOBODY, NOBODY, False, said.extend)
    with suppress(StopIteration):
        next(steps)
    for _ in range(chance.randrange(4)):
        said[chance.randrange(len(said))] ^= 1 << chance.randrange(8)
    return bytes(said) + chance.randbytes(5_000)


def _frame(chance: Random) -> bytes:
    said = wire.encode([CheckHealth(chance.getrandbits(40)) for _ in range(chance.randrange(1, 9))])
    return bytes(said) * chance.randrange(10, 40)


def _lengths(chance: Random) -> bytes:
    sizes = (0, 1, 1 << 20, wire.MAX_FRAME_BYTES, 0xFFFFFFFF)
    return b"".join(wire.HEADER.pack(chance.choice(sizes), chance.choice(sizes)) for _ in range(40))


def _record(chance: Random) -> bytes:
    """Of TLS, of any kind and contents."""
    size = chance.randrange(100, 2_000)
    kind = bytes([chance.choice((20, 21, 22, 23, 24)), 3, chance.randrange(5)])
    return kind + size.to_bytes(2, "big") + chance.randbytes(size)


_MADE: tuple[Callable[[Random], bytes], ...] = (
    *(_any, _after_the_first_word, _greeting, _frame, _lengths, _record),
)


def _undecodable(chance: Random) -> bytes:
    """A frame that is no message."""
    size = chance.randrange(1, 300)
    return wire.HEADER.pack(size, 0) + b"\xc1" + chance.randbytes(size - 1)


# --- what is looked at ----------------------------------------------------------------------------


def _token(running: Running) -> bytes:
    home = Path(running.machine.environment["HOME"])
    return (home / ".raysim/auth_token").read_bytes().strip()


def _memory(pids: dict[int, str]) -> int:
    return sum(psutil.Process(pid).memory_info().rss for pid in pids)


def _descriptors(pids: dict[int, str]) -> dict[int, int]:
    return {pid: psutil.Process(pid).num_fds() for pid in pids}


def _strangers(pids: dict[int, str], before: dict[int, int]) -> dict[int, int]:
    """Processes with more descriptors than before, but for what processes of one cluster open to each other."""
    now = _descriptors(pids)
    return {pid: now[pid] - count for pid, count in before.items() if now[pid] > count + 8}


def _log_bytes(running: Running) -> int:
    return sum(file.stat().st_size for file in running.machine.temporary.rglob("*.log"))


def _refusals(running: Running) -> int:
    logs = running.machine.temporary.rglob("*.log")
    return sum(file.read_text(errors="replace").count("refused a connection") for file in logs)


# --- a network of one's own -----------------------------------------------------------------------

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS = 0x8914
_IFF_UP = 1

_alone = False


def be_alone() -> bool:
    """A network namespace with a loopback that nobody else has, for root: a scan meets nobody's ports but ours."""
    global _alone
    if os.getuid() == 0 and ctypes.CDLL(None, use_errno=True).unshare(_CLONE_NEWNET) == 0:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            fcntl.ioctl(sock, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", _IFF_UP))
        _alone = True
    return _alone


def main() -> int:
    parser = argparse.ArgumentParser(description="Malformed frames and a port scan at a head.")
    parser.add_argument("--frames", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tls-share", type=float, default=0.1, help="of the frames")
    options = parser.parse_args()
    print("scans all ports" if be_alone() else "scans the cluster's ports only: this is not root")
    for encrypted, share in ((False, 1 - options.tls_share), (True, options.tls_share)):
        with tempfile.TemporaryDirectory(prefix="raysim-fuzz-") as folder:
            tls = Authority(Path(folder)).files() if encrypted else None
            with running_cluster(Path(folder), tls) as running:
                seen = storm(running, int(options.frames * share), Random(options.seed), tell=True)
        rate = seen.frames / seen.seconds
        print(
            f"{'TLS' if encrypted else 'plain'}: {seen.frames} frames refused in {seen.seconds:.0f} s ({rate:.0f}/s), "
            f"{seen.grown_mib:+.1f} MiB, {seen.refused_logged} lines of refusals"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

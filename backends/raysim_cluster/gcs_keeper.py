"""Starts the process of the GCS, again whenever it has ended. Never a decision of the GCS, never its tables.

All its lives have one address. This process has its port bound all the time, and never listens: while there is no
GCS, who connects is told at once that nobody is there.
"""

import contextlib
import hashlib
import logging
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from signal import SIGCONT, SIGKILL, SIGSTOP
from typing import Final

from raysim.config import MS
from raysim.spec.address import Address
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId, WorkerId
from raysim_cluster.control import (
    DISPLACED,
    Channel,
    Done,
    EndGcs,
    GcsReady,
    LoseCommit,
    Order,
    PauseGcs,
    StartGcs,
    StartNode,
)
from raysim_cluster.forked import Child, Forked
from raysim_cluster.host import LoopHost
from raysim_cluster.poller import READ
from raysim_cluster.session import Session

_BOOT: Final = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[4].split('\\n'); "
    "from raysim_cluster.gcs_process import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)

_FIRST_PAUSE_NS: Final = 20 * MS
"""Until one is started again that ended soon after its start, and then twice as long each time."""

_LONGEST_PAUSE_NS: Final = 2_000 * MS

_STEADY_NS: Final = 5_000 * MS
"""One that has lived so long is started again at once."""

_GROWN_S: Final = 1.0
"""Until the GCS of a cluster that grows is killed at the head's end."""

logger = logging.getLogger(__name__)


def gcs_worker_id(session_id: str) -> WorkerId:
    """The same in each life."""
    return WorkerId(_digest(f"gcs of {session_id}"))


def _digest(text: str) -> bytes:
    return hashlib.blake2b(text.encode(), digest_size=UNIQUE_ID_BYTES).digest()


def _place_of(settings: StartNode) -> NodeId:
    """Where the GCS is. One that may come back with another head is at no node: that of a killed head is dead."""
    if not settings.storage:
        return settings.node_id
    return NodeId(_digest(f"place of the gcs of {settings.session.session_id}"))


def _program(session: Session, fd: int) -> Child:
    return subprocess.Popen(
        [
            *(sys.executable, "-c", _BOOT, str(fd), str(os.getpid())),
            *(session.session_id, "\n".join(sys.path)),
        ],
        stdin=subprocess.DEVNULL,
        pass_fds=[fd],
    )


def _forked(session: Session, fd: int) -> Child:
    from raysim_cluster import gcs_process  # A program of its own imports it there.

    parent = os.getpid()
    return Forked(f"raysim-gcs {session.session_id}", fd, lambda fd: gcs_process.main(fd, parent))


class GcsKeeper:
    """In the process of the head's node, whose end is the GCS's, too."""

    def __init__(self, settings: StartNode, preloaded: bool = False) -> None:
        """`preloaded`: the first one is a fork of this process, which has opened nothing yet."""
        self._settings = settings
        session = settings.session
        self._place = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        # As listeners of ours have it: then both may have the port.
        self._place.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._place.bind((session.host, settings.port))
        host, self._port = self._place.getsockname()[:2]
        worker_id = gcs_worker_id(session.session_id)
        self.address = Address(_place_of(settings), worker_id, f"{host}:{self._port}")
        self._host: LoopHost | None = None
        self._tell: Callable[[Done], None] = lambda done: None
        self._displaced: Callable[[], None] = lambda: None
        self._asked: list[int] = []
        """Orders that the GCS has not answered."""
        self._away_ns: int | None = None
        """A fault's, after which the next life begins."""
        self._pause_ns = 0
        self._stops = 0
        """How often it was stopped and did not go on."""
        self._process: Child
        self._channel: Channel | None = None
        self._begin(_forked if preloaded else _program)

    def ready(self) -> None:
        """Wait until the first one takes messages. Raises RuntimeError where it ends instead."""
        assert self._channel is not None
        answer, _ = self._channel.receive()
        if not isinstance(answer, GcsReady):
            raise RuntimeError(f"the GCS ended at its start: see {self._settings.folder}/gcs.log")

    def serve(
        self, host: LoopHost, tell: Callable[[Done], None], displaced: Callable[[], None]
    ) -> None:
        """From now on it is started again. `tell`: what the GCS answers. `displaced`: another head has its tables."""
        self._host, self._tell, self._displaced = host, tell, displaced
        self._watch()

    def close(self) -> None:
        """The head ends, and the GCS with it."""
        self._place.close()
        if self._channel is not None:
            self._channel.close()
        if self._settings.growth is not None:
            # It gives its machines back.
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_GROWN_S)
        self._process.kill()
        self._process.wait()

    # --- faults -------------------------------------------------------------------------------

    def obey(self, order: Order) -> None:
        """Answered by `tell`."""
        match order.strike:
            case EndGcs(away_ns=away_ns):
                if self._channel is not None:
                    self._away_ns = away_ns
                    self._process.send_signal(SIGKILL)
                self._tell(Done(order.number, "gcs"))
            case PauseGcs(on=on):
                self._stops = max(0, self._stops + (1 if on else -1))
                self._process.send_signal(SIGSTOP if self._stops else SIGCONT)
                self._tell(Done(order.number, "gcs"))
            case LoseCommit(away_ns=away_ns):
                self._away_ns = away_ns
                self._pass_on(order)
            case _:
                self._pass_on(order)

    def _pass_on(self, order: Order) -> None:
        self._asked.append(order.number)
        if self._channel is None:
            self._answer_none()
            return
        try:
            self._channel.send(order)
        except OSError:  # It has just ended, which the channel tells.
            return

    def _answer_none(self) -> None:
        asked, self._asked = self._asked, []
        for number in asked:
            self._tell(Done(number))

    # --- its lives ----------------------------------------------------------------------------

    def _begin(self, boot: Callable[[Session, int], Child]) -> None:
        settings = self._settings
        channel, theirs = Channel.pair()
        fd = theirs.fileno()
        self._process = boot(settings.session, fd)
        theirs.close()
        self._begun_ns = time.monotonic_ns()
        self._stops = 0
        self._channel = channel
        start = StartGcs(
            settings.session,
            self.address.node_id,
            self.address.worker_id,
            self._port,
            settings.name,
            settings.config,
            settings.seed,
            settings.folder,
            settings.storage,
            settings.journal_keeper,
            settings.growth,
        )
        channel.send(start)
        self._watch()

    def _watch(self) -> None:
        if self._host is not None and self._channel is not None:
            self._host.poller.watch(self._channel.fileno(), self._on_gcs, READ)

    def _on_gcs(self, _mask: int) -> None:
        assert self._channel is not None
        answer, _ = self._channel.receive()
        if isinstance(answer, Done):
            self._asked.remove(answer.number)
            self._tell(answer)
        elif answer is None:
            self._ended()

    def _ended(self) -> None:
        assert self._channel is not None
        assert self._host is not None
        self._host.poller.forget(self._channel.fileno())
        self._channel.close()
        self._channel = None
        self._answer_none()
        self._process.kill()  # Where it only closed its end.
        code = self._process.wait()
        if code == DISPLACED:
            self._displaced()
            return
        pause_ns = self._next_pause()
        logger.warning(
            "the GCS ended (exit code %d); another begins in %.2f s", code, pause_ns / 1e9
        )
        self._host.call_later(pause_ns, lambda: self._begin(_program))

    def _next_pause(self) -> int:
        away_ns, self._away_ns = self._away_ns, None
        if away_ns is not None:
            return away_ns
        if time.monotonic_ns() - self._begun_ns >= _STEADY_NS:
            self._pause_ns = 0
            return 0
        self._pause_ns = min(2 * self._pause_ns or _FIRST_PAUSE_NS, _LONGEST_PAUSE_NS)
        return self._pause_ns

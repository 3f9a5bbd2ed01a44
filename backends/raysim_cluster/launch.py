"""Starts and ends the process of a node, from the driver. Never speaks the protocol."""

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from raysim.config import Config
from raysim.spec.address import Address
from raysim.spec.growth import Growth
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.isolation import Isolation
from raysim.spec.resources import Resources
from raysim_cluster.auth_token import VARIABLES as TOKENS
from raysim_cluster.cgroups import NodeCgroups, enter
from raysim_cluster.control import (
    DISPLACED,
    LEFT,
    Channel,
    NodeReady,
    StartNode,
    StopNode,
    log_file,
)
from raysim_cluster.forked import Child
from raysim_cluster.redis_place import SECRETS as PASSWORDS
from raysim_cluster.redis_place import RedisPlace
from raysim_cluster.session import Session

_BOOT: Final = (
    "import gc, sys; gc.disable(); sys.path[:] = sys.argv[3].split('\\n'); "
    "from raysim_cluster.beginning import main; main(int(sys.argv[1]))"
)
"""Without the garbage collector until all is imported: it would only look at what stays."""

_START_SECONDS: Final = 30.0
"""Until a node process that has not said that it runs is given up; it takes about 0.1 s."""

_STOP_SECONDS: Final = 1.5
"""Until a node process that was told to end is killed."""

SECRETS: Final = frozenset({*TOKENS, *PASSWORDS})
"""Variables that no process of the cluster has: what they need of them they are told."""

_SLOW_IMPORTS: Final = ("numpy",)
"""Had ready by the fork-server when the program has imported them."""


class NodePlan:
    """What a node is to be: everything of StartNode that is known before the head runs."""

    def __init__(
        self,
        node_id: NodeId,
        name: str,
        resources: Resources,
        labels: dict[str, str],
        store_bytes: int,
        log_to_driver: bool = True,
        isolation: Isolation | None = None,
    ) -> None:
        self.node_id = node_id
        self.name = name
        self.resources = resources
        self.labels = labels
        self.store_bytes = store_bytes
        self.log_to_driver = log_to_driver
        self.isolation = isolation

    def again(self) -> "NodePlan":
        """An equal node: another one, as its id and its name say."""
        name, _, before = self.name.partition("@")
        return NodePlan(
            NodeId(os.urandom(UNIQUE_ID_BYTES)),
            f"{name}@{int(before or 0) + 1}",
            self.resources,
            self.labels,
            self.store_bytes,
            self.log_to_driver,
            self.isolation,
        )


def _program(session: Session, fd: int) -> Child:
    return subprocess.Popen(
        [sys.executable, "-c", _BOOT, str(fd), session.session_id, "\n".join(sys.path)],
        stdin=subprocess.DEVNULL,
        pass_fds=[fd],
        env={name: value for name, value in os.environ.items() if name not in SECRETS},
        # A Ctrl-C is for the program, not for its cluster.
        start_new_session=True,
    )


class NodeProcess:
    """A node process as the driver holds it. Ends with this process, whatever ends that."""

    def __init__(
        self,
        session: Session,
        plan: NodePlan,
        folder: Path,
        boot: Callable[[Session, int], Child] | None = None,
    ) -> None:
        """`boot`: begins the process, with its channel; None: as a program of its own."""
        self.plan = plan
        self.address: Address | None = None
        self.gcs: Address | None = None
        self.arena_fd = -1
        self._folder = folder
        self._session = session
        self._stops = 0
        """How often it was stopped and did not go on."""
        self._cgroups: NodeCgroups | None = None
        if plan.isolation is not None:
            self._cgroups = NodeCgroups(plan.isolation, plan.node_id.hex()[:12])
            self._cgroups.create()
        self._channel, theirs = Channel.pair()
        fd = theirs.fileno()
        self._process = (boot or _program)(session, fd)
        theirs.close()
        if self._cgroups is not None:
            enter(self._cgroups.system, self._process.pid)  # Before it starts others.

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(
        self,
        head: Address | None,
        config: Config,
        seed: int,
        journal_keeper: Address | None,
        gcs_apart: bool = False,
        port: int = 0,
        outlives_drivers: bool = False,
        storage: str | RedisPlace = "",
        growth: Growth | None = None,
    ) -> None:
        """Say what it is to be; `ready` waits until it is. The process boots meanwhile. `head`: the GCS, if
        there is one."""
        plan = self.plan
        self._channel.send(
            StartNode(
                session=self._session,
                node_id=plan.node_id,
                name=plan.name,
                resources=plan.resources,
                labels=plan.labels,
                store_bytes=plan.store_bytes,
                config=config,
                seed=seed,
                head=head,
                folder=str(self._folder),
                journal_keeper=journal_keeper,
                preload=[name for name in _SLOW_IMPORTS if name in sys.modules],
                workers_cgroup=str(self._cgroups.workers) if self._cgroups is not None else "",
                log_to_driver=plan.log_to_driver,
                gcs_apart=gcs_apart,
                port=port,
                outlives_drivers=outlives_drivers,
                storage=storage,
                growth=growth,
            )
        )

    def ready(self) -> Address:
        """Wait until it runs. Raises RuntimeError with the end of its log when it does not."""
        readable, _, _ = select.select([self._channel], (), (), _START_SECONDS)
        answer, fds = self._channel.receive() if readable else (None, [])
        if not isinstance(answer, NodeReady):
            why = "ended at once" if readable else f"did not answer for {_START_SECONDS:g} s"
            raise RuntimeError(f"The process of node {self.plan.name} {why}.{self._log_tail()}")
        self.address, self.gcs = answer.address, answer.gcs
        (self.arena_fd,) = fds
        return answer.address

    def stop(self) -> None:
        """Begin to end it; `wait` ends that."""
        try:
            self._channel.send(StopNode())
        except OSError:  # It is gone already.
            return

    def wait(self) -> None:
        """Until it is gone, with its workers; killed if it takes too long."""
        try:
            self._process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close()

    def kill(self) -> None:
        """SIGKILL: its fork-server and workers end because it does."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        self._close()

    def pause(self) -> None:
        """SIGSTOP. Goes on after as many calls of `go_on`."""
        self._stops += 1
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._stops = max(0, self._stops - 1)
        if not self._stops:
            self._process.send_signal(signal.SIGCONT)

    @property
    def is_paused(self) -> bool:
        return self._stops > 0 and self.alive()

    def second_channel(self) -> Channel:
        """To the same socket, for somebody who closes it himself."""
        return Channel(self._channel.sock.dup())

    def abandon(self) -> None:
        """In a fork: the node is the parent's, and must see the parent's end."""
        self._channel.close()

    def alive(self) -> bool:
        return self._process.poll() is None

    @property
    def has_left(self) -> bool:
        """It has ended because it was drained."""
        return self._process.poll() == LEFT

    @property
    def was_displaced(self) -> bool:
        """It has ended because another head has its tables."""
        return self._process.poll() == DISPLACED

    def _close(self) -> None:
        self._channel.close()
        if self.arena_fd >= 0:
            os.close(self.arena_fd)
            self.arena_fd = -1
        if self._cgroups is not None:
            self._cgroups.remove()

    def _log_tail(self) -> str:
        end = time.monotonic() + 1
        log = log_file(self._folder, self.plan.node_id)
        while self.alive() and time.monotonic() < end and not log.exists():
            time.sleep(0.01)
        return end_of_log(log)


def end_of_log(log: Path) -> str:
    """For an error. Where nothing could be written, the disk is what somebody should look at."""
    if not log.exists():
        return ""
    said = log.read_text(errors="replace")[-2000:]
    if said.strip():
        return f" Its log ends with:\n{said}"
    left = shutil.disk_usage(log.parent).free
    return f" Its log {log} is empty; its disk has {left / 2**20:,.1f} MiB left."

"""A node that outlives its drivers, as the process holds it that was asked for it. Never daemonizes itself."""

import contextlib
import ipaddress
import logging
import os
import platform
import select
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import raysim
from raysim.services import Finding, ServiceOptions
from raysim.spec.ids import NodeId
from raysim.spec.tls import TlsFiles, WebTls
from raysim_cluster.auth_token import existing_token, find_or_make_token
from raysim_cluster.control import NodeHere
from raysim_cluster.disk import make_folders, remove_folders, temporary_folder
from raysim_cluster.door import Door, doors
from raysim_cluster.found import ClusterFound
from raysim_cluster.heads import HeadPlace, forget_heads, head_place
from raysim_cluster.joining import find_cluster
from raysim_cluster.launch import NodeProcess
from raysim_cluster.linux import watch_process
from raysim_cluster.plans import plan_node
from raysim_cluster.ports import check_port
from raysim_cluster.preloaded import fork_node, preload
from raysim_cluster.redis_place import named_storage
from raysim_cluster.session import Session
from raysim_cluster.tls_files import find_tls

if TYPE_CHECKING:
    import ssl

logger = logging.getLogger(__name__)

_STEADY_S: Final = 5.0
"""A head's node that has lived so long is started again."""

_POLL_S: Final = 0.2
"""Between two looks at a node's process where the kernel cannot tell of its end."""


class NodeService:
    """Implements `raysim.services.Service`."""

    def __init__(self, options: ServiceOptions) -> None:
        tls = options.tls or find_tls()
        host = _checked_host(options, tls)
        joined: ClusterFound | None = None
        self._place: HeadPlace | None = None
        self.has_left = False
        if options.address is None:
            check_port(host, options.port)
            token, self.token_file = find_or_make_token()
            storage = options.storage or named_storage()
            self._place = head_place(storage, host, options.port, options.plaintext)
            session = Session(self._place.session_id, token, host, tls)
        else:
            token, self.token_file = existing_token(), ""
            joined = find_cluster(options.address, token, tls)
            session = Session(joined.session_id, token, host, tls)
        self._config = options.config if joined is None else joined.config
        self._seed = 0 if joined is None else joined.seed
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        node_id = NodeId(bytes.fromhex(options.node_id)) if options.node_id else None
        plan = plan_node(0, options.node, 1, log_to_driver=False, node_id=node_id)
        plan.name = options.node.name or f"{socket.gethostname()}-{plan.node_id.hex()[:6]}"
        self.node_id = plan.node_id.hex()
        # Nodes of one cluster may share a machine.
        suffix = "" if joined is None else f"-{self.node_id[:12]}"
        self.folder = str(temporary_folder() / f"raysim-{session.session_id}{suffix}")
        self._spill_folders = make_folders(self._config.object_spilling_directories)
        self._door: Door | None = None
        self._session, self._options = session, options
        preload(self._config, joined is None)
        self._node = NodeProcess(session, plan, Path(self.folder), fork_node)
        try:
            self._begin(session, options, joined)
        except BaseException:
            self._close()
            if not self.returns and self._place is not None:
                self._place.leave()
            raise

    def _begin(
        self, session: Session, options: ServiceOptions, joined: ClusterFound | None
    ) -> None:
        node = self._node
        head = None if joined is None else joined.gcs
        node.start(
            head,
            self._config,
            self._seed,
            None,
            True,
            options.port if self._place is None else self._place.port,
            outlives_drivers=True,
            storage="" if self._place is None else self._place.storage,
            growth=options.growth,
        )
        address = node.ready()
        assert node.gcs is not None
        self.address = node.gcs.endpoint
        if self._place is not None:
            self._place.settle(self.address)
        here = NodeHere(
            session,
            node.plan.node_id,
            address,
            node.gcs,
            self._config,
            self._seed,
            node.plan.store_bytes,
            self.folder,
            list(sys.path),
            raysim.__version__,
            platform.python_version(),
        )
        self._begun_s = time.monotonic()
        self._door = Door(here, node.arena_fd, joined is None)

    def _begin_again(self) -> bool:
        """Another process for the head's node, which was killed. One that ends soon after its start is not repeated."""
        if self._place is None or time.monotonic() - self._begun_s < _STEADY_S:
            return False
        if self._node.was_displaced:
            return False
        assert self._door is not None
        self._door.close()
        self._node.wait()
        plan = self._node.plan.again()
        self.node_id = plan.node_id.hex()
        self._node = NodeProcess(self._session, plan, Path(self.folder), fork_node)
        try:
            self._begin(self._session, self._options, None)
        except RuntimeError as error:
            logger.warning("the head does not come back: %s", error)
            return False
        return True

    @property
    def returns(self) -> bool:
        return self._place is not None and self._place.returns

    def run(self) -> str | None:
        why = self._watch()
        while why is not None and self._begin_again():
            why = self._watch()
        self._close()
        if self._place is not None and why is None:
            self._place.leave()
        return why

    def _watch(self) -> str | None:
        """Until the node has ended, or is to."""
        assert self._door is not None
        pidfd = watch_process(self._node.pid)
        poll = select.poll()
        for watched in (self._bell, self._door.fileno(), *(() if pidfd is None else (pidfd,))):
            poll.register(watched, select.POLLIN)
        why: str | None = None
        ended = False
        while not ended:
            for fd, _ in poll.poll(None if pidfd is not None else _POLL_S * 1000):
                if fd == self._door.fileno():
                    self._door.answer()
                elif fd == self._bell:
                    ended = True
            if not ended and not self._node.alive():
                ended = True
                self.has_left = self._node.has_left
                why = f"the process of its node ended: see {self.folder}"
                if self._node.was_displaced:
                    assert self._place is not None
                    why = (
                        f"{self._place.storage} is another head's now, or what it had there is gone"
                    )
        if pidfd is not None:
            os.close(pidfd)
        return why

    def end(self) -> None:
        os.eventfd_write(self._bell, 1)

    def _close(self) -> None:
        if self._door is not None:
            self._door.close()
        self._node.stop()
        self._node.wait()
        os.close(self._bell)
        shutil.rmtree(self.folder, ignore_errors=True)
        remove_folders(self._spill_folders)


def _checked_host(options: ServiceOptions, tls: TlsFiles | None) -> str:
    try:
        host = socket.gethostbyname(options.host)
    except OSError as error:
        raise ValueError(f"{options.host!r} is no address of this machine: {error}.") from error
    if tls is not None:
        from raysim_cluster.certificates import shown  # With what encrypts, which is large.

        shown(tls, host)  # Those who connect would be refused one by one.
    elif not ipaddress.ip_address(host).is_loopback and not options.plaintext:
        raise ValueError(
            f"{options.host} is reached from other machines, and what nodes say to each other is not encrypted. Give "
            "--tls-cert, --tls-key and --tls-ca (`raysim tls make` makes them), listen on 127.0.0.1, or, where nobody "
            "else is on that network, say --allow-plaintext."
        )
    return host


class NodeServices:
    """Implements `raysim.services.Services`."""

    def start(self, options: ServiceOptions) -> NodeService:
        return NodeService(options)

    def examine(self, address: str | None, port: int) -> list[Finding]:
        from raysim_cluster.examination import examine  # What nodes do not need.

        return examine(address, port)

    def address(self) -> str | None:
        found = doors()
        return found[0].address if found else None

    def token(self) -> bytes:
        return existing_token()

    def tls(self) -> TlsFiles | None:
        return find_tls()

    def web_server(self, tls: WebTls) -> "Callable[[], ssl.SSLContext]":
        from raysim_cluster.certificates import Certificates  # With what encrypts, which is large.

        return Certificates(tls.files, tls.client_certs).server

    def web_client(self, verify: str | bool | None) -> "ssl.SSLContext":
        from raysim_cluster.web_client import web_client  # As above.

        return web_client(verify)

    def stop(self, grace_s: float) -> int:
        # Nodes that have joined before their heads, which would take them for lost.
        found = sorted(doors(), key=lambda entry: entry.is_head)
        for entry in found:
            _end(entry.pid, grace_s)
        doors()  # What was ended by force has left its file.
        forget_heads()
        return len(found)


def _end(pid: int, grace_s: float) -> None:
    """Its door has just said that it is still this one's pid."""
    pidfd = watch_process(pid)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        if not _has_ended(pid, pidfd, grace_s):
            os.kill(pid, signal.SIGKILL)
            _has_ended(pid, pidfd, grace_s)
    if pidfd is not None:
        os.close(pidfd)


def _has_ended(pid: int, pidfd: int | None, seconds: float) -> bool:
    if pidfd is not None:
        return bool(select.select([pidfd], (), (), seconds)[0])
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        os.kill(pid, 0)  # Raises once it is gone.
        time.sleep(_POLL_S)
    return False

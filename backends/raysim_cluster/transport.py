"""Messages between processes, in order, with lost peers reported. Never decides what a loss means.

Processes of a node talk over unix sockets in the abstract namespace (no file that could be left
behind), processes of different nodes over TCP. A connection is made when the first message needs
it. Two processes that connect to each other at the same time keep both connections, and each goes
on sending through its own, so that order holds; when either ends the peer is lost. A connection between
nodes outlives a cut of its socket (see line), and is encrypted where there are certificates (see tls_link).
"""

import logging
import os
import socket
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from raysim.protocol.messages import Message
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim.spec.tls import TlsFiles
from raysim_cluster import handshake
from raysim_cluster.entrance import Entrance
from raysim_cluster.line import Line, dial
from raysim_cluster.link import Link, Scratch
from raysim_cluster.linux import process_at, same_user
from raysim_cluster.poller import Poller
from raysim_cluster.session import Session
from raysim_cluster.timers import Timers
from raysim_cluster.wire import frames

if TYPE_CHECKING:
    from raysim_cluster.certificates import Certificates
    from raysim_cluster.disturbance import Disturbance

logger = logging.getLogger(__name__)


class Peer:
    """Another process, as long as it is not lost."""

    __slots__ = ("address", "life", "links", "outgoing", "pending")

    def __init__(self, address: Address) -> None:
        self.address = address
        self.life = b""
        """Of which process at this address we know; empty: of none yet."""
        self.pending: list[Message] = []
        """Said, but not encoded yet."""
        self.outgoing: Link | Line | None = None
        self.links: list[Link | Line] = []


class Transport:
    """All connections of one process. Its caller holds the host's lock."""

    def __init__(
        self,
        session: Session,
        node_id: NodeId,
        worker_id: WorkerId,
        poller: Poller,
        timers: Timers,
        deliver: Callable[[Address, list[Message]], None],
        port: int = 0,
    ) -> None:
        self._session = session
        self._certificates = None if session.tls is None else _certificates(session.tls)
        self.poller = poller
        self.timers = timers
        self.deliver = deliver
        self._scratch = Scratch()
        self._lines: dict[bytes, Line] = {}
        """Those that peers have begun, by key."""
        self._peers: dict[WorkerId, Peer] = {}
        self.unsent: list[Peer] = []
        """To whom something was said since the last flush."""
        self._is_closed = False
        self.disturbance: Disturbance | None = None
        """What faults do to what comes, where there are any."""
        self.joined: Callable[[Address], None] | None = None
        """Told of each process that has connected, where somebody has to know."""
        self.lost: list[Address] = []
        """Peers that were lost and of which nobody has been told yet; the host empties it."""
        self.tell_lost: Callable[[Address], None] | None = None
        """Tells of a peer at once, before its successor at the same address says anything."""
        self.gate: WorkerId | None = None
        """Another id by which this process is found."""
        self._life = os.urandom(handshake.LIFE_BYTES)
        name = session.unix_name(worker_id)
        self._entrance = Entrance(session.host, name, poller, timers, self._enter, port)
        self.address = Address(node_id, worker_id, self._entrance.endpoint)

    def send(self, to: Address, message: Message) -> None:
        """Leaves with the next `flush`. Nothing is said after `close`."""
        if self._is_closed:
            return
        peer = self._peers.get(to.worker_id)
        if peer is None:
            peer = self._peers[to.worker_id] = Peer(to)
        pending = peer.pending
        if not pending:
            self.unsent.append(peer)
        pending.append(message)

    def flush(self) -> None:
        """Hand what was said to the kernel, or to the outbox where it does not take it now."""
        unsent, self.unsent = self.unsent, []
        for peer in unsent:
            messages, peer.pending = peer.pending, []
            if not messages:
                continue  # The peer was lost since; it is reported.
            link = peer.outgoing or self._connect(peer)
            if link is not None:
                for frame, attachment in frames(messages):
                    link.write(frame, attachment)

    def idle(self) -> bool:
        """Nothing waits to leave."""
        return not self.unsent and all(
            link.idle() for peer in self._peers.values() for link in peer.links
        )

    def close(self) -> None:
        """End all connections; nobody is reported lost."""
        self._is_closed = True
        self._entrance.close()
        peers, self._peers = self._peers, {}
        for link in [link for peer in peers.values() for link in peer.links]:
            link.close("this process ends")
        self.unsent.clear()
        self.lost.clear()

    def abandon(self) -> None:
        """In a fork: a copy of a socket would hide this process's end from its peers."""
        self._is_closed = True
        self._entrance.abandon()
        for link in [link for peer in self._peers.values() for link in peer.links]:
            link.abandon()

    # --- faults -------------------------------------------------------------------------------

    def disturb(self, disturbance: "Disturbance") -> None:
        """From now on it has what comes."""
        self.disturbance = disturbance
        self.deliver = disturbance.receive
        for peer in self._peers.values():
            for link in peer.links:
                if isinstance(link, Link):
                    link.deliver = disturbance.receive  # Lines ask us each time.

    def links(self) -> list[Link]:
        """The sockets whose peers are known."""
        links: list[Link] = []
        for peer in self._peers.values():
            for link in peer.links:
                links += link.links() if isinstance(link, Line) else [link]
        return [link for link in links if link.peer is not None]

    def peers_of(self, node_id: NodeId) -> list[Address]:
        """Other processes on this node that are known."""
        known = [peer.address for peer in self._peers.values()]
        return [address for address in known if address.node_id == node_id]

    # --- connections --------------------------------------------------------------------------

    def _connect(self, peer: Peer) -> Link | Line | None:
        try:
            if peer.address.node_id == self.address.node_id:
                peer.outgoing = self._connect_unix(peer)
            else:
                line = peer.outgoing = Line(self, peer.address)
                peer.links.append(line)
                line.begin()
        except (OSError, ValueError, OverflowError) as error:
            # It has ended, its address is none, or no descriptors are left.
            logger.info("cannot connect to process %s: %s", peer.address.worker_id.hex(), error)
            self._drop(peer)
            return None
        return peer.outgoing

    def _connect_unix(self, peer: Peer) -> Link:
        to = peer.address
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            # Blocks only while the listener's backlog is full, which its next accept ends.
            sock.connect(self._session.unix_name(to.worker_id))
            if not same_user(sock):
                raise PermissionError("its socket belongs to another user")
        except OSError:
            sock.close()
            raise
        sock.setblocking(False)
        link = self._link(sock)
        life = _life_at(sock)
        if self._is_another(peer, life):
            peer = self._succeed(peer)
            peer.outgoing = peer.outgoing or link
        peer.links.append(link)
        peer.life = life
        token = self._session.token
        link.begin(handshake.connect(token, self.address, to, False, link.write_raw))
        return link

    def dial(self, line: Line) -> Link:
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            dial(sock, line.peer)
        except (OSError, ValueError, OverflowError):
            sock.close()
            raise
        link = self._link_of_tcp(sock, line.peer.endpoint.rpartition(":")[0])
        link.opened, link.closed = partial(self._dialled, line), line.on_closed
        link.begin(
            handshake.connect(
                self._session.token,
                self.address,
                line.peer,
                True,
                link.write_raw,
                line=line.key,
                resumes=line.was_open,
                received=line.received,
                life=self._life,
            )
        )
        return link

    def _dialled(self, line: Line, link: Link) -> None:
        assert link.proved is not None
        peer = self._peers[line.peer.worker_id]
        if self._is_another(peer, link.proved.life):
            peer.links.remove(line)
            peer = self._succeed(peer)
            peer.links.append(line)
            peer.outgoing = line
        peer.life = link.proved.life
        line.on_opened(link)
        if self.disturbance is not None:
            self.disturbance.opened(link)

    def _enter(self, sock: socket.socket, local: bool) -> None:
        link = self._link(sock) if local else self._link_of_tcp(sock)
        self._entrance.came(link)
        me = self.address.worker_id
        link.begin(
            handshake.accept(
                self._session.token,
                me,
                not local,
                link.write_raw,
                self._received_before,
                self._life,
                self.gate,
            )
        )

    def _received_before(self, greeting: handshake.Greeting) -> int | None:
        """Of a connection that goes on, or begins."""
        line = self._lines.get(greeting.line)
        if line is None or line.peer.worker_id != greeting.sender.worker_id:
            return None if greeting.resumes else 0
        line.detach()
        return line.received

    def line_ended(self, line: Line, reason: str) -> None:
        self._lines.pop(line.key, None)
        self._lose(line, reason)

    def _link(self, sock: socket.socket) -> Link:
        return Link(
            sock,
            self.poller,
            self._scratch,
            opened=self._opened,
            deliver=self.deliver,
            closed=self._closed,
        )

    def _link_of_tcp(self, sock: socket.socket, host: str | None = None) -> Link:
        """`host`: that it is to; None: it came."""
        if self._certificates is None:
            return self._link(sock)
        from raysim_cluster.tls_link import TlsLink

        ours, tls = self._certificates, self._session.tls
        assert tls is not None
        return TlsLink(
            sock,
            self.poller,
            self._scratch,
            context=ours.server() if host is None else ours.client(),
            host=host and (tls.name or host),
            opened=self._opened,
            deliver=self.deliver,
            closed=self._closed,
        )

    def _opened(self, link: Link) -> None:
        if not self._entrance.left(link):
            return  # Our own connection: its peer knows it.
        proved = link.proved
        assert proved is not None
        if not proved.line:
            self._joined(link, proved.peer, _life_at(link.sock))
            return
        line = self._lines.get(proved.line)
        if line is None:
            line = self._begin_line(proved)
        line.attach(link, proved.came)
        if self.disturbance is not None:
            self.disturbance.opened(link)

    def _begin_line(self, proved: handshake.Proved) -> Line:
        known = self._peers.get(proved.peer.worker_id)
        if known is not None and self._is_another(known, proved.life):
            self._succeed(known)
        for other in tuple(self._lines.values()):
            if other.peer.worker_id == proved.peer.worker_id:
                other.fail("the peer has begun another one")  # It has let go of this one before.
        line = self._lines[proved.line] = Line(self, proved.peer, proved.line)
        self._joined(line, proved.peer, proved.life)
        return line

    def _joined(self, link: Link | Line, address: Address, life: bytes) -> None:
        peer = self._peers.get(address.worker_id)
        if peer is None:
            peer = self._peers[address.worker_id] = Peer(address)
        elif self._is_another(peer, life):
            peer = self._succeed(peer)
        peer.life = life
        peer.links.append(link)
        if peer.outgoing is None:
            peer.outgoing = link
        if self.joined is not None:
            self.joined(peer.address)

    def _is_another(self, peer: Peer, life: bytes) -> bool:
        return bool(peer.life) and peer.life != life

    def _succeed(self, peer: Peer) -> Peer:
        """Its process has ended, and another has its address: we hear of that one first."""
        logger.info("process %s is another one now", peer.address.worker_id.hex())
        self._drop(peer)
        if self.tell_lost is not None:
            lost, self.lost = self.lost, []
            for address in lost:
                self.tell_lost(address)
        # Whoever was told may have said something: it is for the new one.
        return self._peers.setdefault(peer.address.worker_id, Peer(peer.address))

    def _closed(self, link: Link, reason: str) -> None:
        if self._is_closed:
            return
        if not self._entrance.refused(link, reason):
            self._lose(link, reason)

    def _lose(self, link: Link | Line, reason: str) -> None:
        for peer in self._peers.values():
            if link in peer.links:
                logger.info("lost process %s: %s", peer.address.worker_id.hex(), reason)
                self._drop(peer)
                return

    def _drop(self, peer: Peer) -> None:
        del self._peers[peer.address.worker_id]
        peer.pending = []
        for link in peer.links:
            if isinstance(link, Line):
                self._lines.pop(link.key, None)
            link.close("another connection of this peer ended")
        if self.disturbance is not None:
            self.disturbance.lost(peer.address)
        self.lost.append(peer.address)


def _certificates(files: TlsFiles) -> "Certificates":
    from raysim_cluster.certificates import Certificates  # OpenSSL, only where it is used.

    return Certificates(files)


def _life_at(sock: socket.socket) -> bytes:
    """Of the process at the other end, on this machine."""
    return process_at(sock).to_bytes(8, "big")

"""A role's surroundings in one real process: clock, timers, messages, draws. Never a thread, never user code."""

import random
import time
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from raysim.config import MS, Config
from raysim.journal import Journal, Level, Note
from raysim.protocol.messages import Message
from raysim.protocol.process import Process
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, WorkerId
from raysim_cluster.disturbed import Disturbed, LinkRule, Obeyed
from raysim_cluster.noted import noted
from raysim_cluster.poller import Poller
from raysim_cluster.session import Session
from raysim_cluster.timers import HeapTimer, Timers
from raysim_cluster.transport import Transport

_TELL_AGAIN_NS: Final = 50 * MS
"""Until a role hears again of a peer that it knew to be lost and sent to all the same."""

_LOST_KNOWN: Final = 1_000
"""Of the peers that were lost, the latest that are known to be."""


class LoopHost:
    """Polls, hands what arrives to the process's roles, and sends what they said.

    `poll` may be called by one thread at a time. `settle` delivers messages to oneself, tells of lost
    peers, and flushes; subclasses see to it that it follows every call into a role.
    """

    def __init__(
        self,
        session: Session,
        node_id: NodeId,
        worker_id: WorkerId,
        *,
        config: Config,
        seed: int,
        name: str,
        journal: Journal | None = None,
        port: int = 0,
    ) -> None:
        """`port`: to listen on; 0 for any."""
        self.config = config
        self.name = name
        self.poller = Poller()
        self.timers = Timers()
        self.transport = Transport(
            session, node_id, worker_id, self.poller, self.timers, self._deliver, port
        )
        self.transport.tell_lost = self._report_lost
        self.address = self.transport.address
        self.process: Process | None = None
        self.asleep = False
        """Somebody waits in the poller, or is about to."""
        self._own: list[Message] = []
        self._turn: list[HeapTimer] = []
        """To be run when the turn under way ends: what was asked for with no delay."""
        self._lost_before: dict[WorkerId, None] = {}
        self._seed = seed
        self._streams: dict[str, Random] = {}
        self._journal = journal
        self._journal_keeper: Address | None = None
        self.takes_notes = journal is not None and journal.level >= Level.NOTES
        self._traces = journal is not None and journal.level >= Level.ALL

    # --- what roles ask -----------------------------------------------------------------------

    now_ns = staticmethod(time.monotonic_ns)

    def call_later(self, delay_ns: int, action: Callable[[], None]) -> HeapTimer:
        if delay_ns <= 0:
            timer = HeapTimer(action, self.timers)
            self._turn.append(timer)
        else:
            timer = self.timers.add(time.monotonic_ns() + delay_ns, action)
        if self.asleep:
            self.poller.wake()  # It may sleep past this timer.
        return timer

    def send(self, to: Address, message: Message) -> None:
        if self._traces:
            self._trace("send", to, message)
        if to.worker_id == self.address.worker_id:
            self._own.append(message)
        else:
            self.transport.send(to, message)

    def rng(self, purpose: str) -> Random:
        stream = self._streams.get(purpose)
        if stream is None:
            label = f"{self._seed}/{self.name}/{purpose}"
            stream = self._streams[purpose] = random.Random(label)
        return stream

    def note_for(self, keeper: Address | None) -> None:
        """The process that keeps the journal, when this one does not."""
        self._journal_keeper = keeper
        self.takes_notes = self.takes_notes or keeper is not None

    def note(self, note: Note) -> None:
        if self._journal is not None and self._journal.level:
            self._journal.write(time.monotonic_ns(), self.name, "note", note)
        elif self._journal_keeper is not None:
            self.send(self._journal_keeper, noted(self.name, note))

    def buggify(self, place: str) -> bool:
        return False

    # --- the loop -----------------------------------------------------------------------------

    def attach(self, process: Process) -> None:
        """The roles of this process; nothing arrives before."""
        self.process = process
        process.handlers[Disturbed] = self._on_disturbed  # In every process, beside all roles.

    def obey(self, rules: Sequence[LinkRule]) -> None:
        """From now on these hold for what arrives here, and no others."""
        transport = self.transport
        if transport.disturbance is None:
            if not rules:
                return
            from raysim_cluster.disturbance import Disturbance  # Only where faults are.

            transport.disturb(Disturbance(self, self._deliver))
        assert transport.disturbance is not None
        transport.disturbance.obey(rules, transport.links())

    def _on_disturbed(self, sender: Address, disturbed: Disturbed) -> None:
        self.obey(disturbed.rules)
        if disturbed.order:
            self.send(sender, Obeyed(disturbed.order))

    def sleep_ns(self, limit_ns: int | None) -> int:
        """How long the poller may wait: until the first timer, at most `limit_ns`; -1 without end."""
        if self._turn:
            return 0
        due = self.timers.next_ns()
        if due is None:
            return -1 if limit_ns is None else limit_ns
        until = max(0, due - time.monotonic_ns())
        return until if limit_ns is None else min(until, limit_ns)

    def dispatch(self, events: list[tuple[int, int]]) -> None:
        """Handle what the poller found, then what is due."""
        self.poller.handle(events)
        timers = self.timers
        if timers.next_ns() is None:
            return
        now = time.monotonic_ns()
        while (action := timers.due(now)) is not None:
            action()

    def settle(self) -> None:
        """End a turn: until nothing is left to do, to say or to be told."""
        transport = self.transport
        while True:
            while self._own or self._turn:
                self._end_turn()
                own, self._own = self._own, []
                if own:
                    # First what others wait for: they go on meanwhile.
                    transport.flush()
                    self._deliver(self.address, own)
            transport.flush()
            if transport.lost:
                lost, transport.lost = transport.lost, []
                for peer in lost:
                    self._report_lost(peer)
            elif not (self._own or self._turn or transport.unsent):
                return

    def _end_turn(self) -> None:
        turn, self._turn = self._turn, []
        for timer in turn:
            action, timer.action = timer.action, None
            if action is not None:
                action()

    def drain(self, limit_ns: int) -> None:
        """Wait until what was sent has left, at most so long."""
        end = time.monotonic_ns() + limit_ns
        self.transport.flush()
        while not self.transport.idle() and time.monotonic_ns() < end:
            self.poller.handle(self.poller.wait(end - time.monotonic_ns()))

    def close(self) -> None:
        self.transport.close()
        self.poller.close()

    def _deliver(self, sender: Address, messages: list[Message]) -> None:
        process = self.process
        if process is None:
            return
        if self._traces:
            for message in messages:
                self._trace("deliver", sender, message)
        receive = process.receive
        for message in messages:
            receive(sender, message)

    def _report_lost(self, peer: Address) -> None:
        if peer.worker_id not in self._lost_before:
            self._lost_before[peer.worker_id] = None
            if len(self._lost_before) > _LOST_KNOWN:
                del self._lost_before[next(iter(self._lost_before))]
            self._lost(peer)
        else:
            # A role that answers a loss by sending to the lost one again must not spin here.
            self.call_later(_TELL_AGAIN_NS, lambda: self._lost(peer))

    def _lost(self, peer: Address) -> None:
        if self.process is not None:
            self.process.peer_lost(peer)

    def _trace(self, kind: str, peer: Address, message: Message) -> None:
        assert self._journal is not None
        self._journal.write(time.monotonic_ns(), self.name, kind, (peer.worker_id, message))

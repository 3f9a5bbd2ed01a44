"""Calls on their way to actors: each at once, or with those that follow it. Never which call may go, nor when."""

from raysim.protocol.host import Host
from raysim.protocol.messages import PushActorCalls
from raysim.protocol.owner.actor_clients import ActorClient
from raysim.protocol.owner.leases import BURST, SEND_AFTER_NS, SEND_AT
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.ids import ActorId


class ActorBatches:
    """Of one caller."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._dirty: dict[ActorId, ActorClient] = {}
        self.gathering: dict[ActorId, ActorClient] = {}
        """Those that are sent no call by itself for now: calls come one soon after the other."""
        self._flush_timer = False

    def add(self, actor: ActorClient, record: TaskRecord, now_ns: int) -> None:
        """The next call of this actor, which is connected. If it is not sent now, it leaves with `flush`, or a
        little later by itself."""
        call, outbox, in_flight = record.call, actor.outbox, actor.in_flight
        call.sequence = actor.next_sequence
        actor.next_sequence += 1
        record.running = True
        record.pushed_ns = now_ns
        at_once = not in_flight and not self._gathers(actor, now_ns)
        in_flight[call.task_id] = record
        outbox.append(record)
        if at_once or len(outbox) >= SEND_AT:
            self._send(actor)
        elif len(outbox) == 1:
            self._dirty[actor.actor_id] = actor
            self._flush_soon()

    def flush(self) -> None:
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            for actor in dirty.values():
                if actor.outbox and actor.connected:
                    self._send(actor)
        if self.gathering:
            self.gathering = {}

    def _gathers(self, actor: ActorClient, now_ns: int) -> bool:
        """Whether an actor that has nothing to do is sent this call with those that follow (see `leases.BURST`)."""
        if actor.actor_id in self.gathering:
            return True
        if now_ns - actor.burst_since_ns > SEND_AFTER_NS:
            actor.burst_since_ns, actor.burst = now_ns, 0
        actor.burst += 1
        if actor.burst > BURST:
            self.gathering[actor.actor_id] = actor
            return True
        return False

    def _send(self, actor: ActorClient) -> None:
        assert actor.info is not None
        calls = [record.call for record in actor.outbox]
        actor.outbox = []
        push = PushActorCalls(actor.actor_id, actor.info.incarnation, calls)
        self._host.send(actor.info.address, push)

    def _flush_soon(self) -> None:
        if not self._flush_timer:
            self._flush_timer = True
            self._host.call_later(SEND_AFTER_NS, self._flush_late)

    def _flush_late(self) -> None:
        self._flush_timer = False
        still_coming = {one: self._dirty[one] for one in self.gathering if one in self._dirty}
        self.flush()
        if still_coming:
            self.gathering = still_coming
            self._flush_soon()

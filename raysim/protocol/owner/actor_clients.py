"""The actors that this process calls, and what the GCS says of them. Never a call: see actor_calls."""

from collections import deque
from collections.abc import Callable
from functools import partial

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import SubscribeActor
from raysim.protocol.owner.leases import SEND_AFTER_NS
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.actor import ActorInfo, ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ActorId, NodeId, TaskId, WorkerId


class ActorClient(msgspec.Struct):
    """One actor as this caller sees it."""

    actor_id: ActorId
    info: ActorInfo | None = None
    queue: deque[TaskRecord] = msgspec.field(default_factory=deque)
    """Not sent yet, in the order of the calls."""
    in_flight: dict[TaskId, TaskRecord] = {}
    outbox: list[TaskRecord] = []
    next_sequence: int = 0
    burst: int = 0
    burst_since_ns: int = -SEND_AFTER_NS - 1
    """Calls that found it with nothing to do since then, one soon after the other."""
    some_out_of_turn: bool = False
    """Calls that are made again may be in `queue`."""
    some_in_groups: bool = False
    """Calls of concurrency groups that have a name may be in `queue`."""
    connected: bool = False
    """The incarnation in `info` is alive as far as is known, and takes calls."""
    timer: Timer | None = None
    when_idle: Callable[[], None] | None = None
    lost_incarnation: int = -1
    """The incarnation whose process this caller saw go."""

    @property
    def is_dead(self) -> bool:
        return self.info is not None and self.info.state == ActorState.DEAD

    @property
    def address(self) -> Address:
        return self.info.address if self.info is not None else NOWHERE

    def put_back(self, record: TaskRecord) -> None:
        """In front of what was not sent yet."""
        self.queue.appendleft(record)
        if record.call.out_of_turn:
            self.some_out_of_turn = True

    def overtake(self) -> None:
        """The actor keeps no order: the calls that are ready go before those that wait."""
        queue = self.queue
        if any(record.missing for record in queue):
            self._reorder(
                [record for record in queue if not record.missing],
                [record for record in queue if record.missing],
            )

    def let_pass(self) -> None:
        """Those out of turn that are ready go first: what is ahead of them may wait for what they return."""
        queue = self.queue
        ready = [record for record in queue if record.call.out_of_turn and not record.missing]
        if ready:
            others = [record for record in queue if record.missing or not record.call.out_of_turn]
            self._reorder(ready, others)
        else:
            self.some_out_of_turn = any(record.call.out_of_turn for record in queue)

    def part_groups(self) -> None:
        """What waits holds up the calls of its own concurrency group only (Ray: a queue for each)."""
        queue = self.queue
        if not queue or not queue[0].missing:
            return
        free: list[TaskRecord] = []
        held: dict[str, None] = {}
        others: list[TaskRecord] = []
        for record in queue:
            if record.missing and not record.cancelled:
                held[record.call.group] = None
            (others if record.call.group in held else free).append(record)
        self._reorder(free, others)

    def _reorder(self, first: list[TaskRecord], then: list[TaskRecord]) -> None:
        """In place: a call that fails lets those that wait for it go while the queue is gone through."""
        self.queue.clear()
        self.queue += first + then

    def head(self, group: str) -> TaskRecord | None:
        """Of the calls of a concurrency group that were not sent yet, the first."""
        return next((record for record in self.queue if record.call.group == group), None)

    def sent(self) -> list[TaskRecord]:
        """What has no result yet, in the order in which it was sent."""
        return sorted(self.in_flight.values(), key=lambda record: record.call.sequence)


class ActorClients:
    """`owner_of`: who made an actor. Should that process die first, the GCS never hears of the actor."""

    def __init__(self, host: Host, gcs: Address, owner_of: Callable[[ActorId], Address]) -> None:
        self._host = host
        self._gcs = gcs
        self._owner_of = owner_of
        self._actors: dict[ActorId, ActorClient] = {}
        self._by_worker: dict[WorkerId, ActorClient] = {}
        self._watchers: dict[ActorId, dict[TaskId, Callable[[ActorInfo], None]]] = {}

    def of(self, actor_id: ActorId, subscribe: bool = True) -> ActorClient:
        """The actor's client; asks the GCS to be told of its state the first time."""
        found = self._actors.get(actor_id)
        if found is None:
            found = self._actors[actor_id] = ActorClient(actor_id)
            if subscribe:
                self.subscribe(found)
        return found

    def known(self, actor_id: ActorId) -> ActorClient | None:
        return self._actors.get(actor_id)

    def forget(self, actor_id: ActorId) -> None:
        """It is dead, and the counted handles are gone. Who finds another one asks the GCS anew."""
        actor = self._actors.get(actor_id)
        if actor is not None and not actor.in_flight and not actor.queue:
            if actor.timer is not None:
                actor.timer.cancel()
            del self._actors[actor_id]

    # What the GCS says.

    def subscribe(self, actor: ActorClient) -> None:
        """Ask until the GCS answers: calls wait for it."""
        self._host.send(self._gcs, SubscribeActor(actor.actor_id, self._owner_of(actor.actor_id)))
        self.subscribe_later(actor)

    def subscribe_later(self, actor: ActorClient) -> None:
        retry_ns = self._host.config.request_retry_ns
        actor.timer = self._host.call_later(retry_ns, partial(self.subscribe, actor))

    def gcs_lost(self) -> None:
        """It remembers actors, and not who wants to hear of them: tell it again, once it is back."""
        for actor in self._actors.values():
            if actor.timer is None and not actor.is_dead:
                self.subscribe_later(actor)

    def answered(self, info: ActorInfo) -> ActorClient | None:
        """Whom the GCS tells of. None: nobody here can call it any more, or newer news is known."""
        actor = self._actors.get(info.actor_id)
        if actor is None:
            return None
        if actor.timer is not None:
            actor.timer.cancel()
            actor.timer = None
        known = actor.info
        return actor if known is None or info.version >= known.version else None

    # Where they are.

    def connect(self, actor: ActorClient) -> None:
        actor.connected = True
        self._by_worker[actor.address.worker_id] = actor

    def disconnect(self, actor: ActorClient) -> None:
        actor.connected = False
        self._by_worker.pop(actor.address.worker_id, None)

    def at(self, worker: Address) -> ActorClient | None:
        return self._by_worker.get(worker.worker_id)

    def on_node(self, node_id: NodeId) -> list[ActorClient]:
        return [one for one in self._by_worker.values() if one.address.node_id == node_id]

    # Who else wants to hear of them.

    def watch(self, actor_id: ActorId, who: TaskId, changed: Callable[[ActorInfo], None]) -> None:
        """Run `changed` with the actor's state, as far as it is known, and whenever the GCS says more."""
        self._watchers.setdefault(actor_id, {})[who] = changed
        info = self.of(actor_id).info
        if info is not None:
            changed(info)

    def unwatch(self, actor_id: ActorId, who: TaskId) -> None:
        watchers = self._watchers.get(actor_id, {})
        watchers.pop(who, None)
        if not watchers:
            self._watchers.pop(actor_id, None)

    def tell_watchers(self, info: ActorInfo) -> None:
        for changed in list(self._watchers.get(info.actor_id, {}).values()):
            changed(info)


def died(info: ActorInfo) -> Failure:
    """Of a call to an actor that is no more."""
    if info.death is not None:
        return info.death
    text = f"Actor {info.class_name} ({info.actor_id.hex()[:8]}) is dead."
    return Failure(FailureKind.ACTOR_DIED, text, info.actor_id)


def unavailable(info: ActorInfo, what: str) -> Failure:
    """Of a call to an actor that is not there now."""
    text = (
        f"Actor {info.class_name} ({info.actor_id.hex()[:8]}) {what}. Set max_task_retries if its"
        " calls may run twice."
    )
    return Failure(FailureKind.ACTOR_UNAVAILABLE, text, info.actor_id)

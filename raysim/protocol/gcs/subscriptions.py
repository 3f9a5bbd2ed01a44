"""Who is told of which actor's changes. Never what an actor's state is."""

from collections.abc import Callable

from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.messages import ActorChanged
from raysim.spec.actor import ActorInfo
from raysim.spec.address import NOWHERE, Address
from raysim.spec.ids import ActorId, NodeId, WorkerId


class Subscriptions:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._subscribers: dict[ActorId, dict[WorkerId, Address]] = {}
        self._watched: dict[WorkerId, dict[ActorId, None]] = {}
        self._awaited: dict[ActorId, Address] = {}
        """Subscribed to, not created yet, and who is to create it: a handle travels from process
        to process while the constructor's arguments are still being made."""

    def add(self, actor_id: ActorId, process: Address) -> None:
        self._subscribers.setdefault(actor_id, {})[process.worker_id] = process
        self._watched.setdefault(process.worker_id, {})[actor_id] = None

    def wait_for(self, actor_id: ActorId, process: Address, creator: Address) -> None:
        """Nobody has created this actor yet."""
        self.add(actor_id, process)
        if creator != NOWHERE or actor_id not in self._awaited:
            self._awaited[actor_id] = creator

    def created(self, actor_id: ActorId) -> None:
        self._awaited.pop(actor_id, None)

    def awaited(self, hopeless: Callable[[ActorId, Address], bool]) -> list[ActorId]:
        """Those of which `hopeless(actor, creator)` says that they will never be created."""
        return [actor for actor, creator in self._awaited.items() if hopeless(actor, creator)]

    def publish(self, info: ActorInfo) -> None:
        subscribers = self._subscribers.get(info.actor_id)
        if subscribers:
            message = ActorChanged(info)
            for process in subscribers.values():
                self._outbox.send(process, message)

    def close(self, actor_id: ActorId) -> None:
        """Nothing will change any more."""
        self._awaited.pop(actor_id, None)
        for process in self._subscribers.pop(actor_id, ()):
            watched = self._watched[process]
            del watched[actor_id]
            if not watched:
                del self._watched[process]

    def process_gone(self, process: WorkerId) -> None:
        for actor_id in self._watched.pop(process, ()):
            subscribers = self._subscribers[actor_id]
            del subscribers[process]
            if not subscribers:
                del self._subscribers[actor_id]

    def node_gone(self, node_id: NodeId) -> None:
        gone = {
            process: None
            for subscribers in self._subscribers.values()
            for process, address in subscribers.items()
            if address.node_id == node_id
        }
        for process in gone:
            self.process_gone(process)

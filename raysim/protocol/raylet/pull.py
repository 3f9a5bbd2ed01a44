"""One object on its way here, and the nodes that parts are asked of. Never sends: see pulls."""

from raysim.protocol.host import Timer
from raysim.protocol.messages import FetchObject, FetchReason
from raysim.protocol.raylet.room import Waiting
from raysim.protocol.raylet.wanted import Wanted
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, ObjectId


class Pull(Wanted):
    """Shared by all who want the object. Offsets and sizes in bytes."""

    __slots__ = (
        "asked",
        "handle",
        "holder",
        "holders",
        "keep_for",
        "missing_on",
        "object_id",
        "owner",
        "reason",
        "size",
        "start_ns",
        "timer",
        "to_ask",
        "waited",
        "waiting",
    )

    def __init__(self, wanted: FetchObject, reason: FetchReason, start_ns: int) -> None:
        super().__init__()
        self.object_id: ObjectId = wanted.object_id
        self.size = wanted.size
        self.owner = wanted.owner
        self.reason = reason
        self.start_ns = start_ns
        self.holders: list[Address] = []
        """Not asked yet, in order."""
        self.holder: Address | None = None
        self.missing_on: list[NodeId] = []
        self.handle = -1
        self.to_ask: list[int] = []
        """Offsets of the parts to ask for, the next one last."""
        self.asked: dict[int, None] = {}
        """Offsets of the parts under way."""
        self.keep_for: Address | None = None
        """A raylet that is to go: the copy is to be kept in place of its own."""
        self.waiting: Waiting | None = None
        """For room in the store."""
        self.timer: Timer | None = None
        """For a seal that the request may have overtaken."""
        self.waited = False
        """Such a wait is over, or was needless."""

    @property
    def unwanted(self) -> bool:
        return not self.wanted_by and self.keep_for is None

    def plan(self, handle: int, chunk_bytes: int) -> None:
        """There is room: all parts are to be asked for."""
        self.handle = handle
        self.to_ask = list(range(0, max(self.size, 1), chunk_bytes))
        self.to_ask.reverse()

    def missing(self, holder: Address) -> None:
        """It does not have the object, or is lost."""
        if holder.node_id not in self.missing_on:
            self.missing_on.append(holder.node_id)

    def stop_asking(self) -> None:
        """What is under way is to be asked for again, in the same order."""
        if self.asked:
            self.to_ask = sorted((*self.to_ask, *self.asked), reverse=True)
            self.asked = {}
        self.holder = None


class Source:
    """A node that parts are asked of: so many at a time, by reason, then first come first served."""

    __slots__ = ("asked", "queues")

    def __init__(self) -> None:
        self.asked = 0
        """Parts under way from there."""
        self.queues: tuple[dict[ObjectId, Pull], ...] = tuple({} for _ in FetchReason)
        """By reason: those with parts to ask for."""

    def add(self, pull: Pull) -> None:
        self.queues[pull.reason][pull.object_id] = pull

    def remove(self, pull: Pull) -> None:
        self.queues[pull.reason].pop(pull.object_id, None)
        self.asked -= len(pull.asked)

    def next(self, ahead: int) -> Pull | None:
        """The first with a part to ask for and fewer than `ahead` under way."""
        for queue in self.queues:
            for pull in queue.values():
                if len(pull.asked) < ahead:
                    return pull
        return None

"""One actor's part of one compiled graph: what it runs in each pass, and how far it is. Never decides: see compiled."""

from collections import deque
from collections.abc import Callable

import msgspec

from raysim.protocol.executor.arguments import QueuedCall
from raysim.protocol.host import Inbox, Outlet, RunnableTask
from raysim.protocol.messages import ChannelWrite, GraphStep
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, IdSource, TaskId, WorkerId


class Part(msgspec.Struct):
    """What one graph has this actor do, and how far it is."""

    graph_id: TaskId
    actor_id: ActorId
    driver: Address
    steps: list[GraphStep]
    ids: list[IdSource]
    """Of each step: where its calls have their ids from."""
    last: dict[int, int]
    """Of each channel that is read here: the last step of a pass that reads it."""
    inbox: Inbox | None = None
    """Its methods run in turns, then."""
    outlets: dict[WorkerId, Outlet] = {}
    number: int = 0
    """Of the pass under way."""
    at: int = 0
    """The step that runs, or comes next."""
    queued: QueuedCall | None = None
    """It runs, or waits for large arguments, for its turn, or for its results to be written."""
    task: RunnableTask | None = None
    """What the next turn runs."""
    unwritten: int = 0
    """Results of the step that are not copied yet."""
    closed: bool = False
    arrived: dict[int, dict[int, tuple[Address, ChannelWrite]]] = {}
    """By pass and channel."""
    posted: deque[Callable[[], None]] = msgspec.field(default_factory=deque)
    """For the thread that takes the turns."""

    def do(self, action: Callable[[], None]) -> None:
        """Where the part belongs to a thread, that does it."""
        if self.inbox is None:
            action()
        else:
            self.posted.append(action)
            self.inbox.ring()

"""One actor's part of one compiled graph: what it runs in each pass, and how far it is. Never decides: see compiled."""

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import msgspec

from raysim.protocol.executor.arguments import QueuedCall
from raysim.protocol.host import Inbox, Outlet, RunnableTask
from raysim.protocol.messages import ChannelWrite, GraphStep
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, IdSource, TaskId, WorkerId

PassValues: TypeAlias = dict[int, tuple[Address, ChannelWrite]]
"""What has come for one pass, by channel, and from whom."""


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
    busy: bool = False
    """The step runs, or waits for large arguments, for its turn, or for its results to be written."""
    queued: QueuedCall | None = None
    """The step, where it needs more than a turn: large arguments, or to be run as a call."""
    task: RunnableTask | None = None
    """What the next turn runs."""
    unwritten: int = 0
    """Results of the step that are not copied yet."""
    closed: bool = False
    arrived: dict[int, PassValues] = {}
    """By pass."""
    posted: deque[Callable[[], None]] = msgspec.field(default_factory=deque)
    """For the thread that takes the turns."""

    def do(self, action: Callable[[], None]) -> None:
        """Where the part belongs to a thread, that does it."""
        if self.inbox is None:
            action()
        else:
            self.posted.append(action)
            self.inbox.ring()

"""Actors whose node drains, on their way to another. Never where that is: see actor_scheduler.

Its callers are told, and send nothing more; a little later it is told to run what it has, and to end. Then it restarts
as any actor does, with its next incarnation, and what waited goes there.
"""

from collections.abc import Callable
from functools import partial

from raysim.protocol.gcs.actor_records import Actor, Process
from raysim.protocol.gcs.outbox import Outbox
from raysim.spec.actor import ActorState


class ActorMoves:
    def __init__(
        self,
        outbox: Outbox,
        kill: Callable[[Process, str], None],
        changed: Callable[[Actor], None],
        terminate: Callable[[Actor, Process, bool], None],
    ) -> None:
        self._outbox = outbox
        self._notice_ns = outbox.host.config.actor_move_notice_ns
        self._kill = kill
        self._changed = changed
        self._terminate = terminate

    def begin(self, actor: Actor, process: Process, reason: str) -> None:
        if actor.moving or actor.ending is not None or not actor.may_restart():
            return
        actor.moving = True
        if actor.state is not ActorState.ALIVE:
            self._kill(process, reason)  # Of its constructor nobody has seen anything.
            return
        self._changed(actor)
        # A call that leaves before the word arrives still comes in time.
        self._outbox.call_later(self._notice_ns, partial(self._end, actor, process))

    def _end(self, actor: Actor, process: Process) -> None:
        if actor.process is process and actor.moving and actor.ending is None:
            self._terminate(actor, process, True)

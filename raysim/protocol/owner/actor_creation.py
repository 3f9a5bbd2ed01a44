"""Actors that this process made: registers them, keeps their arguments, ends them when out of scope.

Never calls them: see actor_calls.py.
"""

from collections.abc import Callable, Iterable, Sequence

import msgspec

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import (
    ActorOutOfScope,
    ActorRefused,
    ActorRegistered,
    ContainedRef,
    CreateActor,
    KillActor,
)
from raysim.protocol.messages.state import TaskSeen
from raysim.protocol.owner.actor_calls import ActorCalls
from raysim.protocol.owner.call_arguments import Arguments
from raysim.protocol.owner.history import USER_ERROR, History, error_type
from raysim.protocol.owner.objects import ObjectTable
from raysim.protocol.owner.records import TaskRecord
from raysim.spec.actor import ActorInfo, ActorSpec, ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import (
    NIL_TASK,
    ActorId,
    TaskId,
    actor_creation_task,
    actor_handle_object,
)
from raysim.spec.task import TaskCall, group_of

Answer = Callable[[Failure | None], None]


class Creation(msgspec.Struct):
    """An actor that was asked for; `record` holds its constructor's arguments."""

    spec: ActorSpec
    record: TaskRecord
    answer: Answer | None
    asked: bool = False
    """The GCS may know of it: before that, it ends here."""
    ready: bool = False
    """Its arguments are."""
    failure: Failure | None = None
    """Of an argument: it will never be."""
    timer: Timer | None = None
    leaving: Timer | None = None
    """Nobody has a handle any more, and the GCS is told so again and again."""
    holds_arguments: bool = True
    incarnation: int = 0
    starting: bool = True
    """The constructor of this incarnation has not returned, as far as is known here."""


class ActorCreation:
    def __init__(
        self, host: Host, objects: ObjectTable, calls: ActorCalls, history: History, gcs: Address
    ) -> None:
        self._host = host
        self._objects = objects
        self._calls = calls
        self._history = history
        self._gcs = gcs
        self._arguments = Arguments(objects)
        self._made: dict[ActorId, Creation] = {}

    def create(
        self,
        spec: ActorSpec,
        nested: Sequence[ContainedRef],
        answer: Answer,
        parent: TaskId = NIL_TASK,
    ) -> None:
        """Register the actor once its arguments are ready; `answer` hears whether its name was free.

        A name is taken at once: the caller waits for the answer, not for the arguments.
        """
        call = TaskCall(actor_creation_task(spec.actor_id), 0, spec.args, list(spec.refs))
        record = TaskRecord(call, None, spec.class_name, 0, nested, self._host.now_ns())
        record.parent, record.hidden = parent, spec.hidden
        made = self._made[spec.actor_id] = Creation(spec, record, answer)
        self._arguments.hold(record)
        if not spec.detached:
            handle = actor_handle_object(spec.actor_id)
            self._objects.create(handle)
            self._objects.on_out_of_scope[handle] = lambda: self._out_of_scope(spec.actor_id)
        self._calls.clients.of(spec.actor_id, subscribe=False)
        self._arguments.wait(record, lambda: self._register(made))
        if spec.name and not made.ready and spec.actor_id in self._made:
            self._ask(made)

    def unready(self, actor_id: ActorId) -> TaskRecord | None:
        """The constructor's call, while its arguments are not ready."""
        made = self._made.get(actor_id)
        return None if made is None or made.ready else made.record

    def made(self) -> Iterable[Creation]:
        """The actors of this process that are not dead."""
        return self._made.values()

    def class_name(self, actor_id: ActorId) -> str:
        made = self._made.get(actor_id)
        return "" if made is None else made.spec.class_name

    def _register(self, made: Creation) -> None:
        if self._made.get(made.spec.actor_id) is not made:
            return  # Killed, or out of scope, while it waited for its arguments.
        broken = self._arguments.fill(made.record)
        if broken is not None:
            failure = broken.failure or Failure(
                FailureKind.ACTOR_DIED,
                f"Actor {made.spec.class_name} was not made: an argument of its constructor failed.",
                made.spec.actor_id,
                init_failed=True,
                payload=broken.payload,
            )
            if not made.asked:
                self._refuse(made, failure, tell_caller=False)
                return
            made.failure = failure  # Others may know its name, and wait for it.
        made.spec = msgspec.structs.replace(made.spec, refs=made.record.call.refs)
        made.ready = True
        self._ask(made)

    def _ask(self, made: Creation) -> None:
        self._stop_asking(made)
        made.asked = True
        self._host.send(self._gcs, CreateActor(made.spec, made.ready, made.failure))
        made.timer = self._host.call_later(
            self._host.config.request_retry_ns, lambda: self._ask(made)
        )

    def _stop_asking(self, made: Creation) -> None:
        if made.timer is not None:
            made.timer.cancel()
            made.timer = None

    def _answered(self, made: Creation, failure: Failure | None) -> None:
        answer, made.answer = made.answer, None
        if answer is not None:
            answer(failure)

    def on_registered(self, sender: Address, registered: ActorRegistered) -> None:
        made = self._made.get(registered.actor_id)
        if made is None:
            return
        if registered.ready == made.ready:
            self._stop_asking(made)  # Else a late answer to the first question.
        self._answered(made, None)

    def on_refused(self, sender: Address, refused: ActorRefused) -> None:
        made = self._made.get(refused.actor_id)
        if made is not None:
            self._refuse(made, refused.failure, tell_caller=True)

    def _refuse(self, made: Creation, failure: Failure, tell_caller: bool) -> None:
        self._stop_asking(made)
        self._answered(made, failure if tell_caller else None)
        if failure.kind is not FailureKind.ACTOR_NAME_TAKEN:
            self._remember(made, failure)
        self._calls.refuse(made.spec.actor_id, failure)
        self._end(made)

    def on_changed(self, info: ActorInfo) -> None:
        made = self._made.get(info.actor_id)
        if made is None:
            return
        if made.ready and info.state is not ActorState.DEPENDENCIES_UNREADY:
            self._stop_asking(made)
        self._answered(made, None)
        if info.incarnation > made.incarnation:
            made.incarnation, made.starting = info.incarnation, True
        if info.state == ActorState.DEAD:
            self._remember(made, info.death, info.address)
            self._end(made)
        elif info.state == ActorState.ALIVE:
            self._remember(made, None, info.address)
            if made.spec.max_restarts == 0:
                self._release(made)  # The constructor will not run again.

    def _remember(self, made: Creation, failure: Failure | None, worker: Address = NOWHERE) -> None:
        """The constructor of this incarnation returned, or never will."""
        if not made.starting:
            return
        made.starting = False
        if not made.record.hidden:
            row = constructor_row(made, "FAILED" if failure is not None else "FINISHED")
            row.end_ns = self._host.now_ns()
            row.worker = worker
            if failure is not None:
                row.error = USER_ERROR if failure.init_failed else error_type(failure)
                row.text, row.payload = failure.text, failure.payload or b""
            self._history.add_row(row)

    def _release(self, made: Creation) -> None:
        if made.holds_arguments:
            made.holds_arguments = False
            self._arguments.release(made.record)

    def _end(self, made: Creation) -> None:
        self._stop_asking(made)
        if made.leaving is not None:
            made.leaving.cancel()
            made.leaving = None
        self._release(made)
        self._made.pop(made.spec.actor_id, None)
        actor_id, out_of_scope = made.spec.actor_id, self._objects.on_out_of_scope
        handle = actor_handle_object(actor_id)
        if handle in out_of_scope:
            out_of_scope[handle] = lambda: self._calls.clients.forget(actor_id)
        else:
            self._calls.clients.forget(actor_id)

    def kill(self, actor_id: ActorId, no_restart: bool) -> None:
        """Now, whatever it does. What was gathered for it goes first: it was called before the kill."""
        self._calls.flush()
        made = self._made.get(actor_id)
        if made is not None and not made.asked:
            text = f"Actor {made.spec.class_name} ({actor_id.hex()[:8]}) was killed before it was made."
            self._refuse(made, Failure(FailureKind.ACTOR_DIED, text, actor_id), tell_caller=False)
            return
        self._host.send(self._gcs, KillActor(actor_id, no_restart))

    def _out_of_scope(self, actor_id: ActorId) -> None:
        self._calls.when_idle(actor_id, lambda: self._no_handle(actor_id))

    def _no_handle(self, actor_id: ActorId) -> None:
        made = self._made.get(actor_id)
        if made is not None and not made.asked:
            self._end(made)  # Nobody will ever call it.
        elif made is not None:
            self._leave(made)

    def _leave(self, made: Creation) -> None:
        """Until it is known to be dead: the GCS may have been away when it was told."""
        self._host.send(self._gcs, ActorOutOfScope(made.spec.actor_id))
        made.leaving = self._host.call_later(
            self._host.config.request_retry_ns, lambda: self._leave(made)
        )


def constructor_row(made: Creation, state: str) -> TaskSeen:
    """An actor's constructor as a task, which it is in Ray."""
    spec, record = made.spec, made.record
    function = f"{spec.class_name}.__init__"
    return TaskSeen(
        record.call.task_id,
        made.incarnation,
        f"{spec.name}:{function}" if spec.name else function,
        function,
        state,
        record.parent,
        record.submitted_ns,
        need=spec.lifetime,
        group_id=group_of(spec.strategy),
        selectors=spec.selectors,
        runtime_env=spec.runtime_env,
    )

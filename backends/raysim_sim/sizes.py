"""How many bytes a message takes on the wire, by estimate. Never encodes one: that costs too much."""

from collections.abc import Callable, Iterable
from typing import Any, Final

from raysim.protocol.messages import (
    ActorChanged,
    ActorStarted,
    ChannelWrite,
    CreateActor,
    Message,
    ObjectChunk,
    ObjectsResolved,
    OpenGraph,
    PushActorCalls,
    PushTasks,
    StartActor,
    TasksDone,
)
from raysim.spec.actor import ActorSpec
from raysim.spec.task import TaskArg, TaskCall

SMALL_BYTES: Final = 64 * 1024
"""Up to which a message has its bandwidth to itself. Ours: 52 us at 10 Gbit/s, less than the latency."""

ENVELOPE_BYTES: Final = 128
"""Of a message, or of one entry in a plural one, besides user data. Measured over the messages of a run."""


def _len(data: bytes | None) -> int:
    return 0 if data is None else len(data)


def _args(refs: Iterable[TaskArg]) -> int:
    return sum(ENVELOPE_BYTES + _len(ref.payload) for ref in refs)


def _calls(calls: Iterable[TaskCall]) -> int:
    size = 0
    for call in calls:
        size += ENVELOPE_BYTES + len(call.args)
        if call.refs:
            size += _args(call.refs)
    return size


def _push_tasks(message: PushTasks) -> int:
    return ENVELOPE_BYTES + _len(message.function) + _calls(message.calls)


def _push_actor_calls(message: PushActorCalls) -> int:
    return ENVELOPE_BYTES + _calls(message.calls)


def _tasks_done(message: TasksDone) -> int:
    size = ENVELOPE_BYTES
    for result in message.results:
        size += ENVELOPE_BYTES
        for returned in result.returns:
            if returned.payload is not None:
                # A synthetic value that travels inline has a size, and no bytes.
                size += max(returned.size, len(returned.payload))
    return size


def _objects_resolved(message: ObjectsResolved) -> int:
    return sum(ENVELOPE_BYTES + _len(status.payload) for status in message.objects)


def _object_chunk(message: ObjectChunk) -> int:
    return ENVELOPE_BYTES + message.length


def _actor(spec: ActorSpec) -> int:
    return ENVELOPE_BYTES + len(spec.class_payload) + len(spec.args) + _args(spec.refs)


def _open_graph(message: OpenGraph) -> int:
    return ENVELOPE_BYTES + sum(ENVELOPE_BYTES + len(step.args) for step in message.steps)


def _channel_write(message: ChannelWrite) -> int:
    return ENVELOPE_BYTES + _len(message.payload)


def _create_actor(message: CreateActor) -> int:
    return _actor(message.spec)


def _start_actor(message: StartActor) -> int:
    return _actor(message.spec)


def _actor_started(message: ActorStarted) -> int:
    return ENVELOPE_BYTES + (_len(message.failure.payload) if message.failure else 0)


def _actor_changed(message: ActorChanged) -> int:
    death = message.info.death
    return ENVELOPE_BYTES + len(message.info.method_meta) + (_len(death.payload) if death else 0)


SIZES: Final[dict[type[Message], Callable[[Any], int]]] = {
    PushTasks: _push_tasks,
    PushActorCalls: _push_actor_calls,
    TasksDone: _tasks_done,
    ObjectsResolved: _objects_resolved,
    ObjectChunk: _object_chunk,
    OpenGraph: _open_graph,
    ChannelWrite: _channel_write,
    CreateActor: _create_actor,
    StartActor: _start_actor,
    ActorStarted: _actor_started,
    ActorChanged: _actor_changed,
}
"""How to measure those that may be long; the others are an envelope."""

"""Actors and the GCS, which registers, places and restarts them."""

from raysim.protocol.messages.base import Message
from raysim.spec.actor import ActorInfo, ActorSpec
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId
from raysim.spec.resources import Accelerators


class CreateActor(Message):
    """Owner to GCS: make this actor. Also subscribes the sender to it.

    Reply: ActorRegistered or ActorRefused. Lost: asked again; the actor id makes it idempotent.
    """

    spec: ActorSpec
    ready: bool = True
    """False: its name is taken from now on, and it is asked for again once its arguments are ready."""
    failure: Failure | None = None
    """One of its arguments failed: it will never be."""


class ActorRegistered(Message):
    """GCS to owner: it will be placed, started, and restarted as its options say.

    Lost: the owner asks again.
    """

    actor_id: ActorId
    ready: bool = True
    """As it was asked for."""


class ActorRefused(Message):
    """GCS to owner: no such actor will be (its name is taken).

    Lost: the owner asks again.
    """

    actor_id: ActorId
    failure: Failure


class SubscribeActor(Message):
    """Holder of a handle to GCS: tell me this actor's state now and whenever it changes.

    A handle may arrive before its actor is created (its constructor waits for arguments, say); the
    answer then waits for that, or for the end of `owner` or of the job.
    Reply: ActorChanged. Lost: asked again.
    """

    actor_id: ActorId
    owner: Address = NOWHERE
    """The actor's creator, if the holder knows it."""


class ActorChanged(Message):
    """GCS to subscribers: the actor is now so; `info.version` orders the changes.

    Lost: the subscriber asks again when a call stays unanswered and the connection is gone.
    """

    info: ActorInfo


class StartActor(Message):
    """GCS to leased worker: become this actor.

    Reply: ActorStarted. Lost: with the connection; the GCS leases another worker if restarts are
    left, since nobody can tell whether the constructor ran.
    """

    spec: ActorSpec
    incarnation: int
    accelerators: Accelerators = {}
    """The GPUs of the lease."""


class ActorStarted(Message):
    """Worker to GCS: the constructor returned, or raised (`failure`).

    Lost: with the connection; the GCS sees the worker gone.
    """

    actor_id: ActorId
    incarnation: int
    failure: Failure | None = None
    shown: str = ""
    """What the actor says of itself, where its class has a `__repr__`."""


class KillActor(Message):
    """Anyone to GCS, GCS on to the actor's raylet: end the process at once (Ray: `ray.kill`).

    Reply: none; ActorChanged follows. Lost: asked again by the user.
    """

    actor_id: ActorId
    no_restart: bool


class KillWorker(Message):
    """GCS to raylet: kill this process now.

    Reply: WorkerDied. Lost: the GCS asks again while the worker is known to live.
    """

    worker: Address
    reason: str


class ActorOutOfScope(Message):
    """Owner to GCS: nobody holds a handle any more; end it after its submitted calls.

    Reply: ActorChanged, once it is dead. Lost: told again until then.
    """

    actor_id: ActorId


class TerminateActor(Message):
    """GCS to actor: run the calls that have arrived, then exit.

    Reply: WorkerExiting to its raylet. Lost: the GCS kills the worker after a grace period.
    """

    actor_id: ActorId
    incarnation: int
    moves: bool = False
    """It starts elsewhere: its end is none of its own will."""


class GetNamedActor(Message):
    """Anyone to GCS: which actor has this name?

    Reply: NamedActor. Lost: asked again with the same number.
    """

    number: int
    name: str
    namespace: str


class ListNamedActors(Message):
    """Anyone to GCS: which names do living actors have? Of one namespace, or of all (None).

    Reply: NamedActors. Lost: asked again with the same number.
    """

    number: int
    namespace: str | None


class NamedActors(Message):
    """GCS: names and namespaces, in the order of the actors' creation.

    Lost: asked again.
    """

    number: int
    names: list[tuple[str, str]]


class NamedActor(Message):
    """GCS: the actor of that name, or none that lives.

    Lost: asked again.
    """

    number: int
    info: ActorInfo | None

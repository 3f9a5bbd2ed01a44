"""What the GCS knows of one actor and of its process. Never what follows from it: see actors."""

from raysim.protocol.gcs.tables import ActorRow
from raysim.spec.actor import ActorInfo, ActorSpec, ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId
from raysim.spec.resources import Accelerators


class Process:
    """A leased worker that is, or becomes, or was an actor. Known until it is gone for certain."""

    __slots__ = ("accelerators", "actor_id", "lease_id", "raylet", "worker")

    def __init__(
        self,
        actor_id: ActorId,
        lease_id: int,
        raylet: Address,
        worker: Address,
        accelerators: Accelerators,
    ) -> None:
        self.actor_id = actor_id
        self.lease_id = lease_id
        self.raylet = raylet
        self.worker = worker
        self.accelerators = accelerators


class Actor:
    """`number` counts creations, `incarnation` starts, `restarts` those that `max_restarts` limits,
    `version` what was published."""

    __slots__ = (
        "ending",
        "incarnation",
        "last",
        "moving",
        "number",
        "process",
        "restarts",
        "shown",
        "spec",
        "state",
        "version",
    )

    def __init__(
        self, spec: ActorSpec, number: int, state: ActorState = ActorState.PENDING_CREATION
    ) -> None:
        self.spec = spec
        self.number = number
        self.state = state
        self.incarnation = 0
        self.version = 0
        self.restarts = 0
        self.process: Process | None = None
        self.last = NOWHERE
        """The process that it is, or was."""
        self.shown = ""
        """What it says of itself."""
        self.moving = False
        """Its node drains, and it is to start elsewhere."""
        self.ending: Failure | None = None
        """Out of scope: what it dies of when its process ends."""

    def may_restart(self) -> bool:
        return self.spec.max_restarts < 0 or self.restarts < self.spec.max_restarts

    def info(self, death: Failure | None = None) -> ActorInfo:
        spec = self.spec
        address = NOWHERE
        if self.state is ActorState.ALIVE and self.process is not None:
            address = self.process.worker
        return ActorInfo(
            spec.actor_id,
            self.state,
            self.incarnation,
            self.version,
            address,
            spec.max_task_retries,
            spec.name,
            spec.namespace,
            spec.class_name,
            spec.owner,
            death,
            spec.method_meta,
            spec.out_of_order,
            spec.hidden,
            self.shown,
            self.moving,
        )

    def row(self, info: ActorInfo) -> ActorRow:
        process = self.process
        if process is None:
            return ActorRow(info, self.number, self.restarts, ending=self.ending)
        return ActorRow(
            info,
            self.number,
            self.restarts,
            process.worker,
            process.raylet,
            process.lease_id,
            self.ending,
            process.accelerators,
        )

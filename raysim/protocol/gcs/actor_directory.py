"""Which actors there are, by id, name and owner; and the latest dead ones. Never what becomes of one: see actors."""

from collections.abc import Iterable, Iterator

from raysim.protocol.gcs.actor_records import Actor
from raysim.protocol.gcs.tables import ActorRow, Tables
from raysim.spec.actor import ActorInfo, ActorSpec, ActorState
from raysim.spec.failure import FailureKind
from raysim.spec.ids import ActorId, WorkerId


class ActorDirectory:
    def __init__(self, tables: Tables, remembered: int) -> None:
        """`remembered`: dead ones, the latest."""
        self._tables = tables
        self._remembered = remembered
        self.live: dict[ActorId, Actor] = {}
        """In the order of their creation: an owner comes before what it created."""
        self._dead: dict[ActorId, ActorInfo] = {}
        self._names: dict[tuple[str, str], ActorId] = {}
        self._owned: dict[WorkerId, dict[ActorId, None]] = {}

    def add(self, actor: Actor) -> None:
        spec = actor.spec
        self.live[spec.actor_id] = actor
        if spec.name:
            self._names[spec.namespace, spec.name] = spec.actor_id
        if not spec.detached or actor.state is ActorState.DEPENDENCIES_UNREADY:
            self._owned.setdefault(spec.owner.worker_id, {})[spec.actor_id] = None

    def remove(self, spec: ActorSpec) -> None:
        """It is dead: its name is free."""
        del self.live[spec.actor_id]
        if spec.name:
            del self._names[spec.namespace, spec.name]
        self.disown(spec)

    def disown(self, spec: ActorSpec) -> None:
        """Its owner's end is not its end any more."""
        owned = self._owned.get(spec.owner.worker_id)
        if owned is not None:
            owned.pop(spec.actor_id, None)
            if not owned:
                del self._owned[spec.owner.worker_id]

    def remember(self, info: ActorInfo, row: ActorRow) -> None:
        """What a dead actor died of, for those who still ask."""
        self._tables.save_actor(row)
        self.load_dead(info)
        if len(self._dead) > self._remembered:
            oldest = next(iter(self._dead))
            del self._dead[oldest]
            self._tables.forget_actor(oldest)

    def load_dead(self, info: ActorInfo) -> None:
        self._dead[info.actor_id] = info

    # What is asked.

    def info(self, actor_id: ActorId) -> ActorInfo | None:
        """Of a living one, or of a dead one that is remembered."""
        actor = self.live.get(actor_id)
        return self._dead.get(actor_id) if actor is None else actor.info()

    def dead(self) -> Iterator[ActorInfo]:
        """Those that are remembered, and that were made: a name that was taken made none."""
        for info in self._dead.values():
            if info.death is None or info.death.kind is not FailureKind.ACTOR_NAME_TAKEN:
                yield info

    def named(self, namespace: str, name: str) -> ActorId | None:
        return self._names.get((namespace, name))

    def names(self, namespace: str | None) -> list[tuple[str, str]]:
        """Name and namespace; None: of all namespaces."""
        specs = (actor.spec for actor in self.live.values())
        return [
            (spec.name, spec.namespace)
            for spec in specs
            if spec.name and namespace in (None, spec.namespace)
        ]

    def owned_by(self, process: WorkerId) -> Iterable[ActorId]:
        return list(self._owned.get(process, ()))

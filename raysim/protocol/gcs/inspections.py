"""What the GCS shows of its tables when somebody asks for the state of the cluster. Changes nothing.

Of what is gone it keeps a little for this purpose alone, the latest of each: dead actors, ended
processes, ended calls of owners that have ended.
"""

from collections import deque
from collections.abc import Iterable, Sequence

import msgspec

from raysim.protocol.gcs.actor_records import Actor
from raysim.protocol.gcs.actors import ActorTable
from raysim.protocol.gcs.counts import Counts
from raysim.protocol.gcs.events import ERROR, INFO, WARNING, Events
from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.gcs.left_tasks import LeftTasks
from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.placement_groups import PlacementGroupTable
from raysim.protocol.gcs.quotas import Quotas
from raysim.protocol.messages import (
    Inspected,
    InspectGcs,
    KeepMetrics,
    KeepTasks,
    WorkerDied,
)
from raysim.protocol.messages.state import (
    ActorSeen,
    AnyRow,
    Ending,
    NodeSeen,
    ProcessSeen,
    SpanSeen,
    TaskCount,
)
from raysim.protocol.sieve import Sieve, count, first_of
from raysim.spec.actor import ActorInfo
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ActorId, JobId, NodeId, WorkerId
from raysim.spec.state import Noun, Wanted
from raysim.spec.task import group_of


class Inspections:
    def __init__(
        self,
        outbox: Outbox,
        nodes: NodeTable,
        jobs: JobTable,
        actors: ActorTable,
        groups: PlacementGroupTable,
        quotas: Quotas,
    ) -> None:
        self._outbox = outbox
        self._nodes = nodes
        self._jobs = jobs
        self._actors = actors
        self._groups = groups
        self._quotas = quotas
        self._remembered = outbox.host.config.gcs_history
        self._dead: dict[ActorId, ActorSeen] = {}
        self._ended: dict[WorkerId, ProcessSeen] = {}
        self._tasks = LeftTasks(outbox.host.config.task_history)
        self._counts = Counts(self._remembered)
        self._spans: deque[SpanSeen] = deque(maxlen=outbox.host.config.gcs_history)
        self._events = Events(outbox.host)
        actors.buried = self._buried

    def on_inspect(self, sender: Address, asked: InspectGcs) -> None:
        rows: list[AnyRow] = []
        total = 0
        for noun in asked.nouns:
            if noun is Noun.TASKS and asked.wanted is not None:
                wanted, number = self._wanted(asked.wanted)
                rows, total = [*rows, *wanted], total + number
                continue
            found = self._rows(noun, asked.only)
            total += len(found)
            rows += found[max(0, len(found) - asked.limit) :]
        self._outbox.send(sender, Inspected(asked.number, rows, total))

    def _wanted(self, wanted: Wanted) -> tuple[Sequence[AnyRow], int]:
        passing = filter(Sieve(wanted.tests).passes, self._tasks)
        if not wanted.counted:
            return first_of(passing, wanted.first)
        counts = [TaskCount(*key, number) for key, number in count(passing).items()]
        return counts, len(counts)

    def on_keep(self, owner: Address, keep: KeepTasks) -> None:
        self._tasks.add(keep.tasks)
        self._spans.extend(keep.spans)

    def on_keep_metrics(self, process: Address, keep: KeepMetrics) -> None:
        self._counts.add(process, keep.metrics)

    def _rows(self, noun: Noun, only: bytes) -> Sequence[AnyRow]:
        match noun:
            case Noun.NODES:
                return [NodeSeen(state) for state in self._nodes.states()]
            case Noun.JOBS:
                jobs = self._jobs.seen()
                for row in jobs:
                    row.quota_used = self._quotas.used(row.job_id)
                return jobs
            case Noun.ACTORS:
                return [row for row in self._actor_rows() if row.actor_id.startswith(only)]
            case Noun.PLACEMENT_GROUPS:
                return self._groups.seen()
            case Noun.WORKERS:
                return list(self._ended.values())
            case Noun.TASKS:
                return [row for row in self._tasks if row.task_id.startswith(only)]
            case Noun.CLUSTER_EVENTS:
                return self._events.rows()
            case Noun.METRICS:
                return self._counts.rows()
            case Noun.SPANS:
                return list(self._spans)
            case Noun.OBJECTS | Noun.RUNTIME_ENVS:
                return []  # Known to their owners, and to the nodes.

    # What happens.

    def node_joined(self, node: Address, name: str) -> None:
        self._events.add(INFO, "GCS", f"Node {name} joined.", node_id=node.node_id.hex())

    def node_drains(self, node_id: NodeId, reason: str) -> None:
        text = f"Node {node_id.hex()[:8]} drains: {reason}."
        self._events.add(INFO, "GCS", text, node_id=node_id.hex())

    def node_lost(self, node_id: NodeId, reason: str) -> None:
        text = f"Node {node_id.hex()[:8]} was lost: {reason}."
        self._events.add(WARNING, "GCS", text, node_id=node_id.hex())

    def job_finished(self, job_id: JobId) -> None:
        self._events.add(INFO, "GCS", f"Job {job_id.hex()} finished.", job_id=job_id.hex())

    def process_ended(self, died: WorkerDied) -> None:
        seen = died.seen
        if seen is None or seen.process.worker_id in self._ended:
            return
        self._ended[seen.process.worker_id] = seen
        if len(self._ended) > self._remembered:
            del self._ended[next(iter(self._ended))]
        if seen.ending is Ending.SYSTEM_ERROR:
            worker, node = seen.process.worker_id.hex(), seen.process.node_id.hex()
            text = f"Worker {worker[:8]} on node {node[:8]} died: {seen.detail}."
            self._events.add(ERROR, "RAYLET", text, worker_id=worker, node_id=node)
        elif seen.ending is Ending.NODE_OUT_OF_MEMORY:
            worker, node = seen.process.worker_id.hex(), seen.process.node_id.hex()
            text = f"Worker {worker[:8]} on node {node[:8]} was ended: {seen.detail}."
            self._events.add(WARNING, "RAYLET", text, worker_id=worker, node_id=node)

    def _buried(self, actor: Actor, info: ActorInfo) -> None:
        self._dead[info.actor_id] = _of_actor(actor, info)
        if len(self._dead) > self._remembered:
            del self._dead[next(iter(self._dead))]
        assert info.death is not None
        if actor.ending is None:  # Out of scope is no event.
            name = info.name or info.class_name
            text = f"Actor {name} ({info.actor_id.hex()[:8]}) died: {info.death.text}"
            self._events.add(INFO, "GCS", text, actor_id=info.actor_id.hex())

    # Rows.

    def _actor_rows(self) -> Iterable[ActorSeen]:
        for info in self._actors.directory.dead():
            yield self._dead.get(info.actor_id) or _of_dead(info)
        for actor in self._actors.directory.live.values():
            yield _of_actor(actor, actor.info())


def _of_actor(actor: Actor, info: ActorInfo) -> ActorSeen:
    spec = actor.spec
    return ActorSeen(
        spec.actor_id,
        spec.qualified_name or spec.class_name,
        actor.state.value,
        spec.name,
        spec.namespace,
        actor.last,
        actor.restarts,
        spec.lifetime,
        spec.detached,
        group_of(spec.strategy),
        spec.selectors,
        spec.runtime_env,
        _without_payload(info.death),
        actor.shown,
    )


def _of_dead(info: ActorInfo) -> ActorSeen:
    """One that died before this GCS started, or long ago."""
    return ActorSeen(
        info.actor_id,
        info.class_name,
        info.state.value,
        info.name,
        info.namespace,
        info.address,
        death=_without_payload(info.death),
        shown=info.shown,
    )


def _without_payload(death: Failure | None) -> Failure | None:
    if death is None or death.payload is None:
        return death
    return msgspec.structs.replace(death, payload=None)

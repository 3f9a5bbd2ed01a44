"""The life of each actor: registered, started, restarted, dead. Never where it runs: see actor_scheduler.

    DEPENDENCIES_UNREADY --arguments ready--> PENDING_CREATION
    PENDING_CREATION --started--> ALIVE --process lost--> RESTARTING --started--> ALIVE
          any of them --no restart left, killed, out of scope, owner lost--> DEAD

While it is PENDING_CREATION or RESTARTING it is first being placed (it has no worker), then being
started (it has one). A process that is replaced is known to be gone before the next one is leased:
at most one incarnation lives. A DEAD actor's process may still be on its way out (see kills).
"""

from collections.abc import Callable

from raysim.journal import ActorNoted
from raysim.policies.base import Policy
from raysim.protocol.gcs import deaths
from raysim.protocol.gcs.actor_directory import ActorDirectory
from raysim.protocol.gcs.actor_moves import ActorMoves
from raysim.protocol.gcs.actor_records import Actor, Process
from raysim.protocol.gcs.actor_scheduler import ActorScheduler
from raysim.protocol.gcs.jobs import JobTable
from raysim.protocol.gcs.kills import Kills
from raysim.protocol.gcs.nodes import NodeTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.subscriptions import Subscriptions
from raysim.protocol.gcs.tables import ActorRow, Tables
from raysim.protocol.messages import (
    ActorChanged,
    ActorOutOfScope,
    ActorRefused,
    ActorRegistered,
    ActorStarted,
    CreateActor,
    GetNamedActor,
    KillActor,
    ListNamedActors,
    NamedActor,
    NamedActors,
    StartActor,
    SubscribeActor,
    TerminateActor,
    WorkerLeaseGranted,
)
from raysim.spec.actor import ActorInfo, ActorSpec, ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import ActorId, JobId, NodeId, WorkerId

REMEMBERED = 10_000
"""Ended processes that are known, the latest. Ours."""


class ActorTable:
    def __init__(
        self, outbox: Outbox, tables: Tables, nodes: NodeTable, jobs: JobTable, policy: Policy
    ) -> None:
        self._outbox = outbox
        self._tables = tables
        self._dead_nodes = nodes.dead
        self._drains = nodes.drains
        self._ended_jobs = jobs.ended
        self._kills = Kills(outbox)
        self._grace_ns = outbox.host.config.actor_exit_grace_ns
        self._subscriptions = Subscriptions(outbox)
        self.moves = ActorMoves(outbox, self._kill, self._change, self._terminate)
        self.scheduler = ActorScheduler(outbox, nodes.views, policy, self._granted, self._refused)
        self.died: Callable[[ActorId], None] = lambda actor_id: None
        """Set by whoever has to know that an actor is dead for good."""
        self.buried: Callable[[Actor, ActorInfo], None] = lambda actor, info: None
        """Set by whoever shows dead actors to people."""
        self.directory = ActorDirectory(tables, outbox.host.config.gcs_history)
        self._live = self.directory.live
        self._processes: dict[WorkerId, Process] = {}
        self._created = 0
        self._gone: dict[WorkerId, None] = {}
        """Processes that ended: what they had not created by then they never will."""

    def load(self) -> None:
        specs = self._tables.actor_specs()
        for row in sorted(self._tables.actors(), key=lambda row: row.number):
            self._created = row.number
            self._load(row, specs)

    def _load(self, row: ActorRow, specs: dict[ActorId, ActorSpec]) -> None:
        info = row.info
        process = None
        if row.worker != NOWHERE:
            process = Process(info.actor_id, row.lease_id, row.raylet, row.worker, row.accelerators)
            self._processes[row.worker.worker_id] = process
            self.scheduler.hold(row.lease_id, row.worker)
        if info.state is ActorState.DEAD:
            self.directory.load_dead(info)
            if process is not None:
                self._kill(process, "its actor is dead")
            return
        actor = Actor(specs[info.actor_id], row.number, info.state)
        actor.incarnation = info.incarnation
        actor.version = info.version
        actor.restarts = row.restarts
        actor.process = process
        actor.last = row.worker
        actor.shown = info.shown
        actor.ending = row.ending
        self.directory.add(actor)
        if actor.state is ActorState.DEPENDENCIES_UNREADY:
            return  # Its owner asks again.
        if process is None:
            self.scheduler.place(actor.spec)
        elif actor.state is not ActorState.ALIVE:
            # Its answer may have been lost with the GCS that asked; the worker knows this incarnation.
            start = StartActor(actor.spec, actor.incarnation, process.accelerators)
            self._outbox.send(process.worker, start)
        elif actor.ending is not None:
            self._terminate(actor, process)

    # What processes ask for.

    def on_create(self, owner: Address, create: CreateActor) -> None:
        spec = create.spec
        actor_id = spec.actor_id
        known = self.directory.info(actor_id)
        if known is not None:
            if create.ready and known.state is ActorState.DEPENDENCIES_UNREADY:
                self._arguments_ready(self._live[actor_id], create)
            else:
                self._repeat(owner, known, create.ready)
            return
        if spec.name and self.directory.named(spec.namespace, spec.name) is not None:
            refused = ActorInfo(
                actor_id, ActorState.DEAD, 0, 0, owner=owner, death=deaths.name_taken(spec)
            )
            # Remembered: a copy of the request must not succeed once the name is free.
            self._subscriptions.created(actor_id)
            self.directory.remember(refused, ActorRow(refused))
            self._repeat(owner, refused, create.ready)
            return
        self._created += 1
        state = ActorState.PENDING_CREATION if create.ready else ActorState.DEPENDENCIES_UNREADY
        actor = Actor(spec, self._created, state)
        self.directory.add(actor)
        self._tables.save_actor_spec(spec)
        self._subscriptions.created(actor_id)
        self._subscriptions.add(actor_id, owner)
        self._outbox.send(owner, ActorRegistered(actor_id, create.ready))
        self._change(actor)
        if create.ready:
            self.scheduler.place(spec)

    def _arguments_ready(self, actor: Actor, create: CreateActor) -> None:
        spec = create.spec
        self._outbox.send(spec.owner, ActorRegistered(spec.actor_id))
        if create.failure is not None:
            self._die(actor, create.failure)
            return
        if spec.detached:
            self.directory.disown(spec)  # From now on it does not need its owner.
        actor.spec = spec
        actor.state = ActorState.PENDING_CREATION
        self._tables.save_actor_spec(spec)
        self._change(actor)
        self.scheduler.place(spec)

    def on_subscribe(self, process: Address, subscribe: SubscribeActor) -> None:
        info = self.directory.info(subscribe.actor_id)
        if info is None:
            self._subscriptions.wait_for(subscribe.actor_id, process, subscribe.owner)
            self._give_up_hopeless()
            return
        if info.state is not ActorState.DEAD:
            self._subscriptions.add(subscribe.actor_id, process)
        self._outbox.send(process, ActorChanged(info))

    def on_get_named(self, process: Address, get: GetNamedActor) -> None:
        actor_id = self.directory.named(get.namespace, get.name)
        info = None if actor_id is None else self.directory.info(actor_id)
        self._outbox.send(process, NamedActor(get.number, info))

    def on_list_named(self, process: Address, ask: ListNamedActors) -> None:
        self._outbox.send(process, NamedActors(ask.number, self.directory.names(ask.namespace)))

    def on_kill(self, sender: Address, kill: KillActor) -> None:
        actor = self._live.get(kill.actor_id)
        if actor is None:
            return  # It is dead already.
        if kill.no_restart or actor.ending is not None:
            self._die(actor, deaths.killed(actor.spec))
        elif actor.process is not None:
            # The end of the process is a loss like any other: it is restarted if it may be.
            self._kill(actor.process, "killed by ray.kill(no_restart=False)")

    def on_out_of_scope(self, owner: Address, gone: ActorOutOfScope) -> None:
        actor = self._live.get(gone.actor_id)
        if actor is None:
            info = self.directory.info(gone.actor_id)
            if info is not None:
                self._outbox.send(owner, ActorChanged(info))  # Its death was told, and not heard.
            return
        if actor.ending is not None or actor.spec.detached:
            return
        actor.ending = deaths.out_of_scope(actor.spec)
        if actor.process is None:
            self._die(actor, actor.ending)
            return
        self._save(actor)
        if actor.state is ActorState.ALIVE:
            self._terminate(actor, actor.process)

    # What becomes of a placement.

    def _granted(self, actor_id: ActorId, lease: WorkerLeaseGranted, raylet: Address) -> None:
        actor = self._live[actor_id]
        worker, gpus = lease.worker, lease.accelerators
        actor.process = process = Process(actor_id, lease.lease_id, raylet, worker, gpus)
        actor.last = worker
        self._processes[worker.worker_id] = process
        self._save(actor)
        self._outbox.send(worker, StartActor(actor.spec, actor.incarnation, gpus))

    def _refused(self, actor_id: ActorId, failure: Failure) -> None:
        self._die(self._live[actor_id], failure)

    def on_started(self, worker: Address, started: ActorStarted) -> None:
        actor = self._live.get(started.actor_id)
        if (
            actor is None
            or actor.state is ActorState.ALIVE
            or actor.incarnation != started.incarnation
            or actor.process is None
            or actor.process.worker.worker_id != worker.worker_id
        ):
            return  # A second copy, or from a process that was given up.
        if started.failure is not None:
            self._die(actor, started.failure)
            return
        if actor.moving:
            return  # It is being ended, to start on a node that stays.
        actor.state = ActorState.ALIVE
        actor.shown = started.shown
        self._change(actor)
        if actor.ending is not None:
            self._terminate(actor, actor.process)

    # What ends.

    def workers_at(self, raylet: Address) -> list[Address]:
        """Processes of this node that are, or become, actors."""
        return [found.worker for found in self._processes.values() if found.raylet == raylet]

    def suspect(self, process: Address) -> bool:
        """The connection to this process broke. Whether it is an actor's, which its raylet then
        has to confirm: only a process that is certainly gone is replaced."""
        found = self._processes.get(process.worker_id)
        if found is None:
            return False
        self._kills.suspect(found.worker, found.raylet, "its connection to the GCS broke")
        return True

    def process_gone(
        self,
        process: WorkerId,
        reason: str,
        intended: bool = False,
        out_of_memory: bool = False,
    ) -> None:
        """It certainly is; whichever of its parts it played."""
        self._subscriptions.process_gone(process)
        self._gone[process] = None
        if len(self._gone) > REMEMBERED:
            del self._gone[next(iter(self._gone))]
        self._give_up_hopeless()
        self._owner_gone(process, reason)
        actor = self._forget(process)
        if actor is not None:
            self._without_process(actor, reason, intended, out_of_memory)

    def node_drains(self, node_id: NodeId, reason: str) -> None:
        """Its actors that may restart do so elsewhere; the others stay for as long as the node does."""
        text = f"node {node_id.hex()[:8]} drains: {reason}"
        for process in list(self._processes.values()):
            actor = self._live.get(process.actor_id)
            if process.raylet.node_id == node_id and actor and actor.process is process:
                self.moves.begin(actor, process, text)

    def node_gone(self, node_id: NodeId, reason: str) -> None:
        self._subscriptions.node_gone(node_id)
        self._give_up_hopeless()
        gone = [p for p, known in self._processes.items() if known.worker.node_id == node_id]
        actors = [self._forget(process) for process in gone]
        # Owners first: what ends with its owner need not be restarted before.
        owners = {
            actor.spec.owner.worker_id: None
            for actor in self._live.values()
            if actor.spec.owner.node_id == node_id
        }
        for owner in owners:
            self._owner_gone(owner, reason)
        for actor in actors:
            if actor is not None and actor.state is not ActorState.DEAD:
                self._without_process(actor, reason, intended=False)
        self.scheduler.node_gone(node_id)

    def job_finished(self, job: JobId) -> None:
        self._give_up_hopeless()
        for actor in list(self._live.values()):
            spec = actor.spec
            if spec.detached or JobId(spec.actor_id[-4:]) != job:
                continue
            parent = self._processes.get(spec.owner.worker_id)
            if parent is not None and parent.actor_id in self._live:
                continue  # Created by an actor that outlives the job: it ends with that one.
            self._die(actor, deaths.job_finished(spec))

    def _owner_gone(self, process: WorkerId, reason: str) -> None:
        for actor_id in self.directory.owned_by(process):
            actor = self._live[actor_id]
            self._die(actor, deaths.owner_lost(actor.spec, reason))

    def _forget(self, process: WorkerId) -> Actor | None:
        """A leased worker is gone; returns the actor that it was, if that one lives on."""
        self._kills.confirmed(process)
        gone = self._processes.pop(process, None)
        if gone is None:
            return None
        self.scheduler.ended(gone.lease_id, gone.raylet)
        actor = self._live.get(gone.actor_id)
        if actor is None or actor.process is not gone:
            return None
        actor.process = None
        return actor

    def _without_process(
        self, actor: Actor, reason: str, intended: bool, out_of_memory: bool = False
    ) -> None:
        spec = actor.spec
        # Ray: an end with a node that was drained is none of its `max_restarts`.
        drained = actor.moving or actor.last.node_id in self._drains
        if actor.ending is not None:
            self._die(actor, actor.ending)
        elif intended:
            self._die(actor, deaths.exited(spec, reason))
        elif not actor.may_restart():
            self._die(actor, deaths.process_lost(spec, reason, actor.restarts, out_of_memory))
        else:
            actor.restarts += not drained
            actor.incarnation += 1
            actor.state = ActorState.RESTARTING
            self._change(actor)
            actor.moving = False
            self.scheduler.place(spec)

    def _terminate(self, actor: Actor, process: Process, moves: bool = False) -> None:
        terminate = TerminateActor(actor.spec.actor_id, actor.incarnation, moves)
        self._outbox.send(process.worker, terminate)
        self._kills.request(
            process.worker,
            process.raylet,
            "it did not end when its actor was told to",
            self._grace_ns,
        )

    def _kill(self, process: Process, reason: str) -> None:
        self._kills.request(process.worker, process.raylet, reason)

    def _die(self, actor: Actor, death: Failure) -> None:
        spec = actor.spec
        actor.state = ActorState.DEAD
        self.directory.remove(spec)
        self.scheduler.cancel(spec.actor_id)
        if actor.process is not None:
            self._kill(actor.process, death.text)
        actor.version += 1
        info = actor.info(death)
        self.directory.remember(info, actor.row(info))
        self.buried(actor, info)
        self._tables.drop_actor_spec(spec.actor_id)
        self._announce(actor, info)
        self._subscriptions.close(spec.actor_id)
        self.died(spec.actor_id)

    # What is known and told.

    def _repeat(self, owner: Address, info: ActorInfo, ready: bool) -> None:
        """Answer a copy of CreateActor as the first one was, and say what has become of the actor."""
        if info.death is not None and info.death.kind is FailureKind.ACTOR_NAME_TAKEN:
            self._outbox.send(owner, ActorRefused(info.actor_id, info.death))
            return
        if info.state is not ActorState.DEAD:
            self._subscriptions.add(info.actor_id, owner)
        self._outbox.send(owner, ActorRegistered(info.actor_id, ready))
        self._outbox.send(owner, ActorChanged(info))

    def _give_up_hopeless(self) -> None:
        """Tell those who wait for actors that nobody is left to create."""
        for actor_id in self._subscriptions.awaited(self._hopeless):
            death = deaths.never_created(actor_id, "its creator or its job ended")
            # Not remembered: it says nothing that would not be found again.
            self._subscriptions.publish(ActorInfo(actor_id, ActorState.DEAD, 0, 0, death=death))
            self._subscriptions.close(actor_id)

    def _hopeless(self, actor_id: ActorId, creator: Address) -> bool:
        return (
            creator.worker_id in self._gone
            or creator.node_id in self._dead_nodes
            # A detached actor outlives its job, and creates others.
            or (
                JobId(actor_id[-4:]) in self._ended_jobs
                and creator.worker_id not in self._processes
            )
        )

    def _change(self, actor: Actor) -> None:
        actor.version += 1
        self._save(actor)
        self._announce(actor, actor.info())

    def _announce(self, actor: Actor, info: ActorInfo) -> None:
        node_id = actor.process.worker.node_id if actor.process is not None else b""
        name = actor.spec.name or actor.spec.class_name
        self._outbox.host.note(
            ActorNoted(info.actor_id, name, info.state, info.incarnation, node_id)
        )
        self._subscriptions.publish(info)

    def _save(self, actor: Actor) -> None:
        self._tables.save_actor(actor.row(actor.info()))

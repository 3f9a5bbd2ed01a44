"""One inquiry into why objects are not ready: whom to ask next, and what the answers mean. Never sends.

Each method is a generator: it yields questions, is sent the answers (None: nobody answered), and
returns an Explanation. It follows what waits for what through owners, raylets, the GCS and workers;
an object that is met again on the way down closes a cycle.
"""

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeAlias

import msgspec

from raysim.protocol.explaining.wording import (
    arguments,
    behind,
    cycle,
    infeasible,
    needs,
    nobody,
    of_group,
    process_id,
    quota,
    short,
    why_queued,
)
from raysim.protocol.messages import (
    ActorStory,
    ContainedRef,
    ExplainActor,
    ExplainGroup,
    ExplainLease,
    ExplainObject,
    ExplainProcess,
    GroupStory,
    LeaseHolder,
    LeaseStage,
    LeaseStory,
    Message,
    NodeRoom,
    ObjectStage,
    ObjectStory,
    ProcessStory,
)
from raysim.spec.actor import ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.explanation import Explanation, Holder, NodeLack, Reason
from raysim.spec.ids import ActorId, NodeId, ObjectId, PlacementGroupId, TaskId, WorkerId

Question: TypeAlias = tuple[Address, Callable[[int], Message]]
Steps: TypeAlias = Generator[Question, Any, Explanation]
Several: TypeAlias = Generator[Question, Any, list[Explanation]]

QUESTIONS = 200
"""Asked in one inquiry at most. Ours: a person reads the answer."""

BRANCHES = 4
"""Things that one step waits for which are followed. Ours."""


class Path(msgspec.Struct, frozen=True):
    """The objects that were met on the way down, and what they are called."""

    objects: tuple[ObjectId, ...] = ()
    names: tuple[str, ...] = ()


START = Path()


class Inquiry:
    def __init__(self, gcs: Address) -> None:
        self.names: dict[NodeId, str] = {}
        self.gcs = gcs
        self._left = QUESTIONS

    # --- objects ----------------------------------------------------------------------------------

    def object(self, ref: ContainedRef, path: Path = START) -> Steps:
        object_id = ref.object_id
        if object_id in path.objects:
            return cycle(path.objects, path.names, object_id)
        if self._left <= 0:
            text = f"Object {object_id.hex()}: not followed, the chain is too long."
            return Explanation(reason=Reason.NOT_FOLLOWED, text=text, object_id=object_id.hex())
        self._left -= 1
        story: ObjectStory | None = yield ref.owner, lambda n: ExplainObject(n, object_id)
        if story is None:
            text = (
                f"Object {object_id.hex()}: its owner, process {process_id(ref.owner)} on "
                f"{self.node(ref.owner.node_id)}, does not answer."
            )
            found = Explanation(reason=Reason.NO_ANSWER, text=text)
        else:
            name = f"{story.name or 'object'} ({short(story.task_id or object_id)})"
            path = Path((*path.objects, object_id), (*path.names, name))
            found = yield from self.of_story(ref, story, name, path)
        task_id = story.task_id.hex() if story is not None and story.task_id is not None else ""
        return msgspec.structs.replace(found, object_id=object_id.hex(), task_id=task_id)

    def of_story(self, ref: ContainedRef, story: ObjectStory, name: str, path: Path) -> Steps:
        what = f"Object {ref.object_id.hex()}"
        call = f"Call {name}"
        if story.rebuilt:
            call = (
                f"{what} was lost and is being rebuilt: call {name}, attempt {story.attempt + 1},"
            )
        elif story.attempt:
            call = f"{call}, attempt {story.attempt + 1},"
        for_s = story.for_ns / 1e9
        match story.stage:
            case ObjectStage.UNKNOWN:
                text = (
                    f"{what} is gone: its owner, process {process_id(ref.owner)}, does not have it."
                )
                return Explanation(reason=Reason.GONE, text=text)
            case ObjectStage.READY:
                return Explanation(reason=Reason.READY, text=f"{what} is ready {story.text}.")
            case ObjectStage.FAILED:
                return Explanation(reason=Reason.FAILED, text=f"{what} failed: {story.text}")
            case ObjectStage.NO_CALL:
                if story.group_id is None:
                    text = f"{what} is set by its owner, and no call makes it."
                    return Explanation(reason=Reason.NOT_FOLLOWED, text=text)
                text = f"{what} is ready when placement group {short(story.group_id)} is:"
                group = yield from self.group(story.group_id)
                return Explanation(reason=Reason.PLACEMENT_GROUP, text=text, because=[group])
            case ObjectStage.ARGUMENTS:
                because = yield from self.each(story.arguments, path)
                text = f"{call} waits for {arguments(story)}."
                reason = Reason.PENDING_ARGUMENT
            case ObjectStage.ACTOR_ARGUMENTS:
                because = yield from self.each(story.arguments, path)
                text = (
                    f"{call} waits for its actor, whose constructor waits for {arguments(story)}."
                )
                reason = Reason.PENDING_ARGUMENT
            case ObjectStage.BEHIND:
                because = yield from self.each(story.arguments, path)
                text = (
                    f"{call} waits behind {story.text} of the same caller, which waits for "
                    f"{arguments(story)}."
                )
                reason = Reason.BEHIND_OTHER_CALL
            case ObjectStage.LEASE:
                return (yield from self._leases(ref.owner.worker_id, story, call, path))
            case ObjectStage.PUSHED:
                assert story.task_id is not None
                return (yield from self._pushed(story.task_id, story, call, path))
            case ObjectStage.ACTOR:
                assert story.actor_id is not None
                return (yield from self._actor(story.actor_id, call, path))
        return Explanation(reason=reason, text=text, for_s=for_s, because=because)

    def each(self, refs: Sequence[ContainedRef], path: Path) -> Several:
        found: list[Explanation] = []
        for ref in refs[:BRANCHES]:
            explanation = yield from self.object(ref, path)
            found.append(explanation)
        return found

    # --- processes --------------------------------------------------------------------------------

    def _pushed(self, task_id: TaskId, story: ObjectStory, call: str, path: Path) -> Steps:
        worker = story.worker
        where = f"worker {process_id(worker)} on {self.node(worker.node_id)}"
        node_id = worker.node_id.hex()
        actor_id = story.actor_id.hex() if story.actor_id is not None else ""
        process = yield from self.doing(worker)
        if process is None:
            text = f"{call} was sent to {where}, which does not answer."
            return Explanation(
                reason=Reason.NO_ANSWER, text=text, node_id=node_id, actor_id=actor_id
            )
        because = yield from self.each(process.awaited, path)
        ours = next((one for one in process.running if one.task_id == task_id), None)
        waits = ", and waits for:" if because else "."
        if ours is not None:
            for_s = ours.for_ns / 1e9
            text = f"{call} has been running for {for_s:.3g} s in {where}{waits}"
            reason = Reason.BLOCKED if because else Reason.RUNNING
        elif process.running:
            first = process.running[0]
            for_s = story.for_ns / 1e9
            running = f"{first.name} ({short(first.task_id)})"
            text = (
                f"{call} waits for its turn in {where}, which has been running {running} for "
                f"{first.for_ns / 1e9:.3g} s{waits}"
            )
            reason = Reason.BEHIND_OTHER_CALL
        else:
            for_s = story.for_ns / 1e9
            text = f"{call} was sent to {where}, where its arguments are being brought or it is about to start."
            reason = Reason.MESSAGE_UNDER_WAY
        return Explanation(
            reason=reason,
            text=text,
            node_id=node_id,
            actor_id=actor_id,
            for_s=for_s,
            because=because,
        )

    def doing(self, worker: Address) -> Generator[Question, Any, ProcessStory | None]:
        if worker == NOWHERE or self._left <= 0:
            return None
        self._left -= 1
        story: ProcessStory | None = yield worker, lambda n: ExplainProcess(n)
        return story

    # --- leases -----------------------------------------------------------------------------------

    def _leases(self, owner: WorkerId, story: ObjectStory, call: str, path: Path) -> Steps:
        if not story.leases:
            text = f"{call} is ready to run; its owner is about to ask for a worker."
            return Explanation(reason=Reason.MESSAGE_UNDER_WAY, text=text)
        lease_id, raylet = story.leases[0]
        return (yield from self._lease(owner, lease_id, raylet, call, path))

    def _lease(
        self, owner: WorkerId, lease_id: int, raylet: Address, call: str, path: Path
    ) -> Steps:
        where = self.node(raylet.node_id)
        node_id = raylet.node_id.hex()
        self._left -= 1
        story: LeaseStory | None = yield raylet, lambda n: ExplainLease(n, owner, lease_id)
        if story is None:
            text = f"{call} asked the raylet of {where} for a worker, which does not answer."
            return Explanation(reason=Reason.NO_ANSWER, text=text, node_id=node_id)
        for_s = story.for_ns / 1e9
        match story.stage:
            case LeaseStage.QUEUED:
                holders, because = yield from self._holders(story.holders, path)
                text = f"{call} has waited at {where} for {needs(story)} for {for_s:.3g} s{behind(story)}."
                return Explanation(
                    reason=why_queued(story),
                    text=text,
                    node_id=node_id,
                    for_s=for_s,
                    nodes=self._lacks(story.nodes),
                    holders=holders,
                    because=because,
                )
            case LeaseStage.INFEASIBLE:
                text = f"{call} needs {needs(story)}, and {nobody(story)}."
                because = (
                    [] if story.group_id is None else [(yield from self.group(story.group_id))]
                )
                return Explanation(
                    reason=infeasible(story),
                    text=text,
                    node_id=node_id,
                    for_s=for_s,
                    nodes=self._lacks(story.nodes),
                    because=because,
                )
            case LeaseStage.STARTING:
                text = f"{call} has its resources on {where}, where a worker has been starting for {for_s:.3g} s."
                return Explanation(
                    reason=Reason.WORKER_STARTING, text=text, node_id=node_id, for_s=for_s
                )
            case LeaseStage.SETTING_UP:
                text = (
                    f"{call} has its resources on {where}, where its runtime environment "
                    f"{story.runtime_env} is being set up; it has waited for {for_s:.3g} s."
                )
                return Explanation(
                    reason=Reason.ENV_SETTING_UP, text=text, node_id=node_id, for_s=for_s
                )
            case LeaseStage.OVER_QUOTA:
                text = f"{call} needs {needs(story)}, and has waited for {for_s:.3g} s: {quota(story)}."
                return Explanation(
                    reason=Reason.OVER_QUOTA, text=text, node_id=node_id, for_s=for_s
                )
            case LeaseStage.GRANTED | LeaseStage.UNKNOWN:
                text = f"{call} asked {where} for a worker; the request or its answer is under way."
                return Explanation(reason=Reason.MESSAGE_UNDER_WAY, text=text, node_id=node_id)

    def _holders(
        self, holders: Sequence[LeaseHolder], path: Path
    ) -> Generator[Question, Any, tuple[list[Holder], list[Explanation]]]:
        """Who they are, and what they wait for themselves."""
        found: list[Holder] = []
        because: list[Explanation] = []
        for holder in holders[:BRANCHES]:
            process = yield from self.doing(holder.worker)
            what = (
                [f"{one.name} ({short(one.task_id)})" for one in process.running] if process else []
            )
            if not what and holder.actor_id is not None:
                what = [f"actor {short(holder.actor_id)}"]
            who = f"{', '.join(what) or 'a lease'} in worker {process_id(holder.worker)}"
            found.append(Holder(who, holder.held, holder.for_ns / 1e9))
            if process is not None and process.awaited:
                waits = yield from self.each(process.awaited, path)
                text = f"{who} waits for:"
                because.append(Explanation(reason=Reason.BLOCKED, text=text, because=waits))
        return found, because

    def _lacks(self, nodes: Sequence[NodeRoom]) -> list[NodeLack]:
        """Those that lack something; all, if none does."""
        some = [node for node in nodes if node.lacks or node.why] or nodes
        return [
            NodeLack(n.node_id.hex(), self.names.get(n.node_id, ""), n.lacks, n.ever, n.why)
            for n in some
        ]

    # --- placement groups -------------------------------------------------------------------------

    def group(self, group_id: PlacementGroupId) -> Steps:
        self._left -= 1
        story: GroupStory | None = yield self.gcs, lambda n: ExplainGroup(n, group_id)
        if story is None:
            text = f"The GCS does not tell of placement group {short(group_id)}."
            return Explanation(reason=Reason.NO_ANSWER, text=text)
        return of_group(group_id, story, self._lacks(story.nodes))

    # --- actors -----------------------------------------------------------------------------------

    def _actor(self, actor_id: ActorId, call: str, path: Path) -> Steps:
        self._left -= 1
        story: ActorStory | None = yield self.gcs, lambda n: ExplainActor(n, actor_id)
        found = yield from self._actor_story(actor_id, story, call, path)
        return msgspec.structs.replace(found, actor_id=actor_id.hex())

    def _actor_story(
        self, actor_id: ActorId, story: ActorStory | None, call: str, path: Path
    ) -> Steps:
        actor = short(actor_id)
        if story is None:
            text = f"{call} waits for its actor {actor}, of which the GCS does not tell."
            return Explanation(reason=Reason.NO_ANSWER, text=text)
        who = f"actor {story.name} ({actor})"
        match story.state:
            case None:
                text = f"{call} waits for actor {actor}, which the GCS does not know (yet)."
                return Explanation(reason=Reason.ACTOR_PENDING, text=text)
            case ActorState.DEAD:
                text = f"{call} is to {who}, which is dead: {story.text}"
                return Explanation(reason=Reason.ACTOR_DEAD, text=text)
            case ActorState.ALIVE:
                text = f"{call} is to {who}, which is alive; its caller is about to hear of that."
                return Explanation(reason=Reason.MESSAGE_UNDER_WAY, text=text)
            case ActorState.RESTARTING:
                reason = Reason.ACTOR_RESTARTING
                text = f"{call} waits for {who} to restart (start {story.incarnation + 1}):"
            case ActorState.DEPENDENCIES_UNREADY:
                text = f"{call} waits for {who}: an argument of its constructor is not ready."
                return Explanation(reason=Reason.ACTOR_PENDING, text=text)
            case ActorState.PENDING_CREATION:
                reason = Reason.ACTOR_PENDING
                text = f"{call} waits for {who} to be created:"
        because = yield from self.start_of(who, story, path)
        return Explanation(reason=reason, text=text, because=because)

    def start_of(self, who: str, story: ActorStory, path: Path) -> Several:
        what = who[0].upper() + who[1:]
        if story.worker != NOWHERE:
            where = f"worker {process_id(story.worker)} on {self.node(story.worker.node_id)}"
            process = yield from self.doing(story.worker)
            if process is None:
                text = f"{what} is being constructed in {where}, which does not answer."
                return [Explanation(reason=Reason.NO_ANSWER, text=text)]
            because = yield from self.each(process.awaited, path)
            waits = ", which waits for:" if because else "."
            text = f"{what}: its constructor runs in {where}{waits}"
            reason = Reason.BLOCKED if because else Reason.RUNNING
            node_id = story.worker.node_id.hex()
            return [Explanation(reason=reason, text=text, node_id=node_id, because=because)]
        if story.raylet != NOWHERE:
            gcs = self.gcs.worker_id
            return [(yield from self._lease(gcs, story.lease_id, story.raylet, what, path))]
        text = f"{what} needs {needs(story)}, and {nobody(story)}."
        lacks = self._lacks(story.nodes)
        return [Explanation(reason=infeasible(story), text=text, nodes=lacks)]

    def node(self, node_id: NodeId) -> str:
        return f"node {self.names.get(node_id) or node_id.hex()[:8]}"

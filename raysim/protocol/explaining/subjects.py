"""The first step of an inquiry into a thing that somebody names by its id, where that is no object. Never sends.

What follows from there is `inquiry.py`'s.
"""

import msgspec

from raysim.protocol.explaining.inquiry import START, Inquiry, Path, Steps
from raysim.protocol.explaining.wording import process_id, short
from raysim.protocol.messages import (
    ActorStory,
    ContainedRef,
    ExplainActor,
    ExplainCall,
    ObjectStage,
)
from raysim.spec.actor import ActorState
from raysim.spec.address import NOWHERE, Address
from raysim.spec.explanation import Explanation, Reason
from raysim.spec.ids import ActorId, TaskId, actor_creation_task, first_return


def call(inquiry: Inquiry, task_id: TaskId, owner: Address) -> Steps:
    """A call that has not ended, as far as is known. GONE: its owner does not have it any more."""
    story = yield owner, lambda n: ExplainCall(n, task_id)
    what = f"Call {short(task_id)}"
    if story is None:
        text = f"{what}: {_owner(inquiry, owner)} does not answer."
        return Explanation(reason=Reason.NO_ANSWER, text=text, task_id=task_id.hex())
    if story.stage == ObjectStage.UNKNOWN:
        text = f"{what} has ended: {_owner(inquiry, owner)} does not have it any more."
        return Explanation(reason=Reason.GONE, text=text, task_id=task_id.hex())
    name = f"{story.name} ({short(task_id)})"
    ref = ContainedRef(first_return(task_id), owner)
    path = Path((ref.object_id,), (name,))
    found = yield from inquiry.of_story(ref, story, name, path)
    found = msgspec.structs.replace(found, task_id=task_id.hex())
    return found


def actor(inquiry: Inquiry, actor_id: ActorId, owner: Address) -> Steps:
    """`owner`: of one that the GCS may not know yet; NOWHERE where nobody says that he made it."""
    story: ActorStory | None = yield inquiry.gcs, lambda n: ExplainActor(n, actor_id)
    found = yield from _of_actor(inquiry, actor_id, story, owner)
    return msgspec.structs.replace(found, actor_id=actor_id.hex())


def _of_actor(
    inquiry: Inquiry, actor_id: ActorId, story: ActorStory | None, owner: Address
) -> Steps:
    if story is None:
        text = f"The GCS does not tell of actor {short(actor_id)}."
        return Explanation(reason=Reason.NO_ANSWER, text=text)
    what = f"Actor {story.name} ({short(actor_id)})" if story.name else f"Actor {short(actor_id)}"
    match story.state:
        case None | ActorState.DEPENDENCIES_UNREADY:
            owner = owner if story.owner == NOWHERE else story.owner
            if owner == NOWHERE:
                text = f"{what} is not known to the GCS, nor to a process that made it."
                return Explanation(reason=Reason.GONE, text=text)
            constructor = yield from call(inquiry, actor_creation_task(actor_id), owner)
            text = f"{what} waits for the arguments of its constructor:"
            return Explanation(reason=Reason.PENDING_ARGUMENT, text=text, because=[constructor])
        case ActorState.DEAD:
            text = f"{what} is dead: {story.text or 'nobody knows why any more.'}"
            return Explanation(reason=Reason.ACTOR_DEAD, text=text)
        case ActorState.ALIVE:
            return (yield from process(inquiry, story.worker, f"{what} is alive"))
        case ActorState.RESTARTING:
            reason, text = Reason.ACTOR_RESTARTING, f"{what} restarts ({story.incarnation + 1}):"
        case ActorState.PENDING_CREATION:
            reason, text = Reason.ACTOR_PENDING, f"{what} is being created:"
    because = yield from inquiry.start_of(what, story, START)
    return Explanation(reason=reason, text=text, because=because)


def process(inquiry: Inquiry, worker: Address, what: str) -> Steps:
    """What a worker or driver does, and what its user code waits for."""
    where = f"{what} in process {process_id(worker)} on {inquiry.node(worker.node_id)}"
    node_id = worker.node_id.hex()
    story = yield from inquiry.doing(worker)
    if story is None:
        text = f"{where}, which does not answer."
        return Explanation(reason=Reason.NO_ANSWER, text=text, node_id=node_id)
    because = yield from inquiry.each(story.awaited, START)
    waits = ", and waits for:" if because else "."
    if not story.running:
        text = f"{where}{waits}" if because else f"{where}; it runs no call."
        reason = Reason.BLOCKED if because else Reason.READY
        return Explanation(reason=reason, text=text, node_id=node_id, because=because)
    first = story.running[0]
    others = f" and {len(story.running) - 1} more" if len(story.running) > 1 else ""
    text = (
        f"{where}; it has been running {first.name} ({short(first.task_id)}) for "
        f"{first.for_ns / 1e9:.3g} s{others}{waits}"
    )
    return Explanation(
        reason=Reason.BLOCKED if because else Reason.RUNNING,
        text=text,
        node_id=node_id,
        task_id=first.task_id.hex(),
        for_s=first.for_ns / 1e9,
        because=because,
    )


def _owner(inquiry: Inquiry, owner: Address) -> str:
    return f"its owner, process {process_id(owner)} on {inquiry.node(owner.node_id)},"

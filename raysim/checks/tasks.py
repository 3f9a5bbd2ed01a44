"""Tasks: every one that was submitted ends, once. From owners' records, and the journal. Never their values."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from raysim.checks.cluster import Cluster
from raysim.checks.finding import Finding
from raysim.journal import ActorNoted, CommitBroken, ObjectRebuilt, Record, TaskEnded
from raysim.spec.actor import ActorState
from raysim.spec.ids import ObjectId, task_of_object

ENDS = ("finished", "failed", "cancelled")
"""An attempt that ended so is the last one, until something that it returned is lost."""


def none_open(cluster: Cluster) -> Iterator[Finding]:
    """At rest: no owner has a call under way."""
    for process in cluster.processes():
        owner = process.owner
        for what, records in (("task", owner.tasks.records), ("method", owner.actor_calls.records)):
            for task_id, record in records.items():
                yield Finding(
                    "task-ends",
                    f"{process.name} still has {what} {record.name} ({task_id.hex()[:12]}), attempt "
                    f"{record.call.attempt}, {'running' if record.running else f'{record.missing} arguments missing'}",
                    cluster.now_ns,
                    f"a {what} that is {'running' if record.running else 'waiting'}",
                )


def end_once(records: Iterable[Record]) -> Iterator[Finding]:
    """Over a whole run: an attempt ends once, and none comes after a last one, but to make again what was lost."""
    ended: dict[bytes, TaskEnded] = {}
    rebuilt: set[bytes] = set()
    for at_ns, who, _, what in records:
        if isinstance(what, ObjectRebuilt):
            rebuilt.add(task_of_object(ObjectId(what.object_id)))
        elif isinstance(what, TaskEnded):
            before = ended.get(what.task_id)
            ended[what.task_id] = what
            if before is None:
                continue
            if before.attempt == what.attempt:
                text = f"{who} has attempt {what.attempt} of {what.name} end twice: {before.status}, {what.status}"
                yield Finding("task-ends-once", text, at_ns, f"{before.status}, then {what.status}")
            elif before.status in ENDS and what.task_id not in rebuilt:
                text = (
                    f"{who} has {what.name} end again ({what.status}, attempt {what.attempt}) "
                    f"after attempt {before.attempt} was its last ({before.status})"
                )
                yield Finding("task-ends-once", text, at_ns, f"again after {before.status}")


def incarnations_grow(records: Iterable[Record]) -> Iterator[Finding]:
    """Over a whole run: an actor's incarnations are numbered upwards, and none comes after its death.

    What a GCS noted in the instant in which a commit broke has not happened.
    """
    last: dict[bytes, ActorNoted] = {}
    instant_ns, replaced = -1, dict[bytes, ActorNoted | None]()
    for at_ns, _, _, what in records:
        if isinstance(what, CommitBroken) and at_ns == instant_ns:
            for actor_id, earlier in replaced.items():
                del last[actor_id]
                if earlier is not None:
                    last[actor_id] = earlier
            replaced = {}
        if not isinstance(what, ActorNoted):
            continue
        if at_ns != instant_ns:
            instant_ns, replaced = at_ns, {}
        before = last.get(what.actor_id)
        replaced.setdefault(what.actor_id, before)
        last[what.actor_id] = what
        if before is None:
            continue
        if before.state == ActorState.DEAD.name and what.state != ActorState.DEAD.name:
            text = (
                f"actor {what.name} ({what.actor_id.hex()[:8]}) is {what.state} after it was DEAD"
            )
            yield Finding("actor-incarnations", text, at_ns, f"{what.state} after DEAD")
        elif what.incarnation < before.incarnation:
            text = (
                f"actor {what.name} ({what.actor_id.hex()[:8]}) is incarnation {what.incarnation} "
                f"after {before.incarnation}"
            )
            yield Finding("actor-incarnations", text, at_ns, "a lower number")

"""Why a thing of the cluster is as it is, by its id: finds who knows it, asks those who decide. Never decides.

What has ended is told from the rows that `list` shows; what has not, by the same inquiry as `explain(ref)`.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from raysim.protocol.explaining import Inquiry as Asking
from raysim.protocol.explaining import subjects
from raysim.protocol.inspecting import Findings
from raysim.protocol.messages import ContainedRef
from raysim.protocol.messages.state import (
    ActorSeen,
    GroupSeen,
    JobSeen,
    NodeSeen,
    ObjectSeen,
    ProcessSeen,
    TaskSeen,
)
from raysim.protocol.sieve import kind_of
from raysim.runtime.state_tables import of_kind
from raysim.runtime.states import survey
from raysim.runtime.task_tables import ENDED, merged_tasks, message_of
from raysim.spec.address import NOWHERE, Address
from raysim.spec.explanation import Explanation, Reason
from raysim.spec.ids import (
    ACTOR_ID_BYTES,
    NIL_NODE,
    OBJECT_ID_BYTES,
    PLACEMENT_GROUP_ID_BYTES,
    TASK_ID_BYTES,
    ActorId,
    NodeId,
    ObjectId,
    PlacementGroupId,
    TaskId,
    actor_of_task,
    is_put,
    task_of_object,
)
from raysim.spec.node import NodeState
from raysim.spec.placement_group import GroupInfo, GroupState
from raysim.spec.resources import describe, from_units
from raysim.spec.state import Inquiry, Noun
from raysim.spec.units import format_size

if TYPE_CHECKING:
    from raysim.protocol.explaining.inquiry import Steps
    from raysim.runtime.core_worker import CoreWorker

LIMIT = 1_000
"""Rows of each process about one id. Ours: it has one for each attempt, or each reference."""

PATIENCE = 30.0
"""Seconds until whoever does not answer is left out. Ray: `DEFAULT_RPC_TIMEOUT`."""

REFERENCES = 4
"""Processes that are named of those that refer to an object. Ours: a person reads the answer."""

AGAIN = 3
"""Times that a call is looked for which ends while it is asked about."""


def explain_id(worker: "CoreWorker", noun: Noun, identity: str) -> Explanation | None:
    """None: nobody knows such a thing. `identity`: in hex. Raises RaySystemError when the GCS does not answer."""
    told = _Told(worker)
    raw = bytes.fromhex(identity)
    match noun:
        case Noun.TASKS if len(raw) == TASK_ID_BYTES:
            return told.task(TaskId(raw))
        case Noun.OBJECTS if len(raw) == OBJECT_ID_BYTES:
            return told.object(ObjectId(raw))
        case Noun.ACTORS if len(raw) == ACTOR_ID_BYTES:
            return told.actor(ActorId(raw))
        case Noun.PLACEMENT_GROUPS if len(raw) == PLACEMENT_GROUP_ID_BYTES:
            return told.group(PlacementGroupId(raw))
        case Noun.NODES:
            return told.node(NodeId(raw))
        case Noun.WORKERS:
            return told.process(raw)
        case Noun.JOBS:
            return told.job(raw)
        case _:
            return None


class _Told:
    """What is told to one process that asks."""

    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._names: dict[NodeId, str] = {}

    def task(self, task_id: TaskId) -> Explanation | None:
        for _ in range(AGAIN):
            found = self._survey(Noun.TASKS, task_id)
            rows = sorted(merged_tasks(found.rows), key=lambda row: row.attempt)
            if not rows:
                return None
            *earlier, last = rows
            if last.state in ENDED:
                return self._ended(last, earlier)
            explanation = self._under_way(last, found.told_by.get(task_id, NOWHERE))
            if explanation.reason is not Reason.GONE:
                break
        because = [self._attempt(row) for row in earlier]
        return msgspec.structs.replace(explanation, because=[*explanation.because, *because])

    def _under_way(self, row: TaskSeen, owner: Address) -> Explanation:
        if kind_of(row.task_id) == "ACTOR_CREATION_TASK":
            actor_id = actor_of_task(row.task_id)
            return self._ask(partial(subjects.actor, actor_id=actor_id, owner=owner))
        return self._ask(partial(subjects.call, task_id=row.task_id, owner=owner))

    def _ended(self, row: TaskSeen, earlier: Sequence[TaskSeen]) -> Explanation:
        because = [self._attempt(one) for one in earlier]
        return msgspec.structs.replace(self._attempt(row), because=because)

    def _attempt(self, row: TaskSeen) -> Explanation:
        """What became of an attempt that has ended."""
        who = f"Call {row.name} ({row.task_id.hex()[:8]}), attempt {row.attempt + 1},"
        text = f"{who} {_course(row, self._node(row.worker.node_id))}"
        reason = Reason.READY
        if row.state == "FAILED":
            reason = Reason.FAILED
            text += f" It failed: {row.error}: {message_of(row, self._worker.values.load)}"
        return Explanation(
            reason=reason,
            text=text,
            task_id=row.task_id.hex(),
            node_id="" if row.worker == NOWHERE else row.worker.node_id.hex(),
            for_s=(row.end_ns - row.submitted_ns) / 1e9,
        )

    def object(self, object_id: ObjectId) -> Explanation | None:
        found = self._survey(Noun.OBJECTS, object_id)
        rows = of_kind(found.rows, ObjectSeen)
        task_id = task_of_object(object_id)
        made = None if is_put(object_id) else partial(self.task, task_id)
        if not rows:
            call = made() if made is not None else None
            if call is None:
                return None
            text = f"Object {object_id.hex()} is gone: nobody refers to it any more. The call that made it:"
            return Explanation(
                reason=Reason.GONE, text=text, object_id=object_id.hex(), because=[call]
            )
        ref = ContainedRef(object_id, rows[0].owner)
        explanation = self._ask(lambda inquiry: inquiry.object(ref))
        text, because = explanation.text, list(explanation.because)
        match explanation.reason:
            case Reason.FAILED if made is not None:
                call = made()
                because += [call] if call is not None and call.reason is Reason.FAILED else []
            case Reason.NO_ANSWER:
                owner = self.process(ref.owner.worker_id)
                because += [owner] if owner is not None else []
            case Reason.READY | Reason.GONE:
                text += f" {_referred(rows)}"
        return msgspec.structs.replace(explanation, text=text, because=because)

    def actor(self, actor_id: ActorId) -> Explanation | None:
        found = self._survey(Noun.ACTORS, actor_id)
        if not of_kind(found.rows, ActorSeen):
            return None
        owner = found.told_by.get(actor_id, NOWHERE)
        return self._ask(partial(subjects.actor, actor_id=actor_id, owner=owner))

    def group(self, group_id: PlacementGroupId) -> Explanation | None:
        rows = of_kind(self._survey(Noun.PLACEMENT_GROUPS).rows, GroupSeen)
        info = next((row.info for row in rows if row.info.group_id == group_id), None)
        if info is None:
            return None
        if info.state in (GroupState.CREATED, GroupState.REMOVED):
            return self._settled(info)
        return self._ask(lambda inquiry: inquiry.group(group_id))

    def _settled(self, info: GroupInfo) -> Explanation:
        name = f" '{info.name}'" if info.name else ""
        what = f"Placement group{name} ({info.group_id.hex()[:8]}, {info.strategy})"
        if info.state is GroupState.REMOVED:
            return Explanation(reason=Reason.GONE, text=f"{what} was removed.")
        places = "; ".join(
            f"bundle {index} ({describe(bundle)}) on {self._node(node_id)}"
            for index, (bundle, node_id) in enumerate(zip(info.bundles, info.nodes, strict=True))
            if node_id != NIL_NODE
        )
        text = f"{what} has its places since {info.waited_ns / 1e9:.3g} s after it was asked for: {places}."
        return Explanation(reason=Reason.READY, text=text)

    def node(self, node_id: NodeId) -> Explanation | None:
        rows = of_kind(self._survey(Noun.NODES).rows, NodeSeen)
        state = next((row.state for row in rows if row.state.info.address.node_id == node_id), None)
        if state is None:
            return None
        reason, text = _of_node(state, self._worker.host.now_ns())
        text = f"Node {state.info.name} ({node_id.hex()[:8]}) {text}"
        return Explanation(reason=reason, text=text, node_id=node_id.hex())

    def process(self, worker_id: bytes) -> Explanation | None:
        rows = of_kind(self._survey(Noun.WORKERS).rows, ProcessSeen)
        found = [row for row in rows if row.process.worker_id == worker_id]
        if not found:
            return None
        # One that ended while it was asked for is there twice.
        row = max(found, key=lambda one: one.end_ns)
        what = f"{'Driver' if row.is_driver else 'Worker'} with pid {row.pid}"
        if not row.end_ns:
            return self._ask(partial(subjects.process, worker=row.process, what=f"{what} runs"))
        ago_s = (self._worker.host.now_ns() - row.end_ns) / 1e9
        where = self._node(row.process.node_id)
        text = f"{what} on {where} ended {ago_s:.3g} s ago ({row.ending}): {row.detail or 'no reason is told'}."
        return Explanation(reason=Reason.GONE, text=text, node_id=row.process.node_id.hex())

    def job(self, job_id: bytes) -> Explanation | None:
        rows = of_kind(self._survey(Noun.JOBS).rows, JobSeen)
        row = next((one for one in rows if one.job_id == job_id), None)
        if row is None:
            return None
        what = f"Job {job_id.hex()} ({row.entrypoint})"
        if not row.finished:
            about = partial(subjects.process, worker=row.driver, what=f"{what} runs: its driver is")
            return self._ask(about)
        driver = self.process(row.driver.worker_id)
        text = f"{what} has ended: its driver is gone{'.' if driver is None else ':'}"
        because = [] if driver is None else [driver]
        return Explanation(reason=Reason.GONE, text=text, because=because)

    # Asking

    def _survey(self, noun: Noun, only: bytes = b"") -> Findings:
        found = survey(self._worker, Inquiry(noun, LIMIT, PATIENCE, 0, only.hex()))
        states = [row.state.info for row in of_kind(found.rows, NodeSeen)]
        self._names = {info.address.node_id: info.name for info in states}
        return found

    def _ask(self, about: "Callable[[Asking], Steps]") -> Explanation:
        worker = self._worker
        [found] = worker.ask(partial(worker.explaining.inquire, [about]))
        explanation: Explanation = found
        return explanation

    def _node(self, node_id: NodeId) -> str:
        return f"node {self._names.get(node_id) or node_id.hex()[:8]}"


def _course(row: TaskSeen, node: str) -> str:
    """How long each part of an attempt took."""
    pushed, start = row.pushed_ns, row.start_ns
    if not pushed:
        return f"never had a worker; it ended {_s(row.end_ns - row.submitted_ns)} after it was submitted."
    waited = _s(pushed - row.submitted_ns)
    if not start:
        return f"had a worker on {node} after {waited}, and never ran there."
    return (
        f"had a worker on {node} after {waited}, began there {_s(max(0, start - pushed))} later, and "
        f"ran for {_s(row.end_ns - start)}."
    )


def _of_node(state: NodeState, now_ns: int) -> tuple[Reason, str]:
    if not state.alive:
        ago = f" {_s(now_ns - state.end_ns)} ago" if state.end_ns else ""
        return Reason.GONE, f"was lost{ago}: {state.death_reason or 'no reason is told'}."
    since = f" since {_s(now_ns - state.start_ns)}" if state.start_ns else ""
    room = f"free are {_free(state)}"
    if state.drain is None:
        return Reason.READY, f"is alive{since}; {room}."
    until = ""
    if state.drain.until_ns:
        until = f", at the latest in {_s(max(0, state.drain.until_ns - now_ns))}"
    return Reason.READY, f"is to go ({state.drain.reason}) when it is empty{until}; {room}."


def _free(state: NodeState) -> str:
    """`1 of 4 CPU, 3 GiB of 8 GiB memory`: without what stands for the node itself, and for placement groups."""
    parts = []
    for name, units in state.info.total.items():
        if ":" in name or "_group_" in name:
            continue
        free, there = (from_units(one) for one in (state.available.get(name, 0), units))
        if name.endswith("memory"):
            parts.append(f"{format_size(int(free))} of {format_size(int(there))} {name}")
        else:
            parts.append(f"{free:g} of {there:g} {name}")
    return ", ".join(parts)


def _referred(rows: Sequence[ObjectSeen]) -> str:
    """Who keeps it."""
    whom = [
        f"{'driver' if row.is_driver else 'worker'} with pid {row.pid} "
        f"({row.reference.lower().replace('_', ' ')})"
        for row in rows[:REFERENCES]
    ]
    more = f" and {len(rows) - REFERENCES} more" if len(rows) > REFERENCES else ""
    return f"Referred to by: {', '.join(whom)}{more}."


def _s(ns: int) -> str:
    return f"{ns / 1e9:.3g} s"

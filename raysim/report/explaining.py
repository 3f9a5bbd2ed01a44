"""Why one task of a run waited, node by node, from what its folder keeps. Never guesses what no record says.

The wait has three parts: for what the task needed to be there, for a worker of some node, and for its turn there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import isnan

from raysim.report.occupancy import NodeWait, waits_of
from raysim.report.text import count, seconds
from raysim.report.turns import turn_of
from raysim.report.view import Attempt, View
from raysim.scenario.folder import KeptRun
from raysim.scenario.problems import nearest
from raysim.scenario.task_records import TaskRecord
from raysim.spec.explanation import Explanation, NodeLack, Reason
from raysim.spec.units import format_size

MOST_PARENTS = 3
"""That are told of, those that ended last."""

NOTICED_S = 1e-3
"""A shorter wait is that of a few messages."""


class UnknownTaskError(LookupError):
    """There is no such task; its text names the nearest."""


def find(run: KeptRun, task: str) -> int:
    """Its place in the records: by its id, the beginning of one, or a name that only one task has."""
    ids, names = run.records.ids, run.records.names
    for known in (ids, names):
        found = [at for at, name in enumerate(known) if name == task]
        if len(found) == 1:
            return found[0]
        if found:
            some = ", ".join(str(ids[at]) for at in found[:3])
            raise UnknownTaskError(
                f"{len(found)} tasks are called {task!r}: say which by its id, such as {some}"
            )
    found = [at for at, name in enumerate(ids) if name.startswith(task)] if task else []
    if len(found) == 1:
        return found[0]
    if found:
        some = ", ".join(str(ids[at]) for at in found[:3])
        raise UnknownTaskError(f"the ids of {len(found)} tasks begin with {task!r}: {some} ...")
    meant = nearest(task, [*ids, *dict.fromkeys(names)])
    hint = f"; did you mean {meant}?" if meant else ""
    raise UnknownTaskError(f"no task of this run is called {task!r}{hint}")


def explain(run: KeptRun, view: View, task: str) -> Explanation:
    """What it waited for, from its submission to its start. Raises UnknownTaskError."""
    row = _of_journal(run, view, task)
    if row is None:
        row = find(run, task)
    record, ready_s = run.records[row], run.records.ready_s[row]
    pushed_s = run.records.pushed_s[row]
    steps = [*_for_parents(run, record, ready_s)]
    if record.ran is None:
        text = f"{_called(record)} never completed: {record.error or 'it never ended'}."
        return Explanation(reason=Reason.FAILED, text=text, because=steps)
    start_s = record.ran.start_s
    attempts = _attempts(view, record)
    steps += _lost(attempts)
    until_s = start_s if isnan(pushed_s) else pushed_s
    since_s = max([ready_s, *(one.end_s for one in attempts[:-1])])
    steps.append(_for_room(run, view, record, since_s, until_s))
    if not isnan(pushed_s):
        steps.append(_for_its_turn(view, record, attempts, pushed_s))
    waited_s = max(0.0, start_s - record.submitted_s)
    text = (
        f"{_called(record)} waited for {seconds(waited_s)}, from {seconds(record.submitted_s)} to "
        f"{seconds(start_s)}, and ran for {seconds(record.ran.length_s)} on {record.node}."
    )
    longest = max(steps, key=lambda step: step.for_s or 0.0)
    return Explanation(reason=longest.reason, text=text, for_s=waited_s, because=steps)


def _of_journal(run: KeptRun, view: View, task: str) -> int | None:
    """The place in the records of what the journal knows under this id: see `_attempts`."""
    own = next(
        (one for one in view.attempts if one.task == task and one.status == "finished"), None
    )
    if own is None:
        return None
    slack_s = _slack_s(own.end_s)
    times = zip(run.records.start_s, run.records.end_s, strict=True)
    for row, (start_s, end_s) in enumerate(times):
        if abs(start_s - own.start_s) <= slack_s and abs(end_s - own.end_s) <= slack_s:
            return row
    return None


def _slack_s(end_s: float) -> float:
    """Within which two moments are the same: both were rounded."""
    return 1e-8 * max(1.0, end_s)


def _called(record: TaskRecord) -> str:
    name = "" if record.name == record.id else f" ({record.name})"
    return f"Task {record.id}{name}"


def _for_parents(run: KeptRun, record: TaskRecord, ready_s: float) -> Iterator[Explanation]:
    """What its arguments, or whatever it is to come after, took."""
    parents = run.parents[record.id] if run.parents else ()
    if not parents:
        return
    row = {task: at for at, task in enumerate(run.records.ids)}
    ended = sorted(
        (run.records[row[parent]] for parent in parents),
        key=lambda parent: -parent.ran.end_s if parent.ran else 0.0,
    )
    waited_s = max(0.0, ready_s - record.submitted_s)
    text = f"It came after {count(len(parents), 'task')}, and was ready at {seconds(ready_s)}:"
    because = [_ended(parent) for parent in ended[:MOST_PARENTS]]
    yield Explanation(reason=Reason.PENDING_ARGUMENT, text=text, for_s=waited_s, because=because)


def _ended(parent: TaskRecord) -> Explanation:
    if parent.ran is None:
        return Explanation(reason=Reason.FAILED, text=f"{_called(parent)} never completed.")
    text = f"{_called(parent)} ended at {seconds(parent.ran.end_s)} on {parent.node}."
    return Explanation(reason=Reason.READY, text=text)


def _lost(attempts: Sequence[Attempt]) -> Iterator[Explanation]:
    """Executions that came before the one that counts."""
    for one in attempts[:-1]:
        text = (
            f"Attempt {one.number + 1} was sent to a worker at {seconds(one.start_s)} and ended at "
            f"{seconds(one.end_s)}, {one.status}: {one.reason or 'no reason is told'}."
        )
        yield Explanation(reason=Reason.FAILED, text=text, for_s=one.end_s - one.start_s)


def _for_room(
    run: KeptRun, view: View, record: TaskRecord, ready_s: float, until_s: float
) -> Explanation:
    waited_s = max(0.0, until_s - ready_s)
    needs = f"{record.cores:g} CPU"
    if waited_s < NOTICED_S:
        text = f"It found a worker at once: it needs {needs}, and was sent to {record.node} after {seconds(waited_s)}."
        return Explanation(reason=Reason.READY, text=text, for_s=waited_s)
    where = f" in the queue of {record.node}, where {run.queued_by} put it" if run.queued_by else ""
    text = f"It waited for {seconds(waited_s)} for a worker with {needs}{where}:"
    nodes = [_node(wait, waited_s) for wait in waits_of(run, view, record, ready_s, until_s)]
    turn = turn_of(run, record, ready_s, until_s)
    because = [] if turn is None else [turn]
    return Explanation(
        reason=Reason.NO_ROOM, text=text, for_s=waited_s, nodes=nodes, because=because
    )


def _node(wait: NodeWait, waited_s: float) -> NodeLack:
    if wait.cpus is None:
        why = "does not say how many cores it has"
    elif not wait.ever:
        why = f"has {wait.cpus:g} CPU in all, which is never enough"
    elif wait.there_s <= 0:
        why = (
            f"was lost at {seconds(wait.lost_s)}"
            if wait.lost_s is not None
            else "was not there yet"
        )
    else:
        room = f"had room for {seconds(wait.room_s)}"
        if wait.room_s <= waited_s * 1e-6:
            room = "never had room"
        share = wait.free / wait.cpus if wait.cpus else 0.0
        why = f"{room} in {seconds(wait.there_s)}: of {wait.cpus:g} CPU {share:.0%} were free"
        if wait.lost_s is not None:
            why += f", until it was lost at {seconds(wait.lost_s)}"
        if wait.holders:
            held = ", ".join(f"{who} for {seconds(held_s)}" for who, held_s in wait.holders)
            more = f" and {wait.others} more" if wait.others else ""
            why += f"; it ran {held}{more}"
    return NodeLack("", wait.name, {}, wait.ever, why)


def _for_its_turn(
    view: View, record: TaskRecord, attempts: Sequence[Attempt], pushed_s: float
) -> Explanation:
    """Between the push and the start: the worker's other calls, and what came to its node."""
    assert record.ran is not None
    start_s = record.ran.start_s
    waited_s = max(0.0, start_s - pushed_s)
    if waited_s < NOTICED_S or not attempts:
        text = f"It started {seconds(waited_s)} after it was sent to its worker."
        return Explanation(reason=Reason.MESSAGE_UNDER_WAY, text=text, for_s=waited_s)
    own = attempts[-1]
    ahead = [
        one
        for one in view.attempts
        if (one.node, one.worker) == (own.node, own.worker) and pushed_s < one.end_s <= start_s
    ]
    came = [
        one for one in view.transfers if one.target == own.node and pushed_s < one.end_s <= start_s
    ]
    said = []
    if ahead:
        said.append(
            f"the worker ran {count(len(ahead), 'call')} that came before, the last of them {ahead[-1].name}"
        )
    if came:
        size = format_size(sum(one.size_bytes for one in came))
        said.append(f"{count(len(came), 'object')} of {size} came to {record.node}")
    meanwhile = f": meanwhile {', and '.join(said)}" if said else ""
    text = (
        f"It was sent to a worker of {record.node} at {seconds(pushed_s)} and started "
        f"{seconds(waited_s)} later{meanwhile}."
    )
    reason = Reason.BEHIND_OTHER_CALL if ahead else Reason.PENDING_ARGUMENT
    return Explanation(reason=reason, text=text, for_s=waited_s)


def _attempts(view: View, record: TaskRecord) -> list[Attempt]:
    """Of this task, up to the one that counts; empty where the journal no longer has it.

    The records name tasks as the workload does, the journal by its own ids: what they share is the moment.
    """
    assert record.ran is not None
    start_s, end_s = record.ran.start_s, record.ran.end_s
    slack_s = _slack_s(end_s)
    own = next(
        (
            one
            for one in view.attempts
            if one.status == "finished"
            and abs(one.start_s - start_s) <= slack_s
            and abs(one.end_s - end_s) <= slack_s
            and one.node >= 0
            and view.nodes[one.node].name == record.node
        ),
        None,
    )
    if own is None:
        return []
    before = [one for one in view.attempts if one.task == own.task and one.number < own.number]
    return [*sorted(before, key=lambda one: one.number), own]

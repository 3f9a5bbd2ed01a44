"""Runs a random program on the cluster at hand and compares what it gives. Never says what is right: see reference.

Whatever it waits for ends: groups are removed before the last results are asked for, and mid-way it waits
for some time only. So a `get` that does not end is a finding.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any, Final

import raysim as ray
from raysim.api.session import current_world
from raysim.checks.cluster import journal_of
from raysim.checks.finding import Finding
from raysim.exceptions import GetTimeoutError, RayError
from raysim.faults.kinds import FAULTS
from raysim.faults.model import Fault
from raysim.faults.processes import DrainNode
from raysim.faults.swarm import Budget, Profile, Swarm, sample
from raysim.journal import ObjectRebuilt
from raysim.spec.ids import ObjectId, TaskId, task_of_object
from raysim.tape import Tape
from raysim.testing.campaign import operations as ops
from raysim.testing.campaign import places, remote
from raysim.testing.campaign.operations import Op, Program
from raysim.testing.campaign.reference import Expected, expect, kept, kind_of, out_of_order, wrong
from raysim.testing.campaign.sampling import sample_program
from raysim.util.placement_group import placement_group, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy

UNFIT = ("heal", "no_capacity", "fail_constructor", "fill_store", "memory_pressure")
"""Kinds of fault after which a program may end otherwise than it should, or that need an autoscaler."""

LOSE_SPILLED = ("lose_spilled", "corrupt_spilled")
"""Kinds that take away what nobody can make again: what the driver has put."""

CUT = ("partition", "isolate", "loss", "delay", "pause_node", "pause_raylet", "pause_worker")
"""Kinds that keep processes from hearing of each other."""

KINDS = tuple(kind.tag() for kind in FAULTS if kind.tag() not in UNFIT)


POLICIES: Final = {
    "policy": ("work_stealing", "hawk(cutoff_s=0.01)", "late_binding", "delay(wait_s=0.1)"),
    "eviction": ("gdsf", "largest_first"),
}
"""Those that go ways of their own through the protocol."""


QUOTAS = (3, 4, 6)
"""CPUs of the job. A placement group of a program has three bundles at most."""


class ProtocolCampaign:
    """Programs of so many operations, within such limits."""

    def __init__(self, operations: int = 30, swarm: Swarm | None = None) -> None:
        self.name = "protocol"
        self.module = ""
        self.labels: tuple[str, ...] = ()
        self.operations = operations
        self.swarm = swarm or Swarm(
            nodes=(1, 5),
            budget=Budget(faults=8, kinds=KINDS),
            groups_changed=0.3,
            small_stores=False,
            labels=places.LABELS,
            quotas=QUOTAS,
            words=POLICIES,
        )

    def profile(self, tape: Tape) -> Profile:
        return sample(tape, self.swarm)

    def sample(self, tape: Tape) -> Program:
        return sample_program(tape, self.operations)

    def run(self, program: Program, profile: Profile) -> list[Finding]:
        """What went wrong. When it returns, nothing is referred to any more but what `hold` has seen."""
        faults = {fault.tag() for fault in profile.faults}
        expected = expect(
            program,
            faults=any(map(_loses, profile.faults)),
            loses_spilled=not faults.isdisjoint(LOSE_SPILLED),
            cuts=not faults.isdisjoint(CUT),
        )
        return _Run(program, expected).findings()


CAMPAIGN = ProtocolCampaign()


def _loses(fault: Fault) -> bool:
    """A node that may take its time to leave takes nothing along that a program still needs."""
    return not isinstance(fault, DrainNode) or fault.deadline is not None


class _Run:
    def __init__(self, program: Program, expected: dict[int, Expected]) -> None:
        self.program = program
        self.expected = expected
        self.refs: dict[int, Any] = {}
        """By operation: what it gave, until it is dropped."""
        self.calls: dict[int, TaskId] = {}
        """By operation: its call of an actor."""
        self.actors: dict[int, Any] = {}
        self.groups: dict[int, Any] = {}
        self.found: list[Finding] = []
        self.by_number = {op.number: op for op in program}

    def findings(self) -> list[Finding]:
        remote.ran.clear()
        self.places = places.Places(self.program)
        for op in self.program:
            _DO[op.kind](self, op)
        for group in self.groups.values():
            remove_placement_group(group)
        for op in self.program:
            if op.number in self.refs:
                self._compare(op, self.refs[op.number])
        for number, later in out_of_order(remote.ran, self._made_again()):
            op = self.by_number[number]
            text = f"ran on actor {op.actor} after call {later}"
            self._note(op, "actor-order", text, "a later call ran first")
        return self.found

    def _made_again(self) -> set[int]:
        """Operations whose results were lost: a call that is made again comes after calls that were made later."""
        lost = journal_of(current_world()).notes(ObjectRebuilt)
        tasks = {task_of_object(ObjectId(note.object_id)) for note in lost}
        return {number for number, task_id in self.calls.items() if task_id in tasks}

    # --- operations ---

    def _picked(self, op: Op) -> list[Any]:
        return [self.refs[pick] for pick in op.picks if pick in self.refs]

    def _task(self, op: Op) -> None:
        options = {"max_retries": 0} if op.flag else {}
        call = remote.add.options(**options, **self.places.options(op))
        self.refs[op.number] = call.remote(op.number, op.seconds, op.size, *self._picked(op))

    def _nested(self, op: Op) -> None:
        call = remote.nested.options(**self.places.options(op))
        self.refs[op.number] = call.remote(op.number, op.seconds, self._picked(op))

    def _tree(self, op: Op) -> None:
        below = self.places.options(op)
        self.refs[op.number] = remote.tree.remote(op.number, op.seconds, op.count, op.flag, below)

    def _put(self, op: Op) -> None:
        self.refs[op.number] = ray.put((op.number, bytes(op.size)))

    def _boom(self, op: Op) -> None:
        self.refs[op.number] = remote.boom.remote(op.number, *self._picked(op))

    def _actor(self, op: Op) -> None:
        cls = remote.threaded if op.flag else remote.ordered
        self.actors[op.number] = cls.options(**self.places.options(op)).remote()

    def _call(self, op: Op) -> None:
        actor = self.actors.get(op.actor)
        if actor is not None:
            parts = self._picked(op)
            self._called(op, actor.call.remote(op.number, op.seconds, op.size, *parts))

    def _called(self, op: Op, ref: Any) -> None:
        self.refs[op.number] = ref
        self.calls[op.number] = task_of_object(ObjectId(ref.binary()))

    def _keep(self, op: Op) -> None:
        actor = self.actors.get(op.actor)
        if actor is not None:
            self._called(op, actor.keep.remote(op.number, self._kept(op)))

    def _kept(self, op: Op) -> list[Any]:
        """Nothing that an actor made: it may have to make it again while another waits for it."""
        own = [pick for pick in op.picks if pick in self.refs]
        return [self.refs[pick] for pick in own if not self.expected[pick].by_actor]

    def _give(self, op: Op) -> None:
        actor = self.actors.get(op.actor)
        if actor is not None:
            self._called(op, actor.give.remote(op.number))

    def _kill(self, op: Op) -> None:
        actor = self.actors.get(op.actor)
        if actor is not None:
            ray.kill(actor, no_restart=op.flag)

    def _stream(self, op: Op) -> None:
        call = remote.stream.options(**self.places.options(op))
        items = call.remote(op.number, op.count, op.seconds, op.size)
        if op.flag and not self.groups:  # Which may hold all that it needs, until the end.
            self._compare_items(op, items)
        else:
            self.refs[op.number] = items

    def _inner(self, op: Op) -> None:
        if op.flag:
            self.refs[op.number] = remote.fetched.remote(op.number, op.seconds, op.size)
        else:
            self.refs[op.number] = remote.inner.remote(op.number, op.size)

    def _relay(self, op: Op) -> None:
        picked = self._picked(op)
        if picked:
            self.refs[op.number] = remote.relay.remote(op.number, op.seconds, picked[0])

    def _through(self, op: Op) -> None:
        picked = self._picked(op)
        if picked:
            self.refs[op.number] = remote.through.remote(op.seconds, op.size, picked[0])

    def _group(self, op: Op) -> None:
        group = placement_group([{"CPU": 1}] * op.count, strategy=op.word)
        self.groups[op.number] = group
        strategy = PlacementGroupSchedulingStrategy(group)
        call = remote.add.options(scheduling_strategy=strategy)
        self.refs[op.number] = call.remote(op.number, op.seconds, op.size)

    def _ungroup(self, op: Op) -> None:
        for pick in op.picks:
            group = self.groups.pop(pick, None)
            if group is not None:
                remove_placement_group(group)

    def _cancel(self, op: Op) -> None:
        for pick in op.picks:
            target = self.by_number.get(pick)
            if pick in self.refs and target is not None and target.kind != ops.PUT:
                force = op.flag and target.kind != ops.CALL
                ray.cancel(self.refs[pick], force=force)

    def _get(self, op: Op) -> None:
        for pick in op.picks:
            if pick in self.refs:
                self._compare(self.by_number[pick], self.refs[pick], op.seconds)

    def _wait(self, op: Op) -> None:
        picked = list(dict.fromkeys(self._picked(op)))
        if not picked:
            return
        ready, others = ray.wait(picked, num_returns=len(picked), timeout=op.seconds)
        if {*ready, *others} != {*picked} or len(ready) + len(others) != len(picked):
            self._note(op, "wait", "gave other references than it was asked about")

    def _drop(self, op: Op) -> None:
        for pick in op.picks:
            self.refs.pop(pick, None)

    def _sleep(self, op: Op) -> None:
        time.sleep(op.seconds)

    # --- results ---

    def _compare(self, op: Op, ref: Any, timeout: float | None = None) -> None:
        if op.kind == ops.STREAM:
            self._compare_items(op, ref)
            return
        outcome = _outcome(partial(_take, op.kind, ref, timeout))
        if outcome is None:
            return
        if op.kind == ops.GIVE:
            self._compare_kept(op, outcome)
            return
        self._judge(op, self.expected[op.number], outcome)

    def _judge(self, op: Op, expected: Expected, outcome: Any) -> None:
        problem = wrong(expected, outcome)
        if problem:
            self._note(op, "result", problem)

    def _compare_kept(self, op: Op, outcome: Any) -> None:
        """A restarted actor has forgotten: what it does give has to be right."""
        may_keep = kept(self.program, self.expected, op.actor)
        if isinstance(outcome, dict):
            for number, value in outcome.items():
                if may_keep.get(number) != value:
                    text = f"gave {value} for what operation {number} gave it, not {may_keep.get(number)}"
                    self._note(op, "result", text)
            return
        may = self.expected[op.number].may
        for number in may_keep:
            may |= self.expected[number].may
        self._judge(op, Expected(may=may), outcome)

    def _compare_items(self, op: Op, items: Any) -> None:
        seen = 0
        while True:
            outcome = _outcome(partial(_next_item, items))
            if outcome is _END:
                break
            expected = Expected(op.number * 1000 + seen, self.expected[op.number].may)
            problem = wrong(expected, outcome)
            if problem:
                self._note(op, "result", f"item {seen} {problem}", "an item of a generator")
            if isinstance(outcome, str):
                return
            seen += 1
        if seen != op.count:
            text = f"gave {seen} items instead of {op.count}"
            self._note(op, "result", text, "the number of items")

    def _note(self, op: Op, invariant: str, text: str, cause: str = "") -> None:
        where = f"operation {op.number} ({op.kind}) {text}"
        now_ns = round(time.time() * 1e9)
        self.found.append(Finding(invariant, where, now_ns, cause and f"{op.kind}: {cause}"))


_END = object()


def _next_item(items: Any) -> Any:
    try:
        ref = next(items)
    except StopIteration:
        return _END
    return ray.get(ref)[0]


def _take(kind: str, ref: Any, timeout: float | None) -> Any:
    """The number in a result; of an actor that gives what it kept, the whole of it."""
    value = ray.get(ref, timeout=timeout)
    if kind == ops.GIVE:
        return value
    if kind in (ops.INNER, ops.THROUGH):
        return ray.get(value[0], timeout=timeout)[0]
    return value[0]


def _outcome(take: Any) -> Any:
    """What it gives, or the kind of its error; None when it takes too long. Keeps no error, which keeps references."""
    try:
        return take()
    except GetTimeoutError:
        return None
    except RayError as error:
        if type(error).__name__ in _BROKEN:
            raise
        return kind_of(error)


_BROKEN = ("RaySystemError", "NotConvergedError")
"""These end the run."""


def _operations() -> Iterator[tuple[str, Any]]:
    for name in vars(ops).values():
        if isinstance(name, str) and hasattr(_Run, f"_{name}"):
            yield name, getattr(_Run, f"_{name}")


_DO = dict(_operations())

"""Makes a failing case smaller while it fails the same way: faults, program, cluster, order, draws. Never judges it.

Zeller and Hildebrandt's delta debugging (TSE 2002) on the lists of a case, then simpler values one by one.
A part that is taken out shifts what happens after it, so that a race may need another seed to show:
a smaller case is tried under some seeds before it is given up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from raysim.faults.model import Fault
from raysim.faults.moment import Moment
from raysim.faults.order import Order
from raysim.faults.swarm import Profile
from raysim.tape import Recorder, Recording, SeededTape
from raysim.testing.campaign.operations import Op
from raysim.testing.case import Case, Target, Verdict
from raysim.testing.hunt import run_guarded
from raysim.testing.running import run_case

OTHER_SEEDS: Final = 2
"""Seeds beside its own under which a smaller case is tried. Ours: each costs a run for every part."""

_T = TypeVar("_T")


class Shrunk(msgspec.Struct):
    """The smallest case so far, and how it was come by."""

    case: Case
    verdict: Verdict
    runs: int = 0


class Shrinker:
    """`told` hears of every smaller case."""

    def __init__(
        self,
        target: Target,
        case: Case,
        verdict: Verdict,
        seconds: float = 60.0,
        told: Callable[[Shrunk], None] = lambda _: None,
    ) -> None:
        self._target = target
        self._alike = _alike(verdict)
        self._until = time.monotonic() + seconds
        self._told = told
        self.best = Shrunk(case, verdict)

    def run(self) -> Shrunk:
        """Until nothing smaller fails, or time is up."""
        before: Case | None = None
        while before is not self.best.case and not self._late():
            before = self.best.case
            self._faults()
            self._program()
            self._profile()
            self._values()
        self._draws()
        return self.best

    def _late(self) -> bool:
        return time.monotonic() > self._until

    # --- trying ---

    def _try(self, case: Case, seeds: int = OTHER_SEEDS) -> bool:
        """Whether this fails in the same way; then it is the best."""
        others = range(seeds) if case.recording is None else ()
        for candidate in [case, *(case.changed(seed=seed) for seed in others)]:
            if self._late():
                return False
            self.best.runs += 1
            try:
                verdict = run_guarded(self._target, candidate)
            except ValueError:
                return (
                    False  # No cluster can be made of it: a fault needs a node that was taken out.
                )
            if _alike(verdict) == self._alike:
                self.best.case, self.best.verdict = candidate, verdict
                self._told(self.best)
                return True
        return False

    def _less(self, items: Sequence[_T], with_items: Callable[[tuple[_T, ...]], Case]) -> None:
        """Delta debugging: leave out as many of these as possible, in larger parts first."""
        kept = tuple(items)
        size = len(kept)
        while size and kept:
            at = 0
            while at < len(kept) and not self._late():
                fewer = kept[:at] + kept[at + size :]
                if self._try(with_items(fewer)):
                    kept = fewer
                else:
                    at += size
            size = min(size // 2, len(kept))

    # --- parts ---

    def _faults(self) -> None:
        def with_faults(faults: tuple[Fault, ...]) -> Case:
            return self._with_profile(faults=faults)

        self._less(self.best.case.profile.faults, with_faults)

    def _program(self) -> None:
        def with_program(program: tuple[Op, ...]) -> Case:
            return self.best.case.changed(program=program)

        self._less(self.best.case.program, with_program)

    def _profile(self) -> None:
        simplest = Profile()
        for name in (
            "buggify",
            "labels",
            "quota",
            "network",
            "connection_resets",
            "order",
            "object_store_memory",
        ):
            value = getattr(simplest, name)
            if getattr(self.best.case.profile, name) != value:
                self._try(self._with_profile(**{name: value}))
        for knob in list(self.best.case.profile.knobs):
            fewer = {k: v for k, v in self.best.case.profile.knobs.items() if k != knob}
            self._try(self._with_profile(knobs=fewer))
        for nodes in range(1, self.best.case.profile.nodes):
            if self._try(self._with_profile(nodes=nodes)):
                break
        for cpus in range(1, self.best.case.profile.cpus):
            if self._try(self._with_profile(cpus=cpus)):
                break
        order = self.best.case.profile.order
        if order != Order() and order.bound_ns:
            self._try(self._with_profile(order=Order(order.kind, depth=order.depth)))

    def _values(self) -> None:
        for index, fault in enumerate(self.best.case.profile.faults):
            for simpler in _simpler_faults(fault):
                faults = list(self.best.case.profile.faults)
                faults[index] = simpler
                if self._try(self._with_profile(faults=tuple(faults)), seeds=0):
                    break
        for index in range(len(self.best.case.program)):
            for simpler_op in _simpler_ops(self.best.case.program[index]):
                program = list(self.best.case.program)
                program[index] = simpler_op
                self._try(self.best.case.changed(program=tuple(program)), seeds=0)

    def _draws(self) -> None:
        """What is still drawn: nothing that matters if the run fails on the simplest choices alone."""
        case = self.best.case
        if self._late() or self._try(case.changed(recording=Recording(case.seed).simplest())):
            return
        recorder = Recorder(SeededTape(case.seed), case.seed)
        verdict = run_case(self._target, case, tape=recorder)
        if _alike(verdict) == self._alike:
            self._edit(recorder.recording())

    def _edit(self, recording: Recording) -> None:
        """Make streams of draws simplest, whole ones first, then halves from the end."""
        for label in list(recording.draws):
            length = len(recording.draws[label])
            for left in (0, length // 4, length // 2):
                values = recording.draws[label]
                simpler = recording.with_stream(label, values[:left] + [0] * (length - left))
                if simpler != recording and self._try(self.best.case.changed(recording=simpler)):
                    recording = simpler
                    break

    def _with_profile(self, **changes: Any) -> Case:
        case = self.best.case
        return case.changed(profile=msgspec.structs.replace(case.profile, **changes))


def _alike(verdict: Verdict) -> str:
    """Equal for runs that fail in one way: by one invariant, and of errors by one."""
    if verdict.ok:
        return ""
    finding = verdict.findings[0]
    return finding.group() if finding.invariant == "error" else finding.invariant


def _simpler_faults(fault: Fault) -> Iterator[Fault]:
    at = fault.at
    if at.event and at.count > 1:
        yield msgspec.structs.replace(fault, at=msgspec.structs.replace(at, count=1))
    if not at.event and at.ns:
        for unit in (1_000_000_000, 100_000_000, 1_000_000):
            if at.ns % unit and at.ns > unit:
                yield msgspec.structs.replace(fault, at=Moment(ns=at.ns // unit * unit))


def _simpler_ops(op: Op) -> Iterator[Op]:
    simplest = Op(op.number, op.kind)
    for name in ("place", "picks", "seconds", "size", "count", "flag"):
        value = getattr(simplest, name)
        if getattr(op, name) != value:
            yield msgspec.structs.replace(op, **{name: value})
    if len(op.picks) > 1:
        yield from (msgspec.structs.replace(op, picks=(pick,)) for pick in op.picks)

"""Runs a case: cluster, program, heal, converge, checks. Never samples one, never prints.

The order is safety first, then liveness: while faults strike, what the program is given is compared and
invariants are looked at between events; then faults stop, the cluster heals, and has to come to rest.
"""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Sequence
from typing import Any, Final

import raysim as ray
from raysim.api.job_config import JobConfig
from raysim.api.session import current_world
from raysim.checks import ledger
from raysim.checks.finding import BrokenInvariantError, Finding
from raysim.checks.ledger import AT_REST, EMPTY, LOOK_EVERY, Check, Ledger
from raysim.faults.convergence import NotConvergedError
from raysim.journal import Journal, Level
from raysim.tape import Tape
from raysim.testing.case import Alone, Case, OnCluster, Target, Verdict

HEAL_S: Final = 15
"""Virtual seconds after which faults stop. They strike within the first 10 s: see Swarm.window_ns."""

BOUND_S: Final = 600
"""Virtual seconds from then on within which a run has to end. The longest fault lasts 100 s and may have
stopped a node that has many seconds of work."""

REST_S: Final = 120
"""Virtual seconds within which a healed cluster that nobody asks for anything has to be at rest."""

LOOK_S: Final = 0.5
"""Virtual seconds between two looks at what has to come to hold."""

SHOWN_FRAMES: Final = 8

_RAYSIM: Final = re.compile(r"/raysim(_sim)?/")
_INSTALLED: Final = re.compile(r"/(site|dist)-packages/|/lib/python3|<frozen")
"""Parts of paths that say whose code a frame is of."""


def run_case(
    target: Target,
    case: Case,
    journal: Journal | None = None,
    tape: Tape | None = None,
    look_every: int = LOOK_EVERY,
) -> Verdict:
    """`tape`: where the draws of the run come from instead of the case's recording, or its seed."""
    journal = journal or Journal(Level.NOTES)
    if tape is None and case.recording is not None:
        tape = case.recording.tape()
    if isinstance(target, Alone):
        return target.run_alone(case, journal, tape)
    world: dict[str, Any] = {
        "heal_ns": HEAL_S * 10**9,
        "converge_ns": BOUND_S * 10**9,
        "tape": tape,
    }
    if tape is None:
        del world["tape"]
    arguments = case.profile.init_arguments(**world)
    if case.profile.quota is not None:
        quota = {"raysim.io/quota": f"CPU={case.profile.quota}"}
        arguments["job_config"] = JobConfig(metadata=quota)
    arguments |= {"log_to_driver": False, "logging_level": logging.CRITICAL}
    before, sys.argv = sys.argv, [target.name]  # The job's entry point, which messages carry.
    try:
        ray.init(seed=case.seed, journal=journal, **arguments)
        try:
            watched = _Watched(target, case, look_every)
            findings = watched.run()
            now_ns = watched.now_ns
        finally:
            ray.shutdown()
    finally:
        sys.argv = before
    findings += ledger.in_journal(journal.records)
    return Verdict(findings, journal.digest() or "", now_ns / 1e9, journal.count)


class _Watched:
    """A run on the cluster at hand. Whatever ends it becomes a finding."""

    def __init__(self, target: OnCluster, case: Case, look_every: int) -> None:
        self._target = target
        self._case = case
        self._world: Any = current_world()
        self._ledger = Ledger(self._world)
        if look_every:
            self._ledger.watch(look_every)

    @property
    def now_ns(self) -> int:
        """Virtual."""
        now_ns: int = self._world.clock.now_ns
        return now_ns

    def run(self) -> list[Finding]:
        try:
            return self._run()
        except Exception as error:  # noqa: BLE001  (any error of a run is what we look for)
            return [of_error(error, self.now_ns)]

    def _run(self) -> list[Finding]:
        findings = self._target.run(self._case.program, self._case.profile)
        if findings:
            return findings
        self._world.converge(REST_S, stores=False)
        findings = self._come_to_hold(AT_REST)
        if findings:
            return findings
        self._world.converge(REST_S)
        return self._come_to_hold(EMPTY)

    def _come_to_hold(self, checks: Sequence[Check]) -> list[Finding]:
        """What still does not hold after a while: losses have to be found, and told, and reports to arrive."""
        until_ns = self._world.clock.now_ns + REST_S * 10**9
        while True:
            findings = self._ledger.at(checks)
            if not findings or self._world.clock.now_ns >= until_ns:
                return findings
            time.sleep(LOOK_S)


def of_error(error: BaseException, now_ns: int) -> Finding:
    """A finding, with the place that raised it."""
    if isinstance(error, BrokenInvariantError):
        return error.finding
    if isinstance(error, NotConvergedError):
        return Finding("convergence", str(error), now_ns, _stuck(error))
    if str(error).startswith("Deadlock"):
        return Finding("deadlock", str(error), now_ns, "nothing is under way")
    place, is_program = _place(traceback.extract_tb(error.__traceback__))
    invariant = "assertion" if isinstance(error, AssertionError) and not is_program else "error"
    cause = f"{type(error).__name__}{place}"
    # Of a program its line says enough; of raysim, how it came there.
    trace = [] if is_program else traceback.format_exception(error)[-SHOWN_FRAMES:-1]
    text = "\n".join([f"{cause}: {error}", *(line.rstrip() for line in trace)])
    return Finding(invariant, text, now_ns, cause)


def _place(frames: Sequence[traceback.FrameSummary]) -> tuple[str, bool]:
    """Where it was raised, and whether that is in the program that runs: there if any of it was, else in raysim."""
    own = [frame for frame in frames if not _INSTALLED.search(frame.filename)]
    program = [frame for frame in own if not _RAYSIM.search(frame.filename)]
    blamed = (program or own)[-1:]
    said = "".join(f" at {frame.filename.rpartition('/')[2]}: {frame.line}" for frame in blamed)
    return said, bool(program)


def _stuck(error: NotConvergedError) -> str:
    """What the first thing is that did not come to rest, without its values."""
    from raysim.checks.finding import without_values

    return without_values(error.stuck[0]) if error.stuck else ""

"""A test that `@simulate` marks as the target of a hunt: a seed's run is the one that pytest runs. Never a campaign."""

from __future__ import annotations

import sys

from raysim.faults.swarm import Profile
from raysim.journal import Journal
from raysim.tape import Tape
from raysim.testing.campaign.operations import Program
from raysim.testing.case import Case, Verdict
from raysim.testing.catalogue import labels_of
from raysim.testing.running import of_error
from raysim.testing.simulation import Outcome, Simulation


class SimulatedTarget:
    """Fails where the test fails: what raysim's own campaign looks at besides is not asked."""

    def __init__(self, name: str, simulation: Simulation) -> None:
        self.name = name
        self.module = simulation.function.__module__
        self.labels = labels_of(simulation.function)
        self._simulation = simulation

    def profile(self, tape: Tape) -> Profile:
        return self._simulation.settings.profile(tape)

    def sample(self, tape: Tape) -> Program:
        return ()

    def run_alone(self, case: Case, journal: Journal, tape: Tape | None) -> Verdict:
        try:
            outcome = self._simulation.run(
                case.seed,
                profile=case.profile,
                tape=tape,
                journal=journal,
            )
        except _skips():
            return Verdict([], journal.digest() or "")
        return verdict_of(outcome)


def verdict_of(outcome: Outcome) -> Verdict:
    """Of an outcome whose journal has a digest."""
    findings = [] if outcome.error is None else [of_error(outcome.error, outcome.ended_ns)]
    journal = outcome.journal
    return Verdict(findings, journal.digest() or "", outcome.ended_ns / 1e9, journal.count)


def _skips() -> tuple[type[BaseException], ...]:
    pytest = sys.modules.get("pytest")
    return () if pytest is None else (pytest.skip.Exception,)

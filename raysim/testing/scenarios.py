"""A scenario file as the target of a hunt: each seed runs it, and what it expects has to hold. Never samples faults.

Cluster, faults and workload are the scenario's own; the seed decides what it leaves open.
"""

from __future__ import annotations

from pathlib import Path

from raysim.checks import ledger
from raysim.checks.finding import Finding
from raysim.exceptions import RayError
from raysim.faults.swarm import Profile
from raysim.journal import Journal
from raysim.scenario.loading import load_experiment
from raysim.scenario.problems import ScenarioError
from raysim.scenario.programs import run_experiment
from raysim.scenario.running import RunOptions
from raysim.tape import Tape
from raysim.testing.campaign.operations import Program
from raysim.testing.case import Case, Verdict
from raysim.testing.target import TargetError


class ScenarioTarget:
    """Raises TargetError for a file that is no scenario."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.module = ""
        self.labels: tuple[str, ...] = ()
        try:
            self._experiment = load_experiment(Path(name))
        except ScenarioError as error:
            raise TargetError("\n".join(map(str, error.problems))) from error

    def profile(self, tape: Tape) -> Profile:
        return Profile()

    def sample(self, tape: Tape) -> Program:
        return ()

    def run_alone(self, case: Case, journal: Journal, tape: Tape | None) -> Verdict:
        experiment = self._experiment.varied(seed=case.seed)
        findings: list[Finding] = []
        try:
            ended = run_experiment(experiment, RunOptions(journal=journal))
        except RayError as error:
            findings.append(Finding("error", f"the run broke off: {error}"))
        else:
            findings += [
                Finding("expectation", f"{judgement.text}: {judgement.because}", 0, judgement.text)
                for judgement in ended.run.summary.expectations
                if not judgement.held
            ]
            if ended.status:
                findings.append(Finding("error", f"the program ended with status {ended.status}"))
        findings += ledger.in_journal(journal.records)
        return Verdict(findings, journal.digest() or "", 0.0, journal.count)

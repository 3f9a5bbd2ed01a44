"""A failure again, from its bundle. Never shows it: see raysim.cli."""

from __future__ import annotations

from typing import BinaryIO

from raysim.checks.finding import Finding
from raysim.journal import Journal, Level
from raysim.testing.bundle import Bundle
from raysim.testing.case import Target, Verdict
from raysim.testing.running import run_case


def replay(bundle: Bundle, target: Target, trace: BinaryIO | None = None) -> tuple[Verdict, bool]:
    """What it comes to now, and whether that is the recorded run, event for event.

    `trace`: every message, timer and note is written there, as `raysim run --trace` does.
    """
    journal = Journal(Level.NOTES)
    if trace is not None:
        traced = Journal(Level.ALL, sink=trace)
        verdict = run_case(target, bundle.case, traced)
        return verdict, _causes(verdict.findings) == _causes(bundle.findings)
    verdict = run_case(target, bundle.case, journal)
    same = _causes(verdict.findings) == _causes(bundle.findings)
    return verdict, same and verdict.digest == bundle.digest


def _causes(findings: list[Finding]) -> list[tuple[str, int]]:
    """Not their texts: an assert says more under pytest."""
    return [(finding.group(), finding.at_ns) for finding in findings]


def trace_of(bundle: Bundle, target: Target) -> Journal:
    """The full journal of the run, in memory."""
    journal = Journal(Level.ALL)
    run_case(target, bundle.case, journal)
    return journal

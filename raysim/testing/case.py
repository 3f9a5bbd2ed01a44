"""One run as data, and what it came to. Never runs it: see running.

A case is whole: its seed decides every choice that is not written down in it. What is written down (the
profile, the program, draws) may be edited, which is how a failure shrinks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import msgspec

from raysim.checks.finding import Finding
from raysim.faults.swarm import Profile, profile_from_json
from raysim.journal import Journal
from raysim.tape import Recording, Tape
from raysim.testing.campaign.operations import Program


class Sampled(Protocol):
    """What runs in a campaign, as far as all of them are alike."""

    name: str
    """As a command line names it."""
    module: str
    """The name of the module that its file was loaded as; empty where it is of no file."""
    labels: tuple[str, ...]
    """Of each `sometimes` and `reachable` that a run could come to."""

    def profile(self, tape: Tape) -> Profile:
        """Of one run."""

    def sample(self, tape: Tape) -> Program:
        """The program as data; empty where it is code that is not sampled."""


class OnCluster(Sampled, Protocol):
    """A target that runs on a cluster that is made for it."""

    def run(self, program: Program, profile: Profile) -> list[Finding]:
        """On the cluster at hand. What it raises is a finding as well."""


@runtime_checkable
class Alone(Sampled, Protocol):
    """A target that makes its own cluster, and judges its run itself."""

    def run_alone(self, case: Case, journal: Journal, tape: Tape | None) -> Verdict:
        """`tape`: where the draws of the run come from, instead of the seed."""


Target = OnCluster | Alone


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """All that decides a run of a target."""

    seed: int
    profile: Profile
    program: Program = ()
    recording: Recording | None = None
    """Draws of the run itself; None: the seed's."""

    @classmethod
    def sampled(cls, target: Target, tape: Tape, seed: int) -> Case:
        return cls(seed=seed, profile=target.profile(tape), program=target.sample(tape))

    def changed(self, **changes: Any) -> Case:
        return msgspec.structs.replace(self, **changes)

    def to_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "profile": self.profile.to_json(),
            "program": msgspec.to_builtins(self.program),
            "recording": msgspec.to_builtins(self.recording),
        }


def case_from_json(plain: Mapping[str, Any]) -> Case:
    """Raises ValueError for what is no case."""
    try:
        return Case(
            seed=plain["seed"],
            profile=profile_from_json(plain["profile"]),
            program=msgspec.convert(plain["program"], Program),
            recording=msgspec.convert(plain["recording"], Recording | None),
        )
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise ValueError(f"this is no case of a campaign: {error!r}") from error


class Verdict(msgspec.Struct, frozen=True):
    """What a run came to."""

    findings: list[Finding]
    digest: str
    """Of the journal, notes or all as was asked for."""
    virtual_s: float = 0.0
    events: int = 0
    """Records in the journal."""

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def group(self) -> str:
        """What failures of one cause have in common; empty for a run that went well."""
        return self.findings[0].group() if self.findings else ""

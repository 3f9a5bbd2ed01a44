"""Hypothesis strategies: clusters, faults, programs, and the choices of a run themselves. Never runs anything.

What a strategy draws, Hypothesis makes simpler when a test fails: fewer faults, fewer nodes, and with `tapes()`
an order of events that is as ordinary as can be.
"""

from __future__ import annotations

from typing import Final

import msgspec
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from raysim.faults import Fault, KillWorker, Moment
from raysim.faults.kinds import BY_NAME
from raysim.faults.sampling import sample_fault
from raysim.faults.swarm import SECOND, Budget, Profile, Swarm, sample, sample_faults
from raysim.tape import Draws, Tape
from raysim.testing.campaign.driver import ProtocolCampaign
from raysim.testing.campaign.operations import Program
from raysim.testing.campaign.sampling import sample_program
from raysim.testing.settings import ALL, kinds_of

OF_ONE_LABEL: Final = 100
IN_ALL: Final = 400
"""Draws that Hypothesis makes of one run; later ones are the simplest. It can hold about a thousand."""

STEPS: Final = 1 << 10
"""Draws from a larger range are one of so many: Hypothesis seldom draws a large number from a large range, and
takes long to make it simple."""


class HypothesisTape:
    """The choices of a run, made by Hypothesis as they are needed."""

    def __init__(self, draw: DrawFn) -> None:
        self._draw = draw
        self.drawn: dict[str, list[int]] = {}
        """By label, what Hypothesis chose so far."""
        self._left = IN_ALL
        self._stopped: BaseException | None = None

    def draw(self, label: str, n: int) -> int:
        if n <= STEPS:
            return self._number(label, n) if n > 1 else 0
        return self._number(label, STEPS) * n // STEPS

    def unit(self, label: str) -> float:
        return self._number(label, STEPS) / STEPS

    def _number(self, label: str, n: int) -> int:
        drawn = self.drawn.setdefault(label, [])
        if self._stopped is not None or not self._left or len(drawn) == OF_ONE_LABEL:
            return 0
        try:
            value: int = self._draw(st.integers(0, n - 1))
        except BaseException as stopped:  # noqa: BLE001  (`check` raises it again)
            # Hypothesis has enough of this example. A role that is half-way through a message cannot be left,
            # so the run goes on with the simplest choices, and `check` ends the example after it.
            self._stopped = stopped
            return 0
        self._left -= 1
        drawn.append(value)
        return value

    def check(self) -> None:
        """After the run: raises what Hypothesis raised meanwhile."""
        if self._stopped is not None:
            raise self._stopped

    def __repr__(self) -> str:
        """What is not the simplest, by label."""
        told = {label: values for label, values in sorted(self.drawn.items()) if any(values)}
        return f"HypothesisTape({told})" if told else "HypothesisTape()"


@st.composite
def tapes(draw: DrawFn) -> HypothesisTape:
    """For `simulated(tape=...)`: Hypothesis makes the choices of the run, and simplifies them."""
    return HypothesisTape(draw)


@st.composite
def clusters(
    draw: DrawFn,
    *,
    nodes: tuple[int, int] = (1, 6),
    num_cpus: tuple[int, int] = (1, 4),
    knobs: bool = False,
) -> Profile:
    """A cluster with a network and an order of events, and no faults. `knobs`: also other settings of raysim."""
    swarm = Swarm(
        nodes=nodes,
        cpus=num_cpus,
        budget=Budget(faults=0),
        buggify=None,
        knobs_changed=0.2 if knobs else 0.0,
    )
    return sample(HypothesisTape(draw), swarm)


@st.composite
def faults(
    draw: DrawFn,
    kinds: str = ALL,
    *,
    nodes: int = 4,
    most: int = 4,
    window_s: float = 10.0,
    node_losses: int | None = None,
    worker_losses: int | None = None,
) -> list[Fault]:
    """At most so many faults of these kinds (words as `simulate` takes them) for a cluster of `nodes`.

    They strike within `window_s` virtual seconds. Raises ValueError for a word that names no kind.
    """
    budget = Budget(
        faults=most,
        node_losses=node_losses,
        worker_losses=worker_losses,
        kinds=kinds_of(kinds),
    )
    swarm = Swarm(window_ns=round(window_s * SECOND), budget=budget, kinds_on=0.6)
    return list(sample_faults(HypothesisTape(draw), swarm, nodes))


@st.composite
def single_faults(draw: DrawFn, kinds: str = ALL, *, nodes: int = 4) -> Fault:
    """One of these kinds, always."""
    kind = BY_NAME[draw(st.sampled_from(kinds_of(kinds)))]
    return sample_fault(kind, Draws(HypothesisTape(draw), "fault"), SECOND, nodes)


class Workload(msgspec.Struct, frozen=True):
    """A random program of tasks, actors and objects, whose results are known beforehand."""

    program: Program

    def run(self, faults: bool = False) -> None:
        """On the cluster at hand. `faults`: processes may be lost, and results with them, as Ray allows it.

        Raises AssertionError with each result that is not what it has to be.
        """
        findings = ProtocolCampaign().run(self.program, _ROUGH if faults else Profile())
        if findings:
            raise AssertionError("\n".join(finding.text for finding in findings))

    def __repr__(self) -> str:
        lines = [f"  {operation}" for operation in self.program]
        return "\n".join(["Workload(", *lines, ")"])


_ROUGH: Final = Profile(faults=(KillWorker(at=Moment()),))
"""Any profile with a fault: a result may be an error where one has to be expected."""


@st.composite
def workloads(draw: DrawFn, operations: tuple[int, int] = (1, 20)) -> Workload:
    """Programs of so many operations: calls over each other's results, actors, objects large and small,
    generators, cancellation, placement groups. A reference interpreter says what they have to give."""
    tape: Tape = HypothesisTape(draw)
    return Workload(sample_program(tape, draw(st.integers(*operations))))

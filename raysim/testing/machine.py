"""A base for Hypothesis' stateful tests on a simulated cluster, in which faults are rules as well.

    class Bank(ClusterMachine):
        nodes = 3
        fault_kinds = "crashes"

        @rule(amount=st.integers(1, 100))
        def deposit(self, amount): ...

    TestBank = Bank.TestCase

Never decides what is right: rules and invariants of the subclass do.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final

import msgspec
from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from raysim.faults import Fault, Moment, PauseGcs
from raysim.faults.swarm import Profile
from raysim.testing.clock import sleep
from raysim.testing.properties import seen
from raysim.testing.settings import GROUPS, kinds_of
from raysim.testing.simulation import simulated
from raysim.testing.strategies import single_faults

NEVER: Final = PauseGcs(at=Moment(ns=1 << 62))
"""Strikes in a hundred years: the GCS is a process of its own only where a fault of it is planned."""


class ClusterMachine(RuleBasedStateMachine):
    """Each example has a cluster of its own, connected from the first rule on to the last."""

    nodes: ClassVar[int] = 3
    num_cpus: ClassVar[int] = 2
    """Of each node."""
    fault_kinds: ClassVar[str] = ""
    """Kinds of fault that strike between rules, in words as `simulate` takes them; empty: none."""
    fault_limit: ClassVar[int] = 3
    """Faults in one example."""

    def __init__(self) -> None:
        super().__init__()
        seen().begin_run()
        self._struck = 0
        kinds = kinds_of(self.fault_kinds)
        profile = Profile(
            nodes=self.nodes,
            cpus=self.num_cpus,
            faults=(NEVER,) if set(kinds) & set(GROUPS["gcs"]) else (),
        )
        self._cluster = simulated(profile)
        self.world: Any = self._cluster.__enter__()
        """The simulated world: `strike`, `heal` and `converge` are its."""

    @precondition(lambda self: self.fault_kinds and self._struck < self.fault_limit)
    @rule(data=st.data())
    def fault(self, data: st.DataObject) -> None:
        """One of the kinds strikes now, if there is somebody to strike."""
        drawn = data.draw(single_faults(self.fault_kinds, nodes=self.nodes), label="fault")
        try:
            self.strike(drawn)
        except ValueError:
            note(f"{drawn} finds nobody to strike")

    @rule(seconds=st.sampled_from([0.01, 1.0, 30.0]))
    def time_passes(self, seconds: float) -> None:
        """For whatever is under way."""
        sleep(seconds)

    def strike(self, fault: Fault) -> None:
        """Now, whatever its moment is. Raises ValueError if no node is left that it could strike."""
        self._struck += 1
        self.world.strike(msgspec.structs.replace(fault, at=Moment()))

    def teardown(self) -> None:
        """The cluster ends; a subclass that looks at what is left calls this last."""
        self._cluster.__exit__(None, None, None)
        broken = seen().broken
        if broken:
            raise broken[0]

"""When faults strike and when they are over. Never what they do: see the modules beside this one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from raysim.faults import Fault, Heal, PlannedFault, plan_faults
from raysim.faults.course import Awaited, InForce
from raysim.faults.moment import Moment, event_of
from raysim.faults.of_gcs import check_gcs_process
from raysim.journal import FaultInjected, Note
from raysim.protocol.host import RunnableTask
from raysim_sim.disturbance import Disturbance
from raysim_sim.faults import links, machines, processes
from raysim_sim.faults.constructors import Constructors
from raysim_sim.faults.effect import Effect, Perform
from raysim_sim.hosts import Origin

if TYPE_CHECKING:
    from raysim_sim.world import SimWorld

PERFORMED: Final[dict[type[Fault], Perform]] = {
    **processes.PERFORMED,
    **links.PERFORMED,
    **machines.PERFORMED,
}

FAULTS: Final = "faults"
"""Whose notes in the journal say what struck."""


class Faults:
    """All faults of a world: those to come, and those in force."""

    def __init__(self, world: "SimWorld") -> None:
        self._world = world
        self._planned: list[PlannedFault] = []
        self._awaited = Awaited()
        self._in_force = InForce(self.expect)
        self._healed = False
        self.constructors = Constructors()
        self._disturbance: Disturbance | None = None

    @property
    def disturbance(self) -> Disturbance:
        """Made for the first fault of a link: a network without costs nothing more."""
        if self._disturbance is None:
            self._disturbance = Disturbance(self._world.network, self._world.clock)
        return self._disturbance

    def plan(self, given: tuple[Fault | PlannedFault, ...]) -> None:
        """Decide every fault that the run was given. Raises ValueError for one it cannot have."""
        world = self._world
        open_ones = [fault for fault in given if isinstance(fault, Fault)]
        self._planned = [fault for fault in given if isinstance(fault, PlannedFault)]
        if open_ones:
            self._planned += self._decide(open_ones)
        for planned in self._planned:
            machines.check(world, planned.fault)

    def _decide(self, faults: list[Fault]) -> tuple[PlannedFault, ...]:
        world = self._world
        return plan_faults(
            faults,
            nodes=len(world.nodes),
            expected_makespan_ns=world.options.expected_makespan_ns,
            rng=world.streams.stream("faults: plan"),
            names=[node.name for node in world.nodes],
        )

    def arm(self) -> None:
        """From now on the faults strike, each at its time from now."""
        planned_ones, self._planned = (
            self._planned,
            [],
        )  # A driver that connects later arms them no more.
        for planned in planned_ones:
            if planned.fault.at.event:
                self._awaited.add(planned)
            else:
                self._strike_later(planned)

    def noted(self, note: Note) -> None:
        """Something happened that a fault may wait for."""
        if self._awaited:
            for planned in self._awaited.happened(event_of(note)):
                self._strike_later(planned)

    def constructor(self, task: RunnableTask) -> None:
        """An actor's constructor is about to run."""
        if self.constructors.waiting:
            self.constructors.strike(task)

    def _strike_later(self, planned: PlannedFault) -> None:
        self.expect(planned.at_ns, lambda: self.strike(planned))

    def expect(self, delay_ns: int, action: Callable[[], None]) -> None:
        """Nobody who waits meanwhile counts as stuck."""
        clock = self._world.clock
        clock.expected += 1

        def act() -> None:
            clock.expected -= 1
            clock.active_ns = clock.now_ns
            action()

        clock.call(delay_ns, act)

    def strike_now(self, fault: Fault) -> None:
        """Whatever its moment says. Raises ValueError for one that this world cannot have."""
        if self._world.gcs_process is None:
            check_gcs_process([fault], "Start the cluster with such a fault planned.")
        at_once = msgspec.structs.replace(fault, at=Moment())
        (planned,) = self._decide([at_once])
        self.strike(planned)

    def origin(self) -> Origin:
        """Of an end that the fault brings about which is being performed: its note is the next of its kind."""
        return Origin(FAULTS, self._world.journal.count)

    def strike(self, planned: PlannedFault) -> None:
        """Now, if the cluster has not been healed for good."""
        if self._healed:
            return
        fault = planned.fault
        if isinstance(fault, Heal):
            self._in_force.end_all()
            effect = Effect("all that lasts")
        else:
            effect = PERFORMED[type(fault)](self._world, planned, fault)
        note = FaultInjected(fault.tag(), effect.target)
        self._world.journal_note(FAULTS, note)
        if effect.undo is not None:
            self._in_force.add(fault, effect.undo)
        self.noted(note)

    def heal(self) -> None:
        """No fault strikes any more, and none is in force."""
        self._healed = True
        self._awaited.clear()
        self.constructors.waiting.clear()
        self._in_force.end_all()

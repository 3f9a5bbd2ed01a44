"""When faults strike and when they are over. Never what they do: see the modules beside this one."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from raysim.faults import Fault, Heal, PlannedFault, plan_faults
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
        self._awaited: list[tuple[PlannedFault, int]] = []
        """Those that wait for an event, and how often it has to happen still."""
        self._in_force: list[Callable[[], None]] = []
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
                self._awaited.append((planned, planned.fault.at.count))
            else:
                self._strike_later(planned)

    def noted(self, note: Note) -> None:
        """Something happened that a fault may wait for."""
        if not self._awaited:
            return
        event = event_of(note)
        left: list[tuple[PlannedFault, int]] = []
        for planned, count in self._awaited:
            if planned.fault.at.event != event:
                left.append((planned, count))
            elif count > 1:
                left.append((planned, count - 1))
            else:
                self._strike_later(planned)
        self._awaited = left

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
            self.undo_all()
            effect = Effect("all that lasts")
        else:
            effect = PERFORMED[type(fault)](self._world, planned, fault)
        note = FaultInjected(fault.tag(), effect.target)
        self._world.journal_note(FAULTS, note)
        if effect.undo is not None:
            self._in_force.append(effect.undo)
            lasting_ns: int | None = getattr(fault, "lasting", None)
            if lasting_ns is not None:
                self.expect(lasting_ns, _Once(self, effect.undo))
        self.noted(note)

    def over(self, undo: Callable[[], None]) -> None:
        """What lasts ends, unless it was ended before."""
        if undo in self._in_force:
            self._in_force.remove(undo)
            undo()

    def undo_all(self) -> None:
        in_force, self._in_force = self._in_force, []
        for undo in in_force:
            undo()

    def heal(self) -> None:
        """No fault strikes any more, and none is in force."""
        self._healed = True
        self._awaited.clear()
        self.constructors.waiting.clear()
        self.undo_all()


class _Once(msgspec.Struct, eq=False):
    faults: Any
    undo: Callable[[], None]

    def __call__(self) -> None:
        self.faults.over(self.undo)

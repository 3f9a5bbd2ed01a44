"""When faults strike and when they are over. Never what they do: see the modules beside this one.

A thread of the driver's process does it all, so that neither the program nor the protocol waits for it. It
ends with that process: workers are killed then, and a node's process that stands still goes on, to see it.
"""

import logging
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from heapq import heappop, heappush
from random import Random
from typing import TYPE_CHECKING, Final

import msgspec

from raysim.config import MS
from raysim.faults import Fault, Heal, PlannedFault, fault_of, plan_faults
from raysim.faults.course import Awaited, InForce
from raysim.faults.moment import Moment, event_of
from raysim.faults.of_gcs import check_gcs_process
from raysim.faults.support import CLUSTER, check
from raysim.journal import FaultInjected, Note
from raysim_cluster.control import Done, Strike
from raysim_cluster.faults import gcs, links, machines, processes
from raysim_cluster.faults.effect import Effect, Perform
from raysim_cluster.faults.links import Rule
from raysim_cluster.faults.nodes import Node, Then

if TYPE_CHECKING:
    from raysim_cluster.world import ClusterWorld

PERFORMED: Final[dict[type[Fault], Perform]] = {
    **processes.PERFORMED,
    **links.PERFORMED,
    **machines.PERFORMED,
    **gcs.PERFORMED,
}

FAULTS: Final = "faults"
"""Whose notes in the journal say what struck."""


class Faults:
    """All faults of a world: those to come, and those in force."""

    def __init__(self, world: "ClusterWorld") -> None:
        self._world = world
        self.config = world.options.config
        self.nodes: list[Node] = []
        self.rules: list[Rule] = []
        """Of links, those in force."""
        self._streams: dict[str, Random] = {}
        self._numbers = 0
        self._timers: list[tuple[int, int, Callable[[], None]]] = []
        self._awaited = Awaited()
        self._follows = False
        self._in_force = InForce(self.expect)
        self._posted: deque[Callable[[], None]] = deque()
        """What other threads have for ours."""
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._gate = threading.Lock()
        """Nobody rings the bell once it is closing."""
        self._closing = False
        self._asking: dict[threading.Event, None] = {}
        self._comers: list[threading.Thread] = []
        self._thread: threading.Thread | None = None

    # --- from the driver's threads ----------------------------------------------------------------

    def plan(self, faults: Sequence[Fault | PlannedFault]) -> list[PlannedFault]:
        """Decide those that are not decided. Raises ValueError for one that this cluster cannot have."""
        check(CLUSTER, tuple(map(fault_of, faults)))
        if not self._world.gcs_apart:
            check_gcs_process(
                faults,
                'Start the cluster with such a fault planned, or world={"gcs_process": True}.',
            )
        planned = [fault for fault in faults if isinstance(fault, PlannedFault)]
        names = self._world.node_names()
        planned += plan_faults(
            [fault for fault in faults if isinstance(fault, Fault)],
            nodes=len(names),
            expected_makespan_ns=self._world.options.world.get("expected_makespan_ns"),
            rng=self.rng("faults: plan"),
            names=names,
        )
        return planned

    def arm(self, planned: Sequence[PlannedFault]) -> None:
        """From now on these strike, each at its time from now."""
        if not planned:
            return
        begun = time.monotonic_ns()
        journal = self._world.options.journal
        if journal is not None and any(one.fault.at.event for one in planned):
            if not self._follows:
                journal.follow(self._noted)
            self._follows = True

        def arm() -> None:
            for one in planned:
                if one.fault.at.event:
                    self._awaited.add(one)
                else:
                    passed = time.monotonic_ns() - begun
                    self.expect(one.at_ns - passed, partial(self._strike, one))

        self._post(arm)

    def strike_now(self, fault: Fault) -> str:
        """Whatever its moment says. Whom it struck, for people, once it has: a node that stands still
        does most things only when it goes on."""
        (planned,) = self.plan([msgspec.structs.replace(fault, at=Moment())])
        told: list[str] = []
        struck = threading.Event()

        def answer(target: str) -> None:
            told.append(target)
            struck.set()

        self._asking[struck] = None
        self._post(lambda: self._strike(planned, answer))
        struck.wait()
        del self._asking[struck]
        return told[0] if told else "nobody, as the cluster has ended"

    def stop(self) -> None:
        """No fault strikes any more, and no node's process stands still."""
        with self._gate:
            self._closing = True
            os.eventfd_write(self._bell, 1)
        if self._thread is not None:
            self._thread.join()
        for node in self.nodes:
            while node.process.is_paused:
                node.process.go_on()
            node.close()
        for comer in self._comers:
            comer.join()
        for struck in tuple(self._asking):
            struck.set()
        os.close(self._bell)

    def abandon(self) -> None:
        """In a fork, where the thread is not."""
        for node in self.nodes:
            node.abandon()
        os.close(self._bell)

    # --- what performing asks -----------------------------------------------------------------------

    def rng(self, purpose: str) -> Random:
        stream = self._streams.get(purpose)
        if stream is None:
            stream = self._streams[purpose] = Random(f"{self._world.options.seed}/{purpose}")
        return stream

    def next_number(self) -> int:
        self._numbers += 1
        return self._numbers

    def order(self, node: Node, strike: Strike, then: Then = lambda done: None) -> None:
        """`then` gets the answer. A node that stands still answers when it goes on."""
        node.order(self.next_number(), strike, then)

    def undo(self, node: Node, strike: Strike) -> Callable[[], None]:
        """Orders that, unless the node is another one by then."""
        process = node.process
        return lambda: self.order(node, strike) if node.process is process else None

    def order_all(self, orders: Sequence[tuple[Node, Strike]], then: Callable[[], None]) -> None:
        """`then`: once all have answered that do not stand still."""
        awaited = [node for node, _ in orders if not node.process.is_paused]
        left = len(awaited)

        def answered(done: Done) -> None:
            nonlocal left
            left -= 1
            if not left:
                then()

        if not left:
            then()
        for node, strike in orders:
            self.order(node, strike, answered if node in awaited else lambda done: None)

    def expect(self, delay_ns: int, action: Callable[[], None]) -> None:
        due_ns = time.monotonic_ns() + delay_ns
        heappush(self._timers, (due_ns, self.next_number(), action))

    def come_back(self, node: Node) -> None:
        """An equal one in its place. It takes a while to start, in which other faults strike."""

        def start() -> None:
            try:
                self._world.start_again(node.process)
            except (OSError, RuntimeError) as error:
                logging.getLogger("raysim").warning("%s does not come back: %s", node.name, error)
            self._post(lambda: None)  # It is to be met.

        comer = threading.Thread(target=start, name="raysim-restart")
        self._comers.append(comer)
        comer.start()

    # --- our own thread -----------------------------------------------------------------------------

    def _post(self, action: Callable[[], None]) -> None:
        with self._gate:
            if self._closing:
                return
            self._posted.append(action)
            os.eventfd_write(self._bell, 1)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="raysim-faults", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._closing:
            self._wait()
            self._meet_newcomers()
            for _ in range(len(self._posted)):  # What comes meanwhile keeps no fault from its time.
                self._posted.popleft()()
            now = time.monotonic_ns()
            while self._timers and self._timers[0][0] <= now and not self._closing:
                heappop(self._timers)[2]()

    def _wait(self) -> None:
        """Until a node answers, a fault's time has come, or somebody rings."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        open_ones = {node.channel.fileno(): node for node in self.nodes if node.is_open}
        for fd in open_ones:
            poll.register(fd, select.POLLIN)
        milliseconds = None
        if self._timers:
            milliseconds = max(0, -(-(self._timers[0][0] - time.monotonic_ns()) // MS))
        for fd, _ in poll.poll(milliseconds):
            if fd == self._bell:
                os.eventfd_read(self._bell)
            elif open_ones[fd].is_open:
                open_ones[fd].answer()

    def _strike(self, planned: PlannedFault, answer: Callable[[str], None] | None = None) -> None:
        fault = planned.fault

        def told(effect: Effect) -> None:
            self._struck(fault, effect)
            if answer is not None:
                answer(effect.target)

        if isinstance(fault, Heal):
            disturbed = bool(self.rules)
            self._in_force.end_all()
            healed = Effect("all that lasts")
            if disturbed:  # Asked last, answered last: every link is whole by then.
                links.tell(self, lambda: told(healed))
            else:
                told(healed)
        else:
            PERFORMED[type(fault)](self, planned, fault, told)

    def _struck(self, fault: Fault, effect: Effect) -> None:
        self._world.note(FAULTS, FaultInjected(fault.tag(), effect.target))
        if effect.undo is not None:
            self._in_force.add(fault, effect.undo)

    def _noted(self, note: object) -> None:
        """From whichever thread writes the journal: something happened that a fault may wait for."""
        if self._closing or not isinstance(note, Note):
            return
        event = event_of(note)
        if event is not None:
            self._post(lambda: self._happened(event))

    def _happened(self, event: str) -> None:
        for planned in self._awaited.happened(event):
            self.expect(planned.at_ns, partial(self._strike, planned))

    def _meet_newcomers(self) -> None:
        """Nodes are added at any time, and come back."""
        for index, process in enumerate(self._world.node_processes()):
            if index == len(self.nodes):
                self.nodes.append(Node(index, process))
            elif self.nodes[index].process is not process:
                self.nodes[index].replace(process)
            else:
                continue
            if self.rules:
                links.tell(self, lambda: None)

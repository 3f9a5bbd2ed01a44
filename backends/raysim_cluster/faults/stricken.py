"""What faults do inside a node's process, when its driver says so. Never when, and never to whom on other nodes."""

import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from raysim.protocol.gcs import Gcs
from raysim.protocol.messages import DrainNode
from raysim.protocol.raylet import Raylet
from raysim.protocol.raylet.workers import Worker
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId
from raysim_cluster.arena import ArenaStore
from raysim_cluster.control import (
    Done,
    Drain,
    EndGcs,
    FindActors,
    GoOn,
    LimitStore,
    LoseCommit,
    Order,
    PauseGcs,
    SetDisk,
    SetLinks,
    SetPressure,
    SignalWorker,
    SpoilFile,
    StopWorkers,
    Strike,
)
from raysim_cluster.disk import NodeDisk
from raysim_cluster.disturbed import Disturbed, LinkRule, Obeyed
from raysim_cluster.faults.actors import living_actors
from raysim_cluster.memory import Gauge

if TYPE_CHECKING:
    from raysim_cluster.node import ForkLauncher, NodeHost

_PURPOSE: Final = "faults"
_OBEYS_WITHIN_NS: Final = 2_000_000_000
"""One that stands still, or computes where no other thread has a turn, is not waited for longer."""


class Stricken:
    """The node's parts, as faults see them."""

    def __init__(
        self,
        host: "NodeHost",
        raylet: Raylet,
        gcs: Gcs | None,
        launcher: "ForkLauncher",
        disk: NodeDisk,
        store: ArenaStore,
        gauge: Gauge,
        answer: Callable[[Done], None],
    ) -> None:
        self._host = host
        self._raylet = raylet
        self._gcs = gcs
        self._launcher = launcher
        self._disk = disk
        self._store = store
        self._gauge = gauge
        self._answer = answer
        self._limits: dict[int, int] = {}
        self._rules: list[LinkRule] = []
        self._not_obeyed: dict[int, set[WorkerId]] = {}
        """By order, the processes that have not said yet that its rules hold."""
        host.transport.joined = self._tell_of_links
        assert host.process is not None
        host.process.handlers[Obeyed] = self._on_obeyed

    def obey(self, order: Order) -> None:
        if isinstance(order.strike, SetLinks):
            self._set_links(order.number, order.strike.rules)
            return
        done = self._perform(order.strike)
        done.number = order.number
        self._answer(done)

    def _perform(self, strike: Strike) -> Done:
        match strike:
            case SignalWorker():
                return self._signal_worker(strike)
            case StopWorkers():
                return self._stop_workers()
            case Drain(deadline_ns=deadline_ns):
                return self._drain(deadline_ns)
            case GoOn(tokens=tokens):
                self._launcher.signal(tokens, signal.SIGCONT)
                return Done()
            case FindActors(actor=actor):
                assert self._gcs is not None, "only the GCS knows all actors"
                return living_actors(self._gcs, actor)
            case EndGcs() | PauseGcs() | LoseCommit():
                raise AssertionError("the GCS is no process of its own here")
            case SetLinks():
                raise AssertionError("it is answered later")
            case SetDisk(full=full, factor=factor):
                self._disk.full, self._disk.factor = full, factor
                return Done(target="its disk")
            case SpoilFile(lose=lose):
                return Done(target=self._disk.spoil(self._host.rng(_PURPOSE), lose))
            case LimitStore(fault=fault, room=room):
                return self._limit_store(fault, room)
            case SetPressure(on=on):
                return self._press(on)

    def _drain(self, deadline_ns: int) -> Done:
        drain = DrainNode(0, self._host.address.node_id, "a fault", deadline_ns)
        self._host.send(self._raylet.gcs, drain)
        return Done(target="it")

    # --- workers ----------------------------------------------------------------------------------

    def _signal_worker(self, strike: SignalWorker) -> Done:
        worker = self._chosen(strike)
        if worker is None:
            return Done()
        self._launcher.signal([worker.token], strike.signal)
        return Done(target=f"worker-{worker.token}", tokens=[worker.token])

    def _chosen(self, strike: SignalWorker) -> Worker | None:
        workers = self._raylet.pool.workers
        if strike.worker_id is not None:
            return workers.get(strike.worker_id)
        at_work = [worker for worker in workers.values() if worker.lease is not None]
        candidates = at_work or ([] if strike.busy else list(workers.values()))
        if not candidates:
            return None
        if strike.last:
            return max(candidates, key=_began)
        return self._host.rng(_PURPOSE).choice(candidates)

    def _stop_workers(self) -> Done:
        """Every one that was asked for before is stopped: the fork-server takes one order after another."""
        self._launcher.signal(None, signal.SIGSTOP)
        return Done(target="its workers")

    # --- links ------------------------------------------------------------------------------------

    def _set_links(self, order: int, rules: list[LinkRule]) -> None:
        """Done once all of this node's obey: nothing passes any more when whoever waits for that goes on."""
        self._rules = rules
        host = self._host
        host.obey(rules)
        processes = host.transport.peers_of(host.address.node_id)
        self._not_obeyed[order] = {process.worker_id for process in processes}
        for process in processes:
            host.send(process, Disturbed(order, rules))
        host.call_later(_OBEYS_WITHIN_NS, lambda: self._links_are_set(order))
        self._look_whether_set(order)

    def _on_obeyed(self, sender: Address, obeyed: Obeyed) -> None:
        if obeyed.order in self._not_obeyed:
            self._not_obeyed[obeyed.order].discard(sender.worker_id)
            self._look_whether_set(obeyed.order)

    def _look_whether_set(self, order: int) -> None:
        if not self._not_obeyed[order]:
            self._links_are_set(order)

    def _links_are_set(self, order: int) -> None:
        if self._not_obeyed.pop(order, None) is not None:
            self._answer(Done(order, target="its links"))

    def _tell_of_links(self, process: Address) -> None:
        """One of this node's is new, and knows nothing of what is in force."""
        if self._rules and process.node_id == self._host.address.node_id:
            self._host.send(process, Disturbed(0, self._rules))

    # --- store and memory -------------------------------------------------------------------------

    def _limit_store(self, fault: int, room: int | None) -> Done:
        store = self._store
        if room is None:
            self._limits.pop(fault, None)
        else:
            self._limits[fault] = store.used() + room
        store.limit = min([store.capacity, *self._limits.values()])
        if room is None:
            self._raylet.store.room.serve()
        return Done(target="its store")

    def _press(self, on: bool) -> Done:
        self._gauge.pressed = on
        if on:
            self._raylet.memory.measured(self._gauge.read())
        return Done(target="its memory")


def _began(worker: Worker) -> int:
    return worker.lease.since_ns if worker.lease is not None else 0

"""The leases of an owner: filled with calls, kept a while, given back. Never what a call is or becomes: see tasks."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from raysim.config import Config
from raysim.policies.asked import AskedOfOwners
from raysim.protocol.host import Host
from raysim.protocol.messages import PreemptTasks, PushTasks, ReturnWorkerLease
from raysim.protocol.owner.lease_requests import LeaseRequests
from raysim.protocol.owner.records import OutOfMemory, TaskRecord
from raysim.protocol.owner.scheduling_class import Lease, SchedulingClass
from raysim.protocol.owner.turns import Turns
from raysim.protocol.owner.variants import Variants
from raysim.protocol.process import LAST_WORDS_NS
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import FunctionId, NodeId, TaskId, WorkerId
from raysim.spec.resources import Accelerators
from raysim.spec.task import Default, TaskTemplate

SEND_AT = 64
"""Calls gathered for a busy worker before they are sent. Measured: performance of batches levels off."""

SEND_AFTER_NS = 200_000
"""Nanoseconds that a gathered call may wait for company; one that comes as long after those before it has none to wait
for. Measured: submit-to-start stays under 1 ms."""

BURST: Final = 16
"""Calls of a class within that time that are pushed one by one, each as it comes; those that follow are gathered. A
worker that is faster than its caller would be sent each by itself, and that is most of what a call costs. Ours."""

NO_LEASES: Final[Mapping[int, Lease]] = {}

DEFAULT: Final = Default()


class Leases:
    """All scheduling classes of one owner, and who holds which lease."""

    def __init__(
        self,
        host: Host,
        raylet: Address,
        prefer: Callable[[TaskRecord], Address | None],
        refused: Callable[[TaskRecord, Failure], None],
        lost: Callable[[TaskRecord, Address, str, OutOfMemory | None], None],
    ) -> None:
        self._host = host
        self._config = host.config
        asked = _asked_of_owners(host.config)
        self._policy_queues = asked.queues
        self._variants = Variants(asked)
        self._apart = asked.near or asked.cutoff_ns is not None
        """Whether the policy tells calls of one template apart."""
        self.requests = LeaseRequests(host, raylet, prefer)
        self.turns = Turns()
        self._refused = refused
        self._lost = lost
        self._classes: dict[tuple[object, ...], SchedulingClass] = {}
        self._of_lease: dict[int, SchedulingClass] = {}
        self._by_worker: dict[WorkerId, dict[int, Lease]] = {}
        self._sent_functions: dict[WorkerId, set[FunctionId]] = {}
        self._reported: dict[WorkerId, tuple[str, OutOfMemory | None]] = {}
        """Workers whose end their raylets have seen, and how they ended; their last words are waited for."""
        self._contended: dict[NodeId, int] = {}
        self.draining: dict[NodeId, None] = {}
        """Nodes that are to go: nothing more is pushed there."""
        self._dirty: dict[int, Lease] = {}
        self._gathering: dict[SchedulingClass, None] = {}
        """Those whose queues wait for company."""
        self._flush_timer = False
        self._idle_timer = False
        self._idle_leases: dict[int, tuple[SchedulingClass, Lease]] = {}
        """In the order in which they became so: there may be a hundred thousand others."""

    def class_of(self, template: TaskTemplate, function: bytes | None) -> SchedulingClass:
        key = template.scheduling_key()
        found = self._classes.get(key)
        if found is None:
            queues = self._policy_queues and template.strategy == DEFAULT and not template.selectors
            found = self._classes[key] = SchedulingClass(template, function, queues)
        return found

    # Dispatching

    def add(self, cls: SchedulingClass, record: TaskRecord) -> None:
        """A call is ready to run: pushed now, or with those that follow it."""
        if record.claim is not None:
            cls = self.turns.class_of(cls, record)
            if self._apart:
                cls.near = self._variants.near(record)
            cls.queue.append(record)
            self.dispatch(cls)
            return
        if self._apart and cls.template.strategy == DEFAULT:
            cls = self._variants.of(cls, record)
        queue = cls.queue
        queue.append(record)
        cls.burst += 1
        if cls in self._gathering:
            if len(queue) % SEND_AT == 0 and not cls.queues:
                self.dispatch(cls)
            return
        if cls.queues:
            self._gathering[cls] = None  # Those that are submitted together are placed together.
            self._flush_soon()
            return
        self.dispatch(cls)
        now = self._host.now_ns()
        if now - cls.burst_since_ns > SEND_AFTER_NS:
            cls.burst_since_ns, cls.burst = now, 1
        elif cls.burst >= BURST:
            cls.burst = 0
            self._gathering[cls] = None
            self._flush_soon()

    def dispatch(self, cls: SchedulingClass) -> None:
        """Hand queued calls to leases with room, in turn, and ask for leases for the rest."""
        roomy = cls.roomy
        if cls.queue and roomy:
            window = cls.window(self._config.push_window_ns, self._config.push_window_max)
            if self._host.buggify("owner.push_one"):
                window = 1
            while cls.queue and roomy:
                # The one that was answered last: of calls one after another each finds a worker that is not asleep yet.
                lease_id = next(reversed(roomy))
                if roomy[lease_id].in_flight:
                    lease_id = next(iter(roomy))
                share = -(-len(cls.queue) // len(roomy))
                lease = roomy.pop(lease_id)
                self._fill(cls, lease, min(window, len(lease.in_flight) + share))
                if lease.open and len(lease.in_flight) < window:
                    roomy[lease_id] = lease
        if cls.queue:
            self.requests.ask_for(cls)
        elif cls.asked:
            self.requests.cancel(cls)

    def _fill(self, cls: SchedulingClass, lease: Lease, window: int) -> None:
        in_flight = lease.in_flight
        if not lease.open or not cls.queue or len(in_flight) >= window:
            return
        idle = not in_flight
        now = self._host.now_ns()
        while len(in_flight) < window and (record := cls.next()) is not None:
            record.running = True
            record.pushed_ns = now
            in_flight[record.call.task_id] = record
            lease.outbox.append(record)
        if not lease.outbox:
            return  # Whatever was queued had been cancelled.
        lease.idle_since_ns = -1
        self._idle_leases.pop(lease.lease_id, None)
        if idle or len(lease.outbox) >= SEND_AT or now - lease.sent_ns >= SEND_AFTER_NS:
            self._send(cls, lease)
        else:
            self._dirty[lease.lease_id] = lease
            self._flush_soon()

    def _send(self, cls: SchedulingClass, lease: Lease) -> None:
        calls = [record.call for record in lease.outbox]
        lease.outbox = []
        lease.sent_ns = self._host.now_ns()
        sent = self._sent_functions.get(lease.worker.worker_id)
        if sent is None:
            sent = self._sent_functions[lease.worker.worker_id] = set()
        function = None
        if cls.template.function_id not in sent:
            sent.add(cls.template.function_id)
            function = cls.function
        gpus = lease.accelerators
        if len(calls) > 1 and self._host.buggify("owner.split_batch"):
            first, calls = calls[:1], calls[1:]
            self._host.send(
                lease.worker, PushTasks(lease.lease_id, cls.template, first, function, gpus)
            )
            function = None
        self._host.send(
            lease.worker, PushTasks(lease.lease_id, cls.template, calls, function, gpus)
        )

    def flush(self) -> None:
        """Send what was gathered: somebody is about to wait for it."""
        if self._gathering:
            gathering, self._gathering = self._gathering, {}
            for cls in gathering:
                cls.burst = 0
                self.dispatch(cls)
        if self._dirty:
            dirty, self._dirty = self._dirty, {}
            for lease in dirty.values():
                holder = self._of_lease.get(lease.lease_id)
                if lease.outbox and holder is not None:
                    self._send(holder, lease)

    def _flush_soon(self) -> None:
        if not self._flush_timer:
            self._flush_timer = True
            self._host.call_later(SEND_AFTER_NS, self._flush_late)

    def _flush_late(self) -> None:
        self._flush_timer = False
        still_coming = [cls for cls in self._gathering if cls.burst]
        self.flush()
        if still_coming:
            self._gathering.update(dict.fromkeys(still_coming))
            self._flush_soon()

    # Answers

    def on_granted(
        self, raylet: Address, lease_id: int, worker: Address, accelerators: Accelerators
    ) -> None:
        if self.requests.is_lost(worker.node_id):
            return  # It was under way when its node died: nobody would ever answer there.
        cls = self.requests.answered(lease_id)
        if cls is None:
            holder = self._of_lease.get(lease_id)
            if holder is None or holder.leases[lease_id].raylet != raylet:
                # The cancellation crossed the grant, or a raylet that was asked before grants as well.
                self._host.send(raylet, ReturnWorkerLease(lease_id))
            return
        if raylet.node_id in self.draining:
            self._host.send(raylet, ReturnWorkerLease(lease_id))  # It crossed the word of that.
            self.dispatch(cls)
            return
        cls.most_asked += 1
        if cls.awaited:
            cls.awaited -= 1
        lease = Lease(lease_id, worker, raylet, accelerators)
        cls.leases[lease_id] = cls.roomy[lease_id] = lease
        self._of_lease[lease_id] = cls
        self._by_worker.setdefault(worker.worker_id, {})[lease_id] = lease
        self.dispatch(cls)
        if not lease.in_flight:
            self._return(cls, lease)

    def on_refused(self, lease_id: int, failure: Failure) -> None:
        cls = self.requests.answered(lease_id)
        if cls is not None:
            while (record := cls.next()) is not None:
                self._refused(record, failure)
            self.dispatch(cls)

    # Ends

    def finished(
        self, worker: Address, task_id: TaskId, handed_back: bool
    ) -> SchedulingClass | None:
        """A call left the worker; the class it belongs to, or None where it was not expected."""
        for lease in self._by_worker.get(worker.worker_id, NO_LEASES).values():
            if lease.in_flight.pop(task_id, None) is not None:
                cls = self._of_lease[lease.lease_id]
                lease.open = not (handed_back or lease.retires or cls.queues)
                return cls
        return None

    def retires(self, worker: Address) -> None:
        """It runs nothing any more: its lease is returned once every call was answered."""
        for lease in self._by_worker.get(worker.worker_id, {}).values():
            lease.retires = True
            lease.open = False

    def settle(self, worker: Address) -> None:
        """After a batch of results from this worker: fill its leases again, or let them idle."""
        for lease in list(self._by_worker.get(worker.worker_id, NO_LEASES).values()):
            cls = self._of_lease[lease.lease_id]
            window = cls.window(self._config.push_window_ns, self._config.push_window_max)
            self._fill(cls, lease, window)
            cls.roomy.pop(lease.lease_id, None)
            if lease.open and len(lease.in_flight) < window:
                cls.roomy[lease.lease_id] = lease
            if not cls.queue and cls.asked:
                self.requests.cancel(cls)
            if not lease.in_flight:
                self._idle(cls, lease)

    def _idle(self, cls: SchedulingClass, lease: Lease) -> None:
        now = self._host.now_ns()
        early = self._host.buggify("owner.return_early")
        if cls.claim is not None:
            self._return(cls, lease)  # Whose turn is next is not for its owner to say.
            return
        if early or not lease.open or self._contended.get(lease.raylet.node_id, -1) >= now:
            self._return(cls, lease)
            return
        lease.idle_since_ns = now
        self._idle_leases.pop(lease.lease_id, None)
        self._idle_leases[lease.lease_id] = cls, lease
        if not self._idle_timer:
            self._idle_timer = True
            self._host.call_later(self._config.idle_lease_keep_ns, self._return_idle)

    def _return_idle(self) -> None:
        self._idle_timer = False
        now, keep = self._host.now_ns(), self._config.idle_lease_keep_ns
        due: list[tuple[SchedulingClass, Lease]] = []
        for cls, lease in self._idle_leases.values():
            left = lease.idle_since_ns + keep - now
            if left > 0:
                self._idle_timer = True
                self._host.call_later(left, self._return_idle)
                break
            due.append((cls, lease))
        for cls, lease in due:
            self._return(cls, lease)

    def leave(self) -> None:
        """This process ends: workers that run nothing for it go back, or they would be ended with it."""
        for lease_id, cls in list(self._of_lease.items()):
            lease = cls.leases[lease_id]
            if not lease.in_flight:
                self._return(cls, lease)

    def on_revoke(self, node_id: NodeId, for_ns: int, drains: bool = False) -> None:
        self._contended[node_id] = self._host.now_ns() + for_ns
        if drains:
            self._leave_node(node_id)
        for cls, lease in list(self._idle_leases.values()):
            if lease.raylet.node_id == node_id:
                self._return(cls, lease)

    def _leave_node(self, node_id: NodeId) -> None:
        """What was pushed there runs to its end; the rest goes elsewhere."""
        self.draining[node_id] = None
        classes: dict[SchedulingClass, None] = {}
        for lease_id, cls in self._of_lease.items():
            lease = cls.leases[lease_id]
            if lease.raylet.node_id == node_id:
                lease.retires = True
                lease.open = False
                cls.roomy.pop(lease_id, None)
                classes[cls] = None
        for cls in classes:
            self.dispatch(cls)

    def on_preempt(self, lease_id: int) -> None:
        """Something that comes first waits for its place."""
        cls = self._of_lease.get(lease_id)
        if cls is not None and (calls := list(cls.leases[lease_id].in_flight)):
            self._host.send(cls.leases[lease_id].worker, PreemptTasks(calls))

    def _return(self, cls: SchedulingClass, lease: Lease) -> None:
        self._drop(cls, lease)
        returned = ReturnWorkerLease(lease.lease_id, worker_retires=lease.retires)
        self._host.send(lease.raylet, returned)

    def _drop(self, cls: SchedulingClass, lease: Lease) -> None:
        del cls.leases[lease.lease_id], self._of_lease[lease.lease_id]
        cls.roomy.pop(lease.lease_id, None)
        self._dirty.pop(lease.lease_id, None)
        self._idle_leases.pop(lease.lease_id, None)
        leases = self._by_worker[lease.worker.worker_id]
        del leases[lease.lease_id]
        if not leases:
            del self._by_worker[lease.worker.worker_id]

    def reported_lost(self, worker: Address, reason: str, memory: OutOfMemory | None) -> None:
        """Its raylet saw the worker end. What it had said to this process, results say, may still come, and counts."""
        leases = self._by_worker.get(worker.worker_id, {}).values()
        if not any(lease.in_flight for lease in leases):
            self.worker_lost(worker, reason, memory)
        elif worker.worker_id not in self._reported:
            self._reported[worker.worker_id] = reason, memory
            self.retires(worker)
            self._host.call_later(LAST_WORDS_NS, partial(self._unheard, worker))

    def _unheard(self, worker: Address) -> None:
        if worker.worker_id in self._reported:
            self.worker_lost(worker, "")

    def worker_lost(self, worker: Address, reason: str, memory: OutOfMemory | None = None) -> None:
        """The worker is gone: its leases end, its calls are lost. `memory`: it was ended to free some."""
        reason, memory = self._reported.pop(worker.worker_id, (reason, memory))
        self._sent_functions.pop(worker.worker_id, None)
        for lease in list(self._by_worker.get(worker.worker_id, {}).values()):
            cls = self._of_lease[lease.lease_id]
            self._drop(cls, lease)
            self._host.send(lease.raylet, ReturnWorkerLease(lease.lease_id, worker_failed=True))
            for record in lease.in_flight.values():
                record.running = False
                self._lost(record, worker, reason, memory)
                memory = memory and OutOfMemory()  # Those behind the first have not begun.
            self.dispatch(cls)

    def node_lost(self, node_id: NodeId, reason: str) -> None:
        self.requests.node_lost(node_id)
        for lease_id, cls in list(self._of_lease.items()):
            lease = cls.leases.get(lease_id)
            if lease is not None and lease.worker.node_id == node_id:
                self.worker_lost(lease.worker, reason)

    def where(self, task_id: TaskId) -> Lease | None:
        """The lease that this call was pushed on."""
        for lease_id, cls in self._of_lease.items():
            if task_id in cls.leases[lease_id].in_flight:
                return cls.leases[lease_id]
        return None


def _asked_of_owners(config: Config) -> AskedOfOwners:
    if config.policy == Config().policy:
        return AskedOfOwners()
    # The start of every worker would pay for it.
    from raysim.policies.registry import asked_of_owners

    return asked_of_owners(config)

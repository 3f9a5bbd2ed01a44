"""Every mutant, by the part that loses a safeguard. Each was a bug once: Ray's, or this project's own."""

from __future__ import annotations

from tests.mutants.mutate import Mutant

MUTANTS = (
    # leases
    Mutant(
        "repeated_request_is_new",
        "raylet.leases:Leases._repeated",
        "if lease is not None:",
        "if lease is not None and lease.worker is None:",
        "a request that is asked again gets the worker that it has already",
    ),
    Mutant(
        "busy_worker_is_lent_on",
        "raylet.leases:Leases._end",
        "if kill is not None or lease.request.actor_id is not None:",
        "if False:",
        "a worker whose owner was lost may still run (Ray: PR 55469)",
    ),
    Mutant(
        "cancelled_request_is_granted",
        "raylet.leases:Leases.on_cancel",
        "if owner.answered.get(cancelled.lease_id) is None:",
        "if False:",
        "a cancellation may overtake its request (Ray: #13545)",
    ),
    Mutant(
        "lost_worker_keeps_its_resources",
        "raylet.leases:Leases.worker_gone",
        "self._release(lease, worker)",
        "worker.lease = None",
        "what a lost worker held is free",
    ),
    Mutant(
        "request_of_the_lost_is_served",
        "raylet.leases:Leases.on_request",
        "if self._fence.has(sender):",
        "if False:",
        "a request may arrive after its sender was lost (Ray: PR 17634)",
    ),
    Mutant(
        "late_unblock_takes_cpus",
        "raylet.leases:Leases.worker_unblocked",
        "if number != worker.blocked or lease is None:",
        "if lease is None:",
        "an unblock may belong to a lease that has been returned since",
    ),
    Mutant(
        "blocked_worker_keeps_its_cpus",
        "raylet.leases:Leases.worker_blocked",
        "if cpus and not lease.lent:",
        "if False:",
        "nested calls starve while their caller waits",
    ),
    Mutant(
        "deduction_is_for_ever",
        "raylet.cluster_view:ClusterView.deduct",
        "if not self._timing:",
        "if False:",
        "a node that a request was sent to must not look full for ever (Ray: PR 12711)",
    ),
    Mutant(
        "rejected_request_is_not_judged",
        "raylet.placement:Placement._chosen",
        "return request.hops > 0 and request.rejected_by is None",
        "return request.hops > 0",
        "a request that another node rejected came back, and was not chosen for this one",
    ),
    # the store
    Mutant(
        "pins_of_the_dead_stay",
        "raylet.store:Store.process_lost",
        "self._unpin(self.objects[object_id], count)",
        "pass",
        "a dead process pins nothing (Ray: #64627)",
    ),
    Mutant(
        "freed_before_sealed_stays",
        "raylet.store:Store._freed_early",
        "return freed_ns is not None and self._host.now_ns() - freed_ns <= grace_ns",
        "return False",
        "a free may overtake the seal",
    ),
    Mutant(
        "objects_of_a_dead_node_stay",
        "raylet.store:Store.node_lost",
        "if owned.owner.node_id == node_id:",
        "if False:",
        "what processes of a dead node owned is freed",
    ),
    Mutant(
        "seal_is_not_retold",
        "raylet.store:Store._tell_owners",
        "if entry.creator == creator and not entry.freed:",
        "if False:",
        "the word of a large return may die with its worker",
    ),
    Mutant(
        "missing_chunk_ends_nothing",
        "raylet.pulls:Pulls.on_missing",
        "self._next_holder(pull)",
        "pass",
        "a holder may have evicted its copy (Ray: PR 63694)",
    ),
    # references
    Mutant(
        "borrow_is_let_go_early",
        "owner.borrows:Acknowledgements.after",
        "if self._open:",
        "if False:",
        "what carried a reference is let go only when its owner knows the borrower (Ray: PR 19910, #17553)",
    ),
    Mutant(
        "dead_borrower_keeps_objects",
        "owner.objects:ObjectTable.peer_lost",
        "entry.borrowed -= 1",
        "pass",
        "a borrower that died lets go of everything",
    ),
    Mutant(
        "copy_of_nothing_stays",
        "owner.objects:ObjectTable.on_copy_added",
        "self._free.add(added.raylet, added.object_id)",
        "pass",
        "a copy may arrive after its object was freed (Ray: #25084)",
    ),
    Mutant(
        "owner_on_a_dead_node_is_waited_for",
        "owner.objects:ObjectTable.find",
        "if owner.node_id in self._dead_nodes:",
        "if False:",
        "a reference may come from a node that died before (Ray: PR 9049); found by this campaign",
    ),
    Mutant(
        "lost_object_is_not_rebuilt",
        "owner.objects:ObjectTable._copy_lost",
        "if entry.in_use() and not self.rebuild(entry):",
        "if entry.in_use():",
        "an object whose last copy is gone is made again",
    ),
    # tasks and actors
    Mutant(
        "stale_result_counts",
        "owner.tasks:Tasks.on_done",
        "if record.call.attempt != result.attempt:",
        "if False:",
        "the result of an attempt that was given up may arrive",
    ),
    Mutant(
        "lost_return_waits_its_turn",
        "executor.actor_queue:ActorQueue._enqueue",
        "alone = self.spec.out_of_order or call.out_of_turn",
        "alone = self.spec.out_of_order",
        "a call that is made again may be waited for by one ahead of it; found by this campaign",
    ),
    Mutant(
        "call_for_another_incarnation_runs",
        "executor.actor_queue:ActorQueue.push",
        "if spec is None or spec.actor_id != push.actor_id or push.incarnation != self.incarnation:",
        "if spec is None or spec.actor_id != push.actor_id:",
        "sequence numbers belong to one incarnation (Ray: PR 52833, #51904)",
    ),
    Mutant(
        "out_of_scope_is_told_once",
        "owner.actor_creation:ActorCreation._leave",
        "made.leaving = self._host.call_later(",
        "(lambda *_: None)(",
        "the GCS may be away when the last handle goes; found by this campaign",
    ),
    Mutant(
        "kill_is_asked_once",
        "gcs.kills:Kills._kill",
        "self._timers[worker.worker_id] = self._outbox.call_later(self._retry_ns, again)",
        "pass",
        "what replaces an actor's process never runs beside it (Ray: PR 11003)",
    ),
    Mutant(
        "dead_node_is_not_fenced",
        "gcs.nodes:NodeTable.fenced",
        "if state is None:",
        "if True:",
        "a node that was declared dead stops",
    ),
    Mutant(
        "late_prepare_reserves",
        "raylet.bundles:Bundles._prepare",
        "if epoch <= self._closed.get(group_id, -1):",
        "if False:",
        "a group may be removed while its Prepare is under way (Ray: #64693)",
    ),
    # ends of processes
    Mutant(
        "leases_end_with_their_owner",
        "owner.leases:Leases.leave",
        "if not lease.in_flight:",
        "if False:",
        "an idle worker that leaves takes those it had leased with it; found by this campaign",
    ),
    Mutant(
        "last_words_are_not_waited_for",
        "raylet.raylet:Raylet.worker_ended",
        "self._host.call_later(LAST_WORDS_NS, partial(self._worker_lost, worker, reason))",
        "self._worker_lost(worker, reason)",
        "the end of a process may be seen before what it said last; found by this campaign",
    ),
)

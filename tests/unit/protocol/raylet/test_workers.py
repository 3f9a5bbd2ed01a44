from itertools import pairwise

from raysim.config import Config
from raysim.journal import WorkerLost
from raysim.protocol.messages import (
    ExitWorker,
    JobFinished,
    KillWorker,
    RegisterWorker,
    ReturnWorkerLease,
    WorkerDied,
    WorkerExiting,
    WorkerLeaseRefused,
    WorkerRegistered,
)
from raysim.protocol.process import LAST_WORDS_NS
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import job_id
from tests.unit.protocol.raylet.node import GCS, JOB, MS, Node, deaths, worker_address


def test_worker_that_dies_before_it_registers_is_replaced(node: Node, owner: Address) -> None:
    node.ask(owner, 1)
    node.end_worker(1)
    node.host.advance(0)
    assert node.host.workers.started == [1, 2]
    node.worker_up(2)
    assert node.granted(owner) == {1: worker_address(2)}


def test_registration_that_arrives_after_the_end_of_its_process_is_refused(
    node: Node, owner: Address
) -> None:
    """The message was under way when the process died."""
    node.ask(owner, 1)
    node.end_worker(1)
    [(to, message)] = node.tell(worker_address(1), RegisterWorker(1, 1001))
    assert to == worker_address(1)
    assert isinstance(message, ExitWorker)
    assert node.granted(owner) == {}


def test_what_a_worker_said_counts_though_its_end_is_reported_first(
    node: Node, owner: Address
) -> None:
    """An actor that left would be taken for one that crashed, and restarted."""
    worker = node.lease(owner, 1)
    node.raylet.worker_ended(1, "exit code 0")
    node.tell(worker, WorkerExiting("it left", intended=True))
    assert deaths(node.lose(worker)) == [(GCS, WorkerDied(worker, "it left", True))]


def test_worker_whose_connection_outlives_it_is_lost_all_the_same(
    node: Node, owner: Address
) -> None:
    """It has left a child behind, which has the connection too."""
    worker = node.lease(owner, 1)
    node.raylet.worker_ended(1, "killed by signal 9")
    node.host.take()
    node.host.advance(LAST_WORDS_NS)
    died = WorkerDied(worker, "killed by signal 9", False)
    assert deaths(node.host.take()) == [(GCS, died)]
    assert node.lose(worker) == []


def test_worker_whose_end_was_reported_is_lent_to_nobody(node: Node, owner: Address) -> None:
    node.lease(owner, 1)
    node.lease(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    node.raylet.worker_ended(1, "exit code 1")
    node.raylet.worker_ended(2, "exit code 1")
    node.tell(owner, ReturnWorkerLease(2))
    node.ask(owner, 3)
    assert node.host.workers.started == [1, 2, 3]


def test_repeated_registration_is_answered_again(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    registered = WorkerRegistered(GCS, "here")
    assert node.tell(worker, RegisterWorker(1, 1001)) == [(worker, registered)]


def test_worker_that_never_registers_is_killed_and_replaced(node: Node, owner: Address) -> None:
    node.ask(owner, 1)
    node.host.advance(node.host.config.worker_start_timeout_ns)
    assert node.host.workers.killed == [1]
    assert node.host.workers.started == [1, 2]


def test_worker_that_registered_in_time_is_not_killed_when_the_time_is_up(
    node: Node, owner: Address
) -> None:
    node.lease(owner, 1)
    node.host.advance(node.host.config.worker_start_timeout_ns)
    assert node.host.workers.killed == []


def test_success_ends_a_row_of_failed_starts(node: Node, owner: Address) -> None:
    for lease_id in range(1, 10):
        node.ask(owner, lease_id)
        node.end_worker(node.host.workers.started[-1])
        node.host.advance(0)
        node.worker_up(node.host.workers.started[-1])
        node.tell(owner, ReturnWorkerLease(lease_id, worker_failed=True))
        node.end_worker(node.host.workers.started[-1])
    assert len(node.granted(owner)) == 9


def test_node_that_cannot_start_workers_pauses_longer_each_time_and_then_says_so(
    node: Node, owner: Address
) -> None:
    node.ask(owner, 1)
    failed_ns: list[int] = []
    started = node.host.workers.started
    while not node.host.of(WorkerLeaseRefused):
        failed_ns.append(node.host.now_ns())
        tried = len(started)
        node.end_worker(started[-1], "fork: out of memory")
        while len(started) == tried and not node.host.of(WorkerLeaseRefused):
            node.host.advance(1 * MS)
    pauses = [after - before for before, after in pairwise(failed_ns)]
    assert len(pauses) > 3
    assert all(after > before for before, after in pairwise(pauses))
    [(to, refused)] = node.host.of(WorkerLeaseRefused)
    assert to == owner
    assert refused.failure.kind is FailureKind.TASK_UNSCHEDULABLE
    assert "fork: out of memory" in refused.failure.text
    assert node.free() == 4


def test_many_workers_that_fail_at_once_count_as_one_failure(node: Node, owner: Address) -> None:
    for lease_id in range(4):
        node.ask(owner, lease_id)
    for token in (1, 2, 3, 4):
        node.end_worker(token)
    node.host.advance(0)
    assert node.host.workers.started == [1, 2, 3, 4, 5, 6, 7, 8]


def test_worker_that_was_busy_last_is_lent_first(node: Node, owner: Address) -> None:
    node.lease(owner, 1)
    second = node.lease(owner, 2)
    node.tell(owner, ReturnWorkerLease(1))
    node.tell(owner, ReturnWorkerLease(2))
    node.ask(owner, 3)
    assert node.granted(owner)[3] == second


def test_idle_workers_end_with_their_job(node: Node, owner: Address, other: Address) -> None:
    mine = node.lease(owner, 1)
    node.lease(other, 1, job=job_id(2))
    node.tell(owner, ReturnWorkerLease(1))
    node.tell(other, ReturnWorkerLease(1))
    sent = node.tell(GCS, JobFinished(JOB, owner))
    assert [to for to, message in sent if isinstance(message, ExitWorker)] == [mine]


def test_worker_is_lent_to_no_other_job(node: Node, owner: Address, other: Address) -> None:
    """Modules keep state between calls."""
    first = node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    assert node.lease(other, 1, job=job_id(2)) != first
    assert node.lease(owner, 2) == first


def test_returned_worker_passes_by_the_lease_of_another_job_that_waits_for_its_own(
    node: Node, owner: Address, other: Address
) -> None:
    first = node.lease(owner, 1)
    node.ask(other, 1, job=job_id(2))
    node.tell(owner, ReturnWorkerLease(1))
    assert node.granted(other) == {}
    assert node.lease(owner, 2) == first
    second = node.worker_up(2)
    assert node.granted(other) == {1: second}


def test_idle_workers_above_the_limit_leave_the_oldest_first(owner: Address) -> None:
    node = Node(config=Config(worker_soft_limit=1))
    workers = [node.lease(owner, lease_id) for lease_id in (1, 2, 3)]
    for lease_id in (2, 3, 1):
        node.tell(owner, ReturnWorkerLease(lease_id))
        node.host.advance(1 * MS)
    node.host.advance(node.host.config.idle_worker_keep_ns)
    told = [to for to, _ in node.host.of(ExitWorker)]
    assert told == [workers[1], workers[2]]


def test_worker_that_was_told_to_leave_is_not_lent(owner: Address) -> None:
    """It may be gone any moment."""
    node = Node(config=Config(worker_soft_limit=0))
    node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    node.host.advance(node.host.config.idle_worker_keep_ns)
    node.ask(owner, 2)
    assert node.host.workers.started == [1, 2]


def test_busy_worker_that_idled_before_does_not_leave(owner: Address) -> None:
    node = Node(config=Config(worker_soft_limit=0))
    node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1))
    node.ask(owner, 2)
    node.host.advance(node.host.config.idle_worker_keep_ns)
    assert node.host.of(ExitWorker) == []


def test_worker_that_ends_of_its_own_will_is_not_a_crash(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, WorkerExiting("max_calls reached", intended=True))
    sent = node.end_worker(1, "exit code 0")
    assert (GCS, WorkerDied(worker, "max_calls reached", True)) in deaths(sent)
    assert node.host.noted(WorkerLost) == []


def test_crash_is_noted(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.end_worker(1, "killed by signal 11")
    [note] = node.host.noted(WorkerLost)
    assert note == WorkerLost(worker.node_id, worker.worker_id, "killed by signal 11")


def test_crash_that_its_lease_s_owner_saw_first_is_noted_as_well(
    node: Node, owner: Address
) -> None:
    """The broken connection reaches both of them at once."""
    worker = node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1, worker_failed=True))
    sent = node.end_worker(1, "killed by signal 9")
    [note] = node.host.noted(WorkerLost)
    assert note == WorkerLost(worker.node_id, worker.worker_id, "its lease's owner found it failed")
    assert [died for _, died in deaths(sent)] == [WorkerDied(worker, note.reason)]


def test_end_that_its_lease_s_owner_saw_before_the_worker_s_word_of_it_came_is_no_crash(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    node.tell(owner, ReturnWorkerLease(1, worker_failed=True))
    node.tell(worker, WorkerExiting("exit_actor was called", intended=True))
    node.end_worker(1, "exit code 0")
    assert node.host.noted(WorkerLost) == []


def test_worker_that_said_it_ends_is_not_lent_when_its_lease_returns(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    node.tell(worker, WorkerExiting("max_calls reached", intended=True))
    node.tell(owner, ReturnWorkerLease(1))
    node.ask(owner, 2)
    assert node.host.workers.started == [1, 2]


def test_worker_is_killed_for_the_gcs_and_its_end_reported_with_the_reason(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    node.tell(GCS, KillWorker(worker, "ray.kill"))
    assert node.host.workers.killed == [1]
    sent = node.end_worker(1, "killed by signal 9")
    assert (GCS, WorkerDied(worker, "ray.kill", False)) in deaths(sent)


def test_kill_of_a_worker_that_is_gone_is_answered(node: Node, owner: Address) -> None:
    """The GCS asks until it hears of the end."""
    worker = node.lease(owner, 1)
    node.end_worker(1)
    [(to, died)] = node.tell(GCS, KillWorker(worker, "ray.kill"))
    assert to == GCS
    assert isinstance(died, WorkerDied)
    assert died.worker == worker


def test_worker_whose_connection_breaks_is_killed(node: Node, owner: Address) -> None:
    """It may only be unreachable, and must not run on beside its replacement."""
    worker = node.lease(owner, 1)
    node.lose(worker)
    assert node.host.workers.killed == [1]


def test_what_a_worker_said_last_counts_though_its_end_was_seen_first(
    node: Node, owner: Address
) -> None:
    """The return of its leases, say: else those whom it had leased would be ended."""
    leaver = node.lease(owner, 1)
    borrowed = node.lease(leaver, 7)
    node.raylet.worker_ended(1, "exit code 0")
    node.tell(leaver, ReturnWorkerLease(7))
    node.lose(leaver)
    assert node.host.workers.killed == []
    assert node.raylet.pool.get(borrowed) is not None
    assert deaths(node.host.sent) == [(GCS, WorkerDied(leaver, "exit code 0", False))]

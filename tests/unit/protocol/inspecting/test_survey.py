"""Who is asked for the state of a cluster, and what becomes of those who do not answer."""

import pytest

from raysim.protocol.inspecting import Inspecting, role
from raysim.protocol.messages import (
    Inspected,
    InspectGcs,
    InspectNode,
    InspectProcess,
    KeepMetrics,
    KeepTasks,
    TaskStatus,
)
from raysim.protocol.messages.state import CallStage, MetricSeen, NodeSeen, ProcessSeen, TaskSeen
from raysim.protocol.process import Process
from raysim.spec.ids import NIL_TASK, JobId, TaskId
from raysim.spec.node import NodeInfo, NodeState, StoreStats
from raysim.spec.state import Inquiry, Noun
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import (
    BACKGROUND_NS,
    DRIVER,
    GCS,
    SECOND_NS,
    OwnerRig,
    inline,
    template,
)

ONE, TWO = address("one"), address("two")
WORKER, OTHER = address("worker", "one"), address("other", "two")
LIMIT = 100
PATIENCE_NS = 10 * SECOND_NS


def node(raylet, alive=True):
    info = NodeInfo(raylet, {}, raylet.node_id.hex())
    return NodeSeen(NodeState(info, alive, {}, StoreStats()))


def task(name, state="FINISHED"):
    return TaskSeen(TaskId(name.ljust(24).encode()), 0, name, name, state, NIL_TASK, 1)


class Asker:
    """A process that asks; the test answers for everybody else."""

    def __init__(self):
        self.rig = OwnerRig()
        self.role = Inspecting(self.rig.host, GCS, self.rig.owner)
        self.rig.process = Process([self.rig.owner, self.role])
        self.found = []

    def ask(self, noun, limit=LIMIT, only=b""):
        inquiry = Inquiry(noun, limit, 10.0, 0, only.hex())
        self.role.survey(inquiry, PATIENCE_NS, self.found.append)

    def asked(self, kind):
        """Who was asked since the last time, and with what."""
        return {to.worker_id: (to, message) for to, message in self.rig.take(kind)}

    def answer(self, to, message, *rows, more=0):
        self.rig.tell(to, Inspected(message.number, list(rows), len(rows) + more))

    def reply(self, kind, rows):
        """Everybody who was asked answers with the rows of his own."""
        for to, message in self.rig.take(kind):
            self.answer(to, message, *rows.get(to, []))


@pytest.fixture
def asker():
    return Asker()


NODES = [node(ONE), node(TWO), node(address("dead"), alive=False)]
PROCESSES = {ONE: [ProcessSeen(WORKER, 7)], TWO: [ProcessSeen(OTHER, 8)]}


def test_the_gcs_is_enough_for_what_it_knows(asker):
    asker.ask(Noun.PLACEMENT_GROUPS)
    to, message = asker.rig.one(InspectGcs)
    assert to == GCS
    assert message.nouns == [Noun.NODES, Noun.PLACEMENT_GROUPS]
    asker.answer(GCS, message, *NODES)
    [found] = asker.found
    assert found.rows == NODES
    assert found.silent == []


def test_owners_are_asked_for_their_tasks_and_those_who_run_them_for_the_rest(asker):
    asker.ask(Noun.TASKS, only=b"1")
    asker.reply(InspectGcs, {GCS: [*NODES, task("kept")]})
    assert not asker.found
    asker.reply(InspectNode, PROCESSES)
    questions = asker.asked(InspectProcess)
    assert {to for to, _ in questions.values()} == {WORKER, OTHER}
    assert {message.only for _, message in questions.values()} == {b"1"}
    asker.answer(*questions[WORKER.worker_id], task("one"), CallStage(NIL_TASK, 0, "RUNNING"))
    asker.answer(*questions[OTHER.worker_id], task("two"), more=5)
    [found] = asker.found
    assert [row.name for row in found.rows if isinstance(row, TaskSeen)] == ["kept", "one", "two"]
    assert found.left_out == 5


def test_a_gcs_that_starts_again_is_asked_again(asker):
    asker.ask(Noun.PLACEMENT_GROUPS)
    asker.rig.one(InspectGcs)
    asker.rig.process.peer_lost(GCS)
    assert not asker.found
    asker.rig.host.advance(asker.rig.host.config.request_retry_ns)
    asker.reply(InspectGcs, {GCS: NODES})
    assert asker.found[0].silent == []


def test_processes_that_have_ended_are_not_asked(asker):
    asker.ask(Noun.OBJECTS)
    asker.reply(InspectGcs, {GCS: NODES})
    asker.reply(InspectNode, {ONE: [ProcessSeen(WORKER, 7, end_ns=5)]})
    assert asker.found[0].silent == []
    assert not asker.rig.take(InspectProcess)


def test_environments_are_the_nodes_to_tell(asker):
    asker.ask(Noun.RUNTIME_ENVS)
    asker.reply(InspectGcs, {GCS: NODES})
    questions = asker.asked(InspectNode)
    assert {message.nouns[0] for _, message in questions.values()} == {Noun.RUNTIME_ENVS}
    assert {to for to, _ in questions.values()} == {ONE, TWO}


def test_who_has_much_to_tell_is_not_asked_every_second(asker):
    """It would tell it ever again, and never be done."""
    asker.ask(Noun.NODES)
    asker.rig.host.advance(PATIENCE_NS)
    assert len(asker.rig.take(InspectGcs)) == 4


def test_a_lost_question_is_asked_again(asker):
    asker.ask(Noun.NODES)
    _, first = asker.rig.one(InspectGcs)
    asker.rig.host.advance(2 * SECOND_NS)
    again = asker.rig.take(InspectGcs)
    assert again
    assert all(message == first for _, message in again)
    asker.answer(GCS, first)
    asker.answer(GCS, first)  # The answer to a copy.
    assert len(asker.found) == 1


def test_who_does_not_answer_in_time_is_named(asker):
    asker.ask(Noun.TASKS)
    asker.reply(InspectGcs, {GCS: NODES})
    asker.reply(InspectNode, PROCESSES)
    questions = asker.asked(InspectProcess)
    asker.answer(*questions[WORKER.worker_id], task("one"))
    asker.rig.host.advance(PATIENCE_NS)
    [found] = asker.found
    assert found.silent == [f"process {OTHER.worker_id.hex()[:12]}"]
    assert found.asked == 5
    assert asker.rig.host.timers == []


def test_who_has_ended_is_missed_by_nobody(asker):
    asker.ask(Noun.TASKS)
    asker.reply(InspectGcs, {GCS: NODES})
    asker.reply(InspectNode, PROCESSES)
    questions = asker.asked(InspectProcess)
    asker.rig.lose(OTHER)
    asker.answer(*questions[WORKER.worker_id], task("one"))
    assert asker.found[0].silent == []


def test_a_node_that_has_just_been_lost_is_missed(asker):
    asker.ask(Noun.TASKS)
    asker.reply(InspectGcs, {GCS: NODES})
    questions = asker.asked(InspectNode)
    asker.rig.lose(TWO)
    asker.answer(*questions[ONE.worker_id])
    assert asker.found[0].silent == [f"node {TWO.node_id.hex()}"]


def test_without_the_gcs_there_is_no_answer(asker):
    asker.ask(Noun.NODES)
    asker.rig.lose(GCS)
    asker.rig.host.advance(PATIENCE_NS)
    [found] = asker.found
    assert (found.silent, found.asked) == (["the GCS"], 1)


def test_a_process_tells_what_it_owns(asker):
    asker.rig.submit()
    asker.rig.tell(WORKER, InspectProcess(3, Noun.TASKS, LIMIT))
    asker.rig.tell(WORKER, InspectProcess(4, Noun.OBJECTS, LIMIT))
    tasks, objects = (message for _, message in asker.rig.take(Inspected))
    assert (tasks.number, tasks.total) == (3, 1)
    assert tasks.rows[0].state == "PENDING_NODE_ASSIGNMENT"
    assert (objects.number, objects.total) == (4, 1)
    assert objects.rows[0].process == DRIVER


def test_what_has_ended_is_handed_over_by_a_process_that_ends(asker):
    asker.rig.ran()
    asker.rig.submit()
    asker.role.leave()
    to, keep = asker.rig.one(KeepTasks)
    assert to == GCS
    assert [row.state for row in keep.tasks] == ["FINISHED"]


def test_exceptions_are_handed_over_as_far_as_there_is_room(asker, monkeypatch):
    monkeypatch.setattr(role, "ERRORS_BYTES", 5)
    rig = asker.rig
    for payload in (b"old", b"new"):
        object_id = rig.submit(what=template(max_retries=0))
        rig.done(rig.grant(), object_id, inline(payload), status=TaskStatus.APPLICATION_ERROR)
        rig.host.advance(BACKGROUND_NS)
    asker.role.leave()
    _, keep = rig.one(KeepTasks)
    assert [row.payload for row in keep.tasks] == [b"", b"new"]
    assert "dropped" in keep.tasks[0].text


def metric(kind):
    return MetricSeen(DRIVER, JobId(b"1234"), kind, kind, "", [("", {}, 1.0)])


def test_what_was_counted_is_told_and_handed_over_at_the_end_but_for_gauges(asker):
    asker.role.metrics = lambda: [metric("counter"), metric("gauge"), metric("histogram")]
    asker.rig.tell(WORKER, InspectProcess(3, Noun.METRICS, 2))
    _, told = asker.rig.one(Inspected)
    assert ([row.kind for row in told.rows], told.total) == (["counter", "gauge"], 3)
    asker.role.leave()
    to, keep = asker.rig.one(KeepMetrics)
    assert to == GCS
    assert [row.kind for row in keep.metrics] == ["counter", "histogram"]


def test_a_process_without_tasks_and_metrics_hands_over_nothing(asker):
    asker.role.leave()
    assert not asker.rig.take(KeepTasks)
    assert not asker.rig.take(KeepMetrics)

"""An actor's part of a compiled graph where one thread runs its methods: turns, inboxes, values without messages."""

import pytest

from raysim.protocol.host import Outcome, ReturnValue
from raysim.protocol.messages import (
    ChannelOutput,
    ChannelRead,
    ChannelWrite,
    CloseGraph,
    ConnectGraph,
    ContainedRef,
    ExtentLent,
    FetchObjects,
    GraphOpened,
    GraphStep,
    OpenGraph,
    ReleasePins,
    RequestExtent,
    TaskStatus,
    TerminateActor,
    WorkerExiting,
)
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id
from tests.unit.protocol.executor.rig import CALLER, GCS, LARGE, OTHER, RAYLET, WORKER
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.fake_process import FakeOutlet

GRAPH = IdSource(driver_task(job_id(1))).task()
NEXT = address("next", "near")
BROKEN = Failure(FailureKind.OBJECT_STORE_FULL, "no room")


def step(reads, writes, method="add", readers=(NEXT,)):
    inputs = list(enumerate(reads))
    return GraphStep(method, b"", inputs, [ChannelOutput(c, list(readers)) for c in writes])


class Part:
    """An actor's part, and the thread that takes its turns."""

    def __init__(self, rig, spec):
        self.rig = rig
        self.spec = spec
        self.inbox = rig.host.inboxes[GRAPH]
        self.outlet = FakeOutlet()
        self.ran = []
        self.while_running = lambda: None

    def connect(self):
        self.rig.host.outlets["next"] = self.outlet
        self.rig.tell(CALLER, ConnectGraph(GRAPH, {NEXT.worker_id: "next"}))

    def come(self, number, payload=b"Vx", channel=0):
        self.inbox.come.append(ChannelWrite(GRAPH, number, channel, payload))

    def turn(self, *payloads, **fields):
        """Whether a method ran. It returns these values."""
        contained = fields.pop("contained", [])
        status = fields.pop("status", TaskStatus.OK)
        values = [ReturnValue([p], len(p), contained) for p in payloads or (b"V",)]

        def execute(task):
            self.ran.append((task.call.method, [arg.payload for arg in task.args]))
            self.while_running()
            return Outcome(status, values, **fields)

        return self.inbox.turn(execute)


@pytest.fixture
def opened(rig):
    """`opened(step, ...)`: the part of an actor that has opened a graph of these steps."""

    def open_graph(*steps, connected=True, **fields):
        rig.host.has_inboxes = True
        spec = rig.actor(**fields)
        rig.tell(CALLER, OpenGraph(GRAPH, spec.actor_id, list(steps)))
        part = Part(rig, spec)
        if connected:
            part.connect()
        return part

    return open_graph


def test_driver_is_told_where_the_inbox_is(rig, opened):
    part = opened(step([0], [1]))
    assert rig.one(GraphOpened)[1].place == part.inbox.place


@pytest.mark.parametrize(
    "fields", [{"is_async": True}, {"max_concurrency": 2}, {"concurrency_groups": {"io": 1}}]
)
def test_actor_that_runs_several_methods_at_once_has_none(rig, fields):
    rig.host.has_inboxes = True
    spec = rig.actor(**fields)
    rig.tell(CALLER, OpenGraph(GRAPH, spec.actor_id, [step([0], [1])]))
    assert rig.one(GraphOpened)[1].place == ""
    rig.tell(CALLER, ChannelWrite(GRAPH, 0, 0, b"V"))
    assert len(rig.host.ran) == 1


def test_turn_runs_a_method_once_its_value_is_there(rig, opened):
    part = opened(step([0], [1]))
    assert not part.turn()
    part.come(0, b"V5")
    assert part.turn(b"V6")
    assert not part.turn()
    assert part.ran == [("add", [b"V5"])]
    assert part.outlet.written == [(0, 1, b"V6", False)]
    assert rig.take(ChannelWrite) == []


@pytest.mark.parametrize(
    ("fields", "plain"), [({}, True), ({"held": True}, False), ({"is_error": True}, False)]
)
def test_value_is_plain_unless_it_refers_to_something_or_is_an_error(rig, opened, fields, plain):
    """Who runs the method looks for references where there may be some."""
    part = opened(step([0], [1]))
    rig.tell(CALLER, ChannelWrite(GRAPH, 0, 0, b"V", **fields))
    found = []

    def execute(task):
        found.extend(arg.is_plain for arg in task.args)
        return Outcome(TaskStatus.OK, [ReturnValue([b"V"], 1)])

    part.inbox.turn(execute)
    assert found == [plain]


def test_one_turn_is_one_method(opened):
    """Between two of them the actor runs its ordinary calls."""
    part = opened(step([0], [1], "first"), step([0], [2], "second"))
    part.come(0)
    part.come(1)
    turns = 0
    while part.turn():
        turns += 1
        assert len(part.ran) == turns
    assert [method for method, _ in part.ran] == ["first", "second", "first", "second"]


def test_values_come_both_ways_in_one_order(rig, opened):
    part = opened(step([0], [1]))
    part.come(1, b"V1")
    rig.tell(CALLER, ChannelWrite(GRAPH, 2, 0, b"V2"))
    assert not part.turn()
    rig.tell(CALLER, ChannelWrite(GRAPH, 0, 0, b"V0"))
    while part.turn():
        pass
    assert [args for _, args in part.ran] == [[b"V0"], [b"V1"], [b"V2"]]


def test_message_for_the_part_waits_for_its_thread(rig, opened):
    part = opened(step([0], [1]))
    before = part.inbox.rung
    rig.tell(CALLER, ChannelWrite(GRAPH, 0, 0, b"V"))
    assert rig.host.ran == []
    assert part.inbox.rung == before + 1
    assert part.turn()


def test_result_is_a_message_until_its_readers_are_known(rig, opened):
    part = opened(step([0], [1]), connected=False)
    part.come(0)
    part.turn(b"V0")
    assert [message.payload for _, message in rig.take(ChannelWrite)] == [b"V0"]
    part.connect()
    part.come(1)
    part.turn(b"V1")
    assert rig.take(ChannelWrite) == []
    assert part.outlet.written == [(1, 1, b"V1", False)]


def test_second_copy_of_the_places_changes_nothing(rig, opened):
    part = opened(step([0], [1]))
    rig.host.outlets["next"] = FakeOutlet()
    rig.tell(CALLER, ConnectGraph(GRAPH, {NEXT.worker_id: "next"}))
    part.come(0)
    part.turn()
    assert len(part.outlet.written) == 1


def test_result_that_finds_no_room_is_a_message(rig, opened):
    part = opened(step([0], [1]))
    part.outlet.room = 0
    part.come(0)
    part.turn(b"V6")
    ((to, message),) = rig.take(ChannelWrite)
    assert (to, message.payload) == (NEXT, b"V6")


def test_each_reader_gets_the_result_once_whichever_way(rig, opened):
    part = opened(step([0], [1], readers=(NEXT, OTHER)))
    part.come(0)
    part.turn(b"V6")
    assert part.outlet.written == [(0, 1, b"V6", False)]
    assert [to for to, _ in rig.take(ChannelWrite)] == [OTHER]


def test_error_goes_straight_too(rig, opened):
    part = opened(step([0], [1]))
    part.come(0)
    values = [ReturnValue([b"Eboom"], 5, is_error=True)]
    part.inbox.turn(lambda task: Outcome(TaskStatus.APPLICATION_ERROR, values))
    assert part.outlet.written == [(0, 1, b"Eboom", True)]


def test_failure_of_an_input_goes_on_without_running_the_method(rig, opened):
    part = opened(step([0], [1]))
    rig.tell(CALLER, ChannelWrite(GRAPH, 0, 0, failure=BROKEN))
    assert part.turn()
    assert part.ran == []
    assert [message.failure for _, message in rig.take(ChannelWrite)] == [BROKEN]


def test_result_with_references_is_a_message_for_somebody_has_to_acknowledge_it(rig, opened):
    part = opened(step([0], [1]))
    put = rig.ids.put()
    rig.owner.objects.create(put).local = 1
    refs = [ContainedRef(put, WORKER)]
    rig.owner.objects.hold(refs)
    part.come(0)
    part.turn(b"Vref", contained=refs)
    ((_, message),) = rig.take(ChannelWrite)
    assert message.held
    assert part.outlet.written == []


def test_next_method_waits_until_a_large_result_is_copied(rig, opened):
    part = opened(step([0], [1]))
    part.come(0)
    part.come(1)
    part.turn(b"x" * LARGE)
    assert not part.turn()
    _, request = rig.one(RequestExtent)
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    assert len(rig.take(ChannelWrite)) == 1
    assert part.turn()


def test_large_input_is_brought_here_before_the_turn(rig, opened):
    part = opened(step([0], [1]))
    name = rig.ids.put()
    stored = ChannelWrite(GRAPH, 0, 0, held=True, object_id=name, size=LARGE, holder=address("far"))
    rig.tell(CALLER, stored)
    assert not part.turn()
    assert len(rig.take(FetchObjects)) == 1
    before = part.inbox.rung
    rig.local(name)
    assert part.inbox.rung > before
    assert part.turn()
    rig.host.advance(0)
    messages = rig.host.take()
    assert (CALLER, ChannelRead(GRAPH, 0, 0)) in messages
    assert any(isinstance(m, ReleasePins) for _, m in messages)
    assert rig.owner.objects.entries == {}


def test_who_asks_sees_what_runs_in_a_turn(rig, opened):
    part = opened(step([0], [1]))
    seen = []
    part.while_running = lambda: seen.extend(task.call.method for task in rig.executor.running)
    part.come(0)
    part.turn()
    assert seen == ["add"]
    assert rig.executor.running == []


# The end.


def test_part_of_a_closed_graph_is_let_go_by_its_thread(rig, opened):
    """That may be about to read or write just then."""
    part = opened(step([0], [1]))
    part.come(0)
    rig.tell(CALLER, CloseGraph(GRAPH))
    assert not part.inbox.closed
    assert not part.turn()
    assert part.inbox.closed
    assert part.outlet.closed
    assert part.ran == []


def test_references_in_a_result_of_a_graph_that_was_closed_meanwhile_are_let_go(rig, opened):
    part = opened(step([0], [1]))
    put = rig.ids.put()
    rig.owner.objects.create(put)
    refs = [ContainedRef(put, WORKER)]
    rig.owner.objects.hold(refs)
    part.while_running = lambda: rig.tell(CALLER, CloseGraph(GRAPH))
    part.come(0)
    part.turn(b"Vref", contained=refs)
    assert rig.take(ChannelWrite) == []
    assert put not in rig.owner.objects.entries


def test_large_input_of_a_graph_that_is_closed_before_its_turn_is_let_go(rig, opened):
    part = opened(step([0], [1]))
    name = rig.ids.put()
    stored = ChannelWrite(GRAPH, 0, 0, held=True, object_id=name, size=LARGE, holder=address("far"))
    rig.tell(CALLER, stored)
    part.turn()
    rig.local(name)
    rig.tell(CALLER, CloseGraph(GRAPH))
    assert not part.turn()
    assert len(rig.take(ReleasePins)) == 1
    assert rig.owner.objects.entries == {}


def test_actor_without_handles_ends_its_turn_first(rig, opened):
    part = opened(step([0], [1]))
    part.while_running = lambda: rig.tell(GCS, TerminateActor(part.spec.actor_id, 0))
    part.come(0)
    part.turn(b"V6")
    assert part.outlet.written == [(0, 1, b"V6", False)]
    assert len(rig.take(WorkerExiting)) == 1


def test_actor_that_ends_itself_in_a_turn_says_what_it_returned(rig, opened):
    part = opened(step([0], [1]))
    part.come(0)
    part.turn(status=TaskStatus.FAILED, failure=BROKEN, exits=True)
    kinds = [type(message) for _, message in rig.host.take()]
    assert kinds.index(ChannelWrite) < kinds.index(WorkerExiting)


def test_crash_in_a_turn_tells_nobody(rig, opened):
    part = opened(step([0], [1]))
    part.come(0)
    part.turn(exits=True, crashed=True)
    assert part.outlet.written == []
    assert rig.take(ChannelWrite) == []
    assert rig.host.exited == ["user code ended the process"]

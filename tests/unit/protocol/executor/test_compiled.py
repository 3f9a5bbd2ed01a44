"""An actor's part of a compiled graph: order of methods and passes, values sent straight on."""

import pytest

from raysim.protocol.host import Outcome, ReturnValue
from raysim.protocol.messages import (
    ChannelOutput,
    ChannelRead,
    ChannelWrite,
    CloseGraph,
    ContainedRef,
    ExtentLent,
    ExtentRefused,
    FetchObjects,
    FreeObjects,
    GraphOpened,
    GraphStep,
    OpenGraph,
    ReleasePins,
    RequestExtent,
    SealObject,
    TasksDone,
    TaskStatus,
    TerminateActor,
    WorkerExiting,
)
from raysim.protocol.owner.channels import GATHER_NS
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id
from tests.unit.protocol.executor.rig import CALLER, GCS, LARGE, OTHER, RAYLET, WORKER
from tests.unit.protocol.fake_host import address

GRAPH = IdSource(driver_task(job_id(1))).task()
NEXT = address("next", "far")
BROKEN = Failure(FailureKind.OBJECT_STORE_FULL, "no room")


def step(reads, writes, method="add", readers=(NEXT,)):
    """A method that takes these channels in this order."""
    inputs = list(enumerate(reads))
    return GraphStep(method, b"", inputs, [ChannelOutput(c, list(readers)) for c in writes])


@pytest.fixture
def opened(rig):
    """`opened(step, ...)`: an actor that has opened a graph of these steps."""

    def open_graph(*steps):
        spec = rig.actor()
        rig.tell(CALLER, OpenGraph(GRAPH, spec.actor_id, list(steps)))
        assert rig.one(GraphOpened) == (CALLER, GraphOpened(GRAPH, spec.actor_id))
        return spec

    return open_graph


def write(rig, number, channel=0, payload=b"Vx", sender=CALLER, **fields):
    rig.tell(sender, ChannelWrite(GRAPH, number, channel, payload, **fields))


def end(rig):
    """What runs, without a look at timers."""
    task = rig.running
    rig.executor.finished(task, outcome())
    rig.host.ended(task)


def outcome(payload=b"V"):
    return Outcome(TaskStatus.OK, [ReturnValue([payload], len(payload))])


def methods(rig):
    return [task.call.method for task in rig.host.ran]


def sent(rig):
    """What was written since the last time: receiver, pass, channel, payload."""
    return [(to, w.number, w.channel, w.payload) for to, w in rig.take(ChannelWrite)]


# Opening.


def test_second_copy_of_the_opening_is_answered_and_changes_nothing(rig, opened):
    spec = opened(step([0], [1]))
    write(rig, 0)
    rig.tell(CALLER, OpenGraph(GRAPH, spec.actor_id, [step([0], [1])]))
    assert len(rig.take(GraphOpened)) == 1
    rig.finish(b"Vy")
    write(rig, 1)
    assert rig.running.args[0].payload == b"Vx"


def test_opening_for_another_actor_is_not_answered(rig):
    rig.actor()
    rig.tell(CALLER, OpenGraph(GRAPH, rig.ids.actor(), [step([0], [1])]))
    assert rig.take(GraphOpened) == []


# Passes.


def test_value_runs_the_method_and_its_result_goes_to_the_reader(rig, opened):
    opened(step([0], [1]))
    write(rig, 0, payload=b"V5")
    assert [(a.slot, a.payload) for a in rig.running.args] == [(0, b"V5")]
    rig.finish(b"V6")
    assert sent(rig) == [(NEXT, 0, 1, b"V6")]


def test_result_goes_to_every_reader_and_to_nobody_as_a_call(rig, opened):
    opened(step([0], [1], readers=(NEXT, OTHER)))
    write(rig, 0)
    rig.finish(b"V6")
    assert sent(rig) == [(NEXT, 0, 1, b"V6"), (OTHER, 0, 1, b"V6")]
    assert rig.take(TasksDone) == []


def test_method_waits_for_all_its_values(rig, opened):
    opened(step([0, 5], [1]))
    write(rig, 0, channel=5, payload=b"Vb", sender=OTHER)
    assert rig.host.ran == []
    write(rig, 0, channel=0, payload=b"Va")
    assert [(a.slot, a.payload) for a in rig.running.args] == [(0, b"Va"), (1, b"Vb")]


def test_passes_run_in_their_order(rig, opened):
    opened(step([0, 5], [1]))
    write(rig, 1, channel=0)
    write(rig, 1, channel=5)
    write(rig, 0, channel=0)
    assert rig.host.ran == []
    write(rig, 0, channel=5)
    rig.finish(b"V0")
    rig.finish(b"V1")
    assert sent(rig) == [(NEXT, 0, 1, b"V0"), (NEXT, 1, 1, b"V1")]


def test_methods_of_a_pass_run_one_after_another_before_the_next_pass(rig, opened):
    opened(step([0], [1], "first"), step([0], [2], "second"))
    write(rig, 0)
    write(rig, 1)
    for _ in range(3):
        rig.finish(b"V")
    assert methods(rig) == ["first", "second", "first", "second"]


def test_later_method_waits_for_the_one_before_though_its_value_is_here(rig, opened):
    opened(step([0], [1], "first"), step([5], [2], "second"))
    write(rig, 0, channel=5)
    assert methods(rig) == []
    write(rig, 0, channel=0)
    rig.finish(b"V")
    assert methods(rig) == ["first", "second"]


def test_own_output_is_an_input_like_any_other(rig, opened):
    opened(step([0], [1], "first", readers=(WORKER,)), step([1], [2], "second"))
    write(rig, 0)
    rig.finish(b"V7")
    ((to, own),) = rig.take(ChannelWrite)
    assert to == WORKER
    rig.tell(WORKER, own)
    assert rig.running.args[0].payload == b"V7"


def test_ordinary_call_runs_between_passes(rig, opened):
    spec = opened(step([0], [1]))
    write(rig, 0)
    rig.finish(b"V")
    call = rig.method(spec, 0)
    rig.push_actor(spec, call)
    assert rig.running.call.task_id == call.task_id
    rig.finish(b"V")
    write(rig, 1)
    rig.finish(b"V")
    assert len(rig.take(ChannelWrite)) == 2


def test_calls_of_a_pass_have_ids_of_their_own(rig, opened):
    opened(step([0], [1], "first"), step([0], [2], "second"))
    for number in range(3):
        write(rig, number)
        rig.finish(b"V")
        rig.finish(b"V")
    assert len(set(rig.ran())) == 6


def test_second_copy_of_a_value_is_one_value(rig, opened):
    opened(step([0], [1]))
    write(rig, 0)
    write(rig, 0)
    rig.finish(b"V")
    write(rig, 0)
    assert len(rig.host.ran) == 1


# Errors.


def test_error_goes_on_as_a_value(rig, opened):
    opened(step([0], [1]))
    write(rig, 0)
    rig.finish(b"Eboom", status=TaskStatus.APPLICATION_ERROR)
    assert sent(rig) == [(NEXT, 0, 1, b"Eboom")]


def test_failure_of_an_input_goes_on_without_running_the_method(rig, opened):
    opened(step([0], [1]))
    write(rig, 0, payload=None, failure=BROKEN)
    ((to, message),) = rig.take(ChannelWrite)
    assert (to, message.failure) == (NEXT, BROKEN)
    assert rig.host.ran == []
    write(rig, 1)
    assert len(rig.host.ran) == 1


# Large values.


def test_large_result_goes_through_the_store(rig, opened):
    opened(step([0], [1]))
    write(rig, 0)
    rig.finish(b"x" * LARGE)
    to, request = rig.one(RequestExtent)
    assert (to, request.size) == (RAYLET, LARGE)
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    assert rig.host.store.places[9] == b"x" * LARGE
    messages = rig.host.take()
    seals = [m for _, m in messages if isinstance(m, SealObject)]
    ((to, message),) = [(t, m) for t, m in messages if isinstance(m, ChannelWrite)]
    assert (to, message.payload, message.object_id) == (NEXT, None, seals[0].object_id)
    assert (message.size, message.holder, message.held) == (LARGE, RAYLET, True)


def test_next_method_waits_until_a_large_result_is_copied(rig, opened):
    """What was returned may be an array that the actor changes in the next method."""
    opened(step([0], [1]))
    write(rig, 0)
    write(rig, 1)
    rig.finish(b"x" * LARGE)
    assert len(rig.host.ran) == 1
    _, request = rig.one(RequestExtent)
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    assert len(rig.host.ran) == 2


def test_large_result_is_freed_when_all_have_read_it(rig, opened):
    opened(step([0], [1], readers=(NEXT, OTHER)))
    write(rig, 0)
    rig.finish(b"x" * LARGE)
    _, request = rig.one(RequestExtent)
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    rig.tell(NEXT, ChannelRead(GRAPH, 0, 1))
    assert rig.take(FreeObjects) == []
    rig.tell(OTHER, ChannelRead(GRAPH, 0, 1))
    assert len(rig.take(FreeObjects)) == 1
    assert rig.owner.objects.entries == {}


def test_store_without_room_fails_the_pass_and_not_the_graph(rig, opened):
    opened(step([0], [1]))
    write(rig, 0)
    rig.finish(b"x" * LARGE)
    _, request = rig.one(RequestExtent)
    rig.tell(RAYLET, ExtentRefused(request.number, BROKEN))
    assert [message.failure for _, message in rig.take(ChannelWrite)] == [BROKEN]
    write(rig, 1)
    assert len(rig.host.ran) == 2


def test_large_input_is_brought_here_and_acknowledged_after_its_last_reader(rig, opened):
    opened(step([0], [1], "first"), step([0], [2], "second"))
    name = rig.ids.put()
    write(rig, 0, payload=None, held=True, object_id=name, size=LARGE, holder=address("far"))
    assert len(rig.take(FetchObjects)) == 1
    assert rig.host.ran == []
    rig.local(name)
    assert rig.running.args[0].handle == 3
    rig.finish(b"V")
    assert rig.take(ChannelRead) == []
    rig.local(name)
    rig.finish(b"V")
    messages = rig.host.take()
    assert (CALLER, ChannelRead(GRAPH, 0, 0)) in messages
    assert any(isinstance(m, ReleasePins) for _, m in messages)
    assert rig.owner.objects.entries == {}


# References inside values.


def test_reference_in_a_result_is_held_until_it_was_read(rig, opened):
    opened(step([0], [1]))
    put = rig.ids.put()
    entry = rig.owner.objects.create(put)
    entry.local = 1
    rig.owner.objects.set_inline(entry, b"V", is_error=False)
    write(rig, 0)
    rig.finish(b"Vref", contained=[ContainedRef(put, WORKER)])
    ((_, message),) = rig.take(ChannelWrite)
    assert message.held
    rig.owner.objects.drop_local(put)
    assert put in rig.owner.objects.entries
    rig.tell(NEXT, ChannelRead(GRAPH, 0, 1))
    assert put not in rig.owner.objects.entries


# The end.


def test_closed_graph_runs_no_more(rig, opened):
    opened(step([0], [1]))
    rig.tell(CALLER, CloseGraph(GRAPH))
    write(rig, 0)
    assert rig.host.ran == []


def test_result_of_a_graph_that_was_closed_meanwhile_goes_nowhere(rig, opened):
    spec = opened(step([0], [1]))
    write(rig, 0)
    write(rig, 1)
    rig.tell(CALLER, CloseGraph(GRAPH))
    rig.finish(b"V")
    assert rig.take(ChannelWrite) == []
    assert len(rig.host.ran) == 1
    call = rig.method(spec, 0)
    rig.push_actor(spec, call)
    assert rig.running.call.task_id == call.task_id


def test_graph_ends_with_its_driver(rig, opened):
    opened(step([0], [1]))
    rig.lose(CALLER)
    write(rig, 0)
    assert rig.host.ran == []


def test_large_input_of_a_closed_graph_is_let_go(rig, opened):
    opened(step([0], [1]))
    name = rig.ids.put()
    write(rig, 0, payload=None, held=True, object_id=name, size=LARGE, holder=address("far"))
    rig.tell(CALLER, CloseGraph(GRAPH))
    rig.local(name)
    assert rig.host.ran == []
    assert len(rig.take(ReleasePins)) == 1
    assert rig.owner.objects.entries == {}


def test_what_was_kept_for_readers_goes_with_the_graph(rig, opened):
    opened(step([0], [1]))
    write(rig, 0)
    rig.finish(b"x" * LARGE)
    _, request = rig.one(RequestExtent)
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    rig.tell(CALLER, CloseGraph(GRAPH))
    assert len(rig.take(FreeObjects)) == 1
    assert rig.owner.objects.entries == {}


def test_large_result_of_a_graph_that_was_closed_before_it_was_written(rig, opened):
    opened(step([0], [1]))
    write(rig, 0)
    rig.finish(b"x" * LARGE)
    _, request = rig.one(RequestExtent)
    rig.tell(CALLER, CloseGraph(GRAPH))
    rig.tell(RAYLET, ExtentLent(request.number, 9))
    assert rig.take(ChannelWrite) == []
    assert rig.owner.objects.entries == {}


def test_actor_without_handles_ends_its_method_first(rig, opened):
    spec = opened(step([0], [1]))
    write(rig, 0)
    rig.tell(GCS, TerminateActor(spec.actor_id, 0))
    assert rig.take(WorkerExiting) == []
    rig.finish(b"V")
    messages = rig.host.take()
    kinds = [type(message) for _, message in messages]
    assert kinds.index(ChannelWrite) < kinds.index(WorkerExiting)


# Gathering.


def test_values_of_short_methods_leave_together(rig, opened):
    opened(step([0], [1]))
    for number in range(3):
        write(rig, number)
    end(rig)
    end(rig)
    assert rig.host.of(ChannelWrite) == []
    end(rig)
    assert [message.number for _, message in rig.host.of(ChannelWrite)] == [0, 1, 2]


def test_value_does_not_wait_for_the_next_method_for_long(rig, opened):
    opened(step([0], [1]))
    for number in range(2):
        write(rig, number)
    end(rig)
    rig.host.advance(GATHER_NS)
    assert [message.number for _, message in rig.host.of(ChannelWrite)] == [0]


def test_value_of_a_long_method_leaves_at_once(rig, opened):
    opened(step([0], [1]))
    for number in range(2):
        write(rig, number)
    rig.host.advance(GATHER_NS)
    end(rig)
    assert [message.number for _, message in rig.host.of(ChannelWrite)] == [0]

"""User code at a worker: its arguments, its results, its errors, and what it keeps."""

import cloudpickle
import numpy as np
import pytest

from raysim.exceptions import RayTaskError
from raysim.protocol.messages import (
    AddBorrowers,
    BorrowersAdded,
    ObjectLocal,
    PushActorCalls,
    PushTasks,
    ReleasePins,
    ReleaseReturnHolds,
    StartActor,
    TasksDone,
    TaskStatus,
)
from raysim.runtime.current import current
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.serialization import deserialize, serialize, serialize_error
from raysim.spec.actor import ActorSpec
from raysim.spec.ids import FunctionId, IdSource, driver_task, job_id
from raysim.spec.resources import fixed
from raysim.spec.task import TaskArg, TaskCall, TaskTemplate
from tests.unit.runtime.rig import CALLER, GCS, HANDLE, RAYLET

IDS = IdSource(driver_task(job_id(2)))


class Work:
    """A function as it is pushed to a worker."""

    def __init__(self, session, function, retry_only=None, **options):
        self.session = session
        self.payload = cloudpickle.dumps((function, retry_only))
        fields = {"name": "work", "resources": fixed({"CPU": 1})} | options
        self.template = TaskTemplate(FunctionId(IDS.put()), **fields)

    def call(self, *args, refs=()):
        values = [*args, *(None for _ in refs)]
        for slot, ref in enumerate(refs, start=len(args)):
            ref.slot = slot
        payload = serialize((values, {})).join()
        return TaskCall(IDS.task(), 0, payload, list(refs))

    def run(self, *args, refs=()):
        return self.session.run(self.template, self.call(*args, refs=refs), self.payload)

    def value(self, *args, refs=()):
        return loaded(self.run(*args, refs=refs))


def loaded(result):
    value, is_error, _ = deserialize(result.returns[0].payload)
    assert is_error == (result.status != TaskStatus.OK)
    return value


def test_function_gets_its_arguments_and_returns_a_value(worker):
    assert Work(worker, lambda a, b: a - b).value(5, 3) == 2


def test_inline_reference_is_replaced_by_its_value(worker):
    arg = TaskArg(0, IDS.put(), CALLER, serialize("theirs").join())
    assert Work(worker, lambda a, b: (a, b)).value("mine", refs=[arg]) == ("mine", "theirs")


def test_call_without_arguments_needs_no_bytes(worker):
    work = Work(worker, lambda: "none")
    assert loaded(worker.run(work.template, TaskCall(IDS.task(), 0, b""), work.payload)) == "none"


def test_references_alone_need_no_bytes_and_keep_their_places(worker):
    """They are here in any order."""
    work = Work(worker, lambda *args, **named: (args, named))
    refs = [
        TaskArg(slot, IDS.put(), CALLER, serialize(f"of {slot}").join()) for slot in (1, "name", 0)
    ]
    call = TaskCall(IDS.task(), 0, b"", refs)
    returned = loaded(worker.run(work.template, call, work.payload))
    assert returned == (("of 0", "of 1"), {"name": "of name"})


def test_several_returns_are_taken_apart(worker):
    result = Work(worker, lambda: (1, "b"), num_returns=2).run()
    assert [deserialize(value.payload)[0] for value in result.returns] == [1, "b"]


@pytest.mark.parametrize(
    ("returned", "error", "text"),
    [(5, TypeError, "num_returns=2"), ([1], ValueError, "returned 1 objects")],
)
def test_wrong_number_of_returns_is_an_error_in_each(worker, returned, error, text):
    result = Work(worker, lambda: returned, num_returns=2).run()
    assert result.status == TaskStatus.APPLICATION_ERROR
    for value in result.returns:
        raised, is_error, _ = deserialize(value.payload)
        assert is_error
        assert isinstance(raised.cause, error)
        assert text in str(raised.cause)


def test_exception_is_a_result_with_its_traceback(worker):
    def fails():
        raise KeyError("missing")

    error = Work(worker, fails, name="fails").value()
    assert isinstance(error, RayTaskError)
    assert isinstance(error.cause, KeyError)
    assert "fails" in str(error)
    assert "missing" in str(error)


def test_argument_that_is_an_error_ends_the_call_with_the_same_one(worker):
    ran = []
    arg = TaskArg(0, IDS.put(), CALLER, serialize_error(KeyError("first")).join())
    result = Work(worker, lambda x: ran.append(x)).run(refs=[arg])
    assert result.status == TaskStatus.APPLICATION_ERROR
    assert isinstance(loaded(result), KeyError)
    assert ran == []


@pytest.mark.parametrize(
    ("retry", "only", "status"),
    [
        (False, None, TaskStatus.APPLICATION_ERROR),
        (True, None, TaskStatus.RETRIABLE_ERROR),
        (True, (LookupError,), TaskStatus.RETRIABLE_ERROR),
        (True, (OSError,), TaskStatus.APPLICATION_ERROR),
    ],
)
def test_which_errors_are_tried_again(worker, retry, only, status):
    def fails():
        raise KeyError("x")

    assert Work(worker, fails, only, retry_exceptions=retry).run().status == status


def test_sys_exit_ends_the_worker_and_counts_as_a_crash(worker):
    def ends():
        raise SystemExit(3)

    result = Work(worker, ends).run()
    assert result.status == TaskStatus.FAILED
    assert "SystemExit(3)" in result.failure.text
    assert len(worker.host.exited) == 1


def test_task_runs_in_the_process_of_its_worker(worker):
    seen = []
    work = Work(worker, lambda: None)
    worker.core.execution._functions[work.template.function_id] = (
        lambda: seen.append((current(), worker.core.context_info().task_name)),
        None,
    )
    work.run()
    assert seen == [(worker.core, "work")]


# What user code keeps and returns.


def test_array_that_outlives_its_call_stays_pinned(worker):
    """The call's own pin goes with the call; the view has another."""
    data = serialize(np.arange(1000)).join()
    worker.host.store.places[HANDLE] = data
    arg = TaskArg(0, IDS.put(), CALLER, None, [RAYLET], len(data))
    work = Work(worker, lambda array: int(array.sum()))
    call = work.call(refs=[arg])
    worker.tell(CALLER, PushTasks(1, work.template, [call], work.payload))
    worker.tell(RAYLET, ObjectLocal(arg.object_id, HANDLE, len(data)))
    worker.run_pushed()
    assert worker.of(ReleasePins) == []
    worker.host.store.drop_view(HANDLE)
    assert [released.object_ids for released in worker.of(ReleasePins)] == [[arg.object_id]]


def test_reference_that_a_task_made_and_returned_lives_until_the_caller_has_it(worker):
    """User code has let go of it before the result is on its way."""
    work = Work(worker, None)
    worker.core.execution._functions[work.template.function_id] = (
        lambda: [worker.core.put("inner")],
        None,
    )
    result = work.run()
    [inner] = result.returns[0].contained
    worker.drain()
    assert worker.entries[inner.object_id].payload is not None
    worker.tell(CALLER, ReleaseReturnHolds([result.task_id]))
    worker.assert_nothing_left()


def test_reference_that_a_task_got_and_dropped_leaves_nothing(worker):
    inner = worker.core.put("inner")
    packed = serialize(([[inner]], {})).join()
    del inner
    work = Work(worker, lambda refs: len(refs))
    result = worker.run(work.template, TaskCall(IDS.task(), 0, packed), work.payload)
    assert loaded(result) == 1
    worker.assert_nothing_left()


def test_borrowed_reference_that_a_task_keeps_is_known_to_its_owner_before_the_end(worker):
    kept = []
    work = Work(worker, None)
    worker.core.execution._functions[work.template.function_id] = (kept.extend, None)
    theirs = ObjectRef(IDS.put(), CALLER, None)
    call = TaskCall(IDS.task(), 0, serialize(([[theirs]], {})).join())
    worker.tell(CALLER, PushTasks(1, work.template, [call], work.payload))
    task = worker.host.ran.pop()
    worker.core.executor.finished(task, worker.core.execute(task))
    worker.host.advance(0)
    sent = worker.host.take()
    [added] = [message for _, message in sent if isinstance(message, AddBorrowers)]
    assert not any(isinstance(message, TasksDone) for _, message in sent)
    worker.tell(CALLER, BorrowersAdded(added.borrows))
    assert len(worker.of(TasksDone)) == 1
    assert [ref._id for ref in kept] == [theirs._id]


# Actors.


class Counter:
    def __init__(self, start):
        if start < 0:
            raise ValueError("below zero")
        self.count = start

    def add(self, by):
        self.count += by
        return self.count


def start_actor(worker, start):
    spec = ActorSpec(
        IDS.actor(), FunctionId(b"c" * 28), "Counter", cloudpickle.dumps((Counter, None)),
        serialize(([start], {})).join(), [], CALLER, fixed({"CPU": 1}), {}, namespace="far", home="space",
    )  # fmt: skip
    worker.tell(GCS, StartActor(spec, 0))
    task = worker.host.ran.pop()
    outcome = worker.core.execute(task)
    worker.core.executor.finished(task, outcome)
    worker.host.ended(task)
    return spec, outcome


def call_actor(worker, spec, sequence, method, *args):
    task_id = IDS.actor_task(spec.actor_id)
    payload = serialize((list(args), {})).join()
    call = TaskCall(task_id, 0, payload, method=method, sequence=sequence)
    worker.tell(CALLER, PushActorCalls(spec.actor_id, 0, [call]))
    return loaded(worker.run_pushed())


def test_actor_keeps_its_state_between_calls(worker):
    spec, outcome = start_actor(worker, 5)
    assert outcome.status == TaskStatus.OK
    assert call_actor(worker, spec, 0, "add", 1) == 6
    assert call_actor(worker, spec, 1, "add", 2) == 8
    assert worker.core.namespace == "space"


def test_constructor_that_raises_is_an_error_outcome(worker):
    _, outcome = start_actor(worker, -1)
    assert outcome.status == TaskStatus.APPLICATION_ERROR
    error, is_error, _ = deserialize(b"".join(outcome.returns[0].parts))
    assert is_error
    assert isinstance(error.cause, ValueError)


def test_readiness_and_foreign_functions_run_on_the_instance(worker):
    spec, _ = start_actor(worker, 5)
    assert call_actor(worker, spec, 0, "__ray_ready__") is True
    assert call_actor(worker, spec, 1, "__ray_call__", lambda self, x: self.count * x, 3) == 15


def test_error_of_a_method_names_the_actor(worker):
    spec, _ = start_actor(worker, 5)
    error = call_actor(worker, spec, 0, "add", "text")
    assert isinstance(error.cause, TypeError)
    assert "Counter.add" in str(error)

"""A method of a compiled graph in its turn: with what comes through channels, and with what is not so simple."""

import cloudpickle
import numpy as np
import pytest

from raysim.exceptions import RaySystemError, RayTaskError
from raysim.protocol.host import LocalArg, RunnableTask
from raysim.protocol.messages import StartActor, TaskStatus
from raysim.runtime.core_worker import CoreWorker
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.serialization import deserialize, serialize, serialize_error
from raysim.spec.actor import ActorSpec
from raysim.spec.ids import FunctionId, IdSource, driver_task, job_id
from raysim.spec.resources import fixed
from raysim.spec.task import TaskCall
from tests.unit.runtime.rig import CALLER, GCS

IDS = IdSource(driver_task(job_id(2)))
LARGE = 1 << 17


class Stage:
    def give(self, *values):
        return values[0] if len(values) == 1 else list(values)

    def pair(self, value):
        return value, value

    def task_id(self):
        from raysim.runtime.current import current

        return current().context.task_id

    def fails(self, value):
        raise ValueError(value)


@pytest.fixture
def step(worker):
    """`step(method, payload, ...)`: run it, and give what it returned, and whether that is an error."""
    payload = cloudpickle.dumps((Stage, None))
    spec = ActorSpec(
        IDS.actor(), FunctionId(b"s" * 28), "Stage", payload, serialize(([], {})).join(), [], CALLER,
        fixed({"CPU": 1}), {}, namespace="far", home="space",
    )  # fmt: skip
    worker.tell(GCS, StartActor(spec, 0))
    worker.run_pushed()

    def run(method, *payloads, constants=b"", is_plain=True, num_returns=1):
        call = TaskCall(IDS.task(), 0, constants, (), method=method, num_returns=num_returns)
        args = [LocalArg(n, given, is_plain=is_plain) for n, given in enumerate(payloads)]
        run.task = RunnableTask(call, CALLER, args, actor=spec)
        outcome = worker.core.execute_step(run.task)
        values = [deserialize(b"".join(value.parts))[0] for value in outcome.returns]
        run.outcome = outcome
        return values[0] if num_returns == 1 else values

    run.core = worker.core
    return run


@pytest.mark.parametrize("value", [5, "text", b"bytes", None, 2.5, [1, {"a": 2}], b"x" * LARGE])
def test_value_goes_through(step, value):
    assert step("give", serialize(value).join()) == value
    assert step.outcome.status == TaskStatus.OK
    (returned,) = step.outcome.returns
    assert returned.size == len(b"".join(returned.parts))


def test_array_is_a_view_of_what_came(step):
    array = np.arange(LARGE)
    assert (step("give", memoryview(serialize(array).join())) == array).all()


def test_values_of_several_channels_are_in_their_places(step):
    assert step("give", *(serialize(n).join() for n in range(3))) == [0, 1, 2]


def test_constants_stand_beside_what_comes(step):
    constants = serialize(([None, "constant"], {})).join()
    assert step("give", serialize(1).join(), constants=constants) == [1, "constant"]


def test_several_returns_are_taken_apart(step):
    assert step("pair", serialize(7).join(), num_returns=2) == [7, 7]


def test_step_is_a_task_of_its_own(step):
    assert step("task_id") == step.task.call.task_id


def test_error_that_comes_is_what_goes_on(step):
    error = serialize_error(RayTaskError("give", "trace", ValueError("theirs"))).join()
    assert isinstance(step("give", error, is_plain=False), RayTaskError)
    assert step.outcome.returns[0].is_error


def test_error_of_the_method_is_its_result(step):
    error = step("fails", serialize("mine").join())
    assert isinstance(error.cause, ValueError)
    assert step.outcome.status == TaskStatus.APPLICATION_ERROR


@pytest.mark.parametrize("payload", [b"Vno pickle", b""])
def test_value_that_cannot_be_read_is_told(step, payload):
    found = step("give", payload)
    if payload:
        assert isinstance(found.cause, RaySystemError)
    else:
        assert found is None  # Of a synthetic task, which has a size and no value.


def test_references_inside_are_found_both_ways(step):
    assert isinstance(step.core, CoreWorker)
    ref = step.core.put("kept")
    given = serialize([ref]).join()
    found = step("give", given, is_plain=False)
    assert isinstance(found[0], ObjectRef)
    assert [held.object_id for held in step.outcome.returns[0].contained] == [ref._id]

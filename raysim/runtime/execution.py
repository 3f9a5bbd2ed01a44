"""Runs one call of user code: loads function and arguments, calls, serialises what came of it. Never schedules."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import cloudpickle

from raysim.exceptions import RayTaskError
from raysim.protocol.host import Outcome, ReturnValue, RunnableTask
from raysim.protocol.messages import TaskStatus
from raysim.runtime.serialization import Serialized, serialize_error
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import FunctionId

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker


class _ArgumentFailedError(Exception):
    """An argument is an exception: the call does not run and ends with the same one."""

    def __init__(self, payload: Serialized) -> None:
        super().__init__("an argument failed")
        self.payload = payload


class Execution:
    """What user code a worker knows: loaded functions, and the instance of its actor."""

    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._functions: dict[FunctionId, tuple[Any, tuple[type[BaseException], ...] | None]] = {}
        self.instance: Any = None

    def run(self, task: RunnableTask) -> Outcome:
        name = task.template.name if task.template is not None else task.call.method
        retried: tuple[type[BaseException], ...] | None = None
        try:
            function, retried = self._function(task)
            args, kwargs = self._arguments(task)
            result = function(*args, **kwargs)
            del args, kwargs
            return Outcome(TaskStatus.OK, self._returns(task, name, result))
        except _ArgumentFailedError as failed:
            return _failed_like(task, failed.payload)
        except self._worker.host.unwinding:
            raise
        except (SystemExit, KeyboardInterrupt) as end:
            return self._ended(task, name, end)
        except BaseException as error:  # noqa: BLE001  (whatever user code raises is its result)
            return self._raised(task, name, error, retried)

    def _function(self, task: RunnableTask) -> tuple[Any, tuple[type[BaseException], ...] | None]:
        if task.actor is not None:
            if task.call.method == "__init__":
                return self._construct, None
            return self._method(task.call.method), None
        assert task.template is not None
        key = task.template.function_id
        found = self._functions.get(key)
        if found is None:
            assert task.function is not None, f"function {task.template.name} never arrived"
            found = self._functions[key] = cloudpickle.loads(task.function)
        return found

    def _construct(self, *args: Any, **kwargs: Any) -> None:
        task = self._worker.context.task
        assert task is not None
        spec = task.actor
        assert spec is not None
        cls, _ = cloudpickle.loads(spec.class_payload)
        self.instance = cls(*args, **kwargs)

    def _method(self, name: str) -> Any:
        if name == "__ray_ready__":
            return lambda: True
        if name == "__ray_call__":
            return lambda function, *args, **kwargs: function(self.instance, *args, **kwargs)
        return getattr(self.instance, name)

    def _arguments(self, task: RunnableTask) -> tuple[list[Any], dict[str, Any]]:
        values = self._worker.values
        args: list[Any]
        kwargs: dict[str, Any]
        args, kwargs = values.load(task.call.args)[0] if task.call.args else ([], {})
        ids = {arg.slot: arg.object_id for arg in task.call.refs}
        for arg in task.args:
            if arg.payload is not None:
                data: bytes | memoryview = arg.payload
            else:
                pin = self._worker.owner.fetches.pin_of(ids[arg.slot])
                assert pin is not None, f"argument {arg.slot} is not pinned while its call runs"
                data = values.view(pin)
            value, is_error = values.load(data)
            if is_error:
                raise _ArgumentFailedError(Serialized([bytes(data)], []))
            if isinstance(arg.slot, int):
                args[arg.slot] = value
            else:
                kwargs[arg.slot] = value
        return args, kwargs

    def _returns(self, task: RunnableTask, name: str, result: Any) -> list[ReturnValue]:
        count = task.template.num_returns if task.template is not None else task.call.num_returns
        if task.call.method == "__init__" or count == 0:
            return []
        results: Sequence[Any] = [result] if count == 1 else _split(result, count)
        serialize = self._worker.values.serialize
        values: list[ReturnValue] = []
        for value in results:
            serialized = serialize(value, f"what {name} returned")
            values.append(ReturnValue(serialized.parts, serialized.size, serialized.contained))
        self._hold(values)
        return values

    def _hold(self, values: list[ReturnValue]) -> None:
        """The references inside, while the result still holds them; the executor lets go."""
        contained = [ref for value in values for ref in value.contained]
        if contained:
            with self._worker.host.lock:
                self._worker.owner.objects.hold(contained)

    def _raised(
        self,
        task: RunnableTask,
        name: str,
        error: BaseException,
        retried: tuple[type[BaseException], ...] | None,
    ) -> Outcome:
        actor = task.actor
        wrapped = RayTaskError.of(
            error,
            name if actor is None else f"{actor.class_name}.{name}",
            self._worker.host.pid,
            "127.0.0.1",
            repr(self.instance) if actor is not None and self.instance is not None else None,
            actor.actor_id.hex() if actor is not None else None,
        )
        wants_retry = (
            task.template.retry_exceptions
            if task.template is not None
            else task.call.retry_exceptions
        )
        cause = error.cause if isinstance(error, RayTaskError) else error
        if wants_retry and (retried is None or isinstance(cause, retried)):
            status = TaskStatus.RETRIABLE_ERROR
        else:
            status = TaskStatus.APPLICATION_ERROR
        return _failed_like(task, serialize_error(wrapped), status)

    def _ended(self, task: RunnableTask, name: str, end: BaseException) -> Outcome:
        """User code ended its process (`sys.exit`): the call counts as lost with it, as in Ray."""
        text = f"The worker ended while it ran {name}: {type(end).__name__}({end})."
        if task.actor is not None:
            failure = Failure(FailureKind.ACTOR_DIED, text, task.actor.actor_id)
        else:
            failure = Failure(FailureKind.WORKER_CRASHED, text)
        return Outcome(TaskStatus.FAILED, failure=failure, exits=True)


def _failed_like(
    task: RunnableTask, error: Serialized, status: TaskStatus = TaskStatus.APPLICATION_ERROR
) -> Outcome:
    """Every return holds the error."""
    count = task.template.num_returns if task.template is not None else task.call.num_returns
    value = ReturnValue(error.parts, error.size, is_error=True)
    return Outcome(status, [value] * max(count, 1 if task.call.method == "__init__" else 0))


def _split(result: Any, count: int) -> Sequence[Any]:
    try:
        results = list(result)
    except TypeError:
        raise TypeError(
            f"The task must return {count} objects (num_returns={count}), but it returned one "
            f"{type(result).__name__}, which cannot be taken apart."
        ) from None
    if len(results) != count:
        raise ValueError(f"Task returned {len(results)} objects, but num_returns={count}.")
    return results

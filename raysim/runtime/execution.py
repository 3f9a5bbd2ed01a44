"""Runs one call of user code: loads function and arguments, calls, serialises what came of it. Never schedules."""

from collections.abc import Callable, Generator, Sequence
from inspect import isasyncgen, isawaitable, iscoroutinefunction, isgenerator
from logging import getLogger
from typing import TYPE_CHECKING, Any

import cloudpickle

from raysim.exceptions import (
    AsyncioActorExit,
    RayTaskError,
    TaskCancelledError,
    UserCodeException,
)
from raysim.protocol.host import Outcome, ReturnValue, RunnableTask
from raysim.protocol.messages import TaskStatus
from raysim.protocol.messages.tasks import OK
from raysim.runtime.items import END, Items
from raysim.runtime.logs import configure
from raysim.runtime.serialization import Serialized, serialize_error, serialize_plain
from raysim.runtime.setup_hook import SetupHookFailedError, run_setup_hook
from raysim.runtime.shown import own_label
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import FunctionId
from raysim.spec.runtime_env import read_env
from raysim.spec.task import returns_of

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker


class _ArgumentFailedError(Exception):
    """An argument is an exception: the call does not run and ends with the same one."""

    def __init__(self, payload: Serialized) -> None:
        super().__init__("an argument failed")
        self.payload = payload


def call_user_code(function: Callable[..., Any], args: list[Any], kwargs: dict[str, Any]) -> Any:
    """Hosts find user code on the stack by this function: it alone may be interrupted."""
    return function(*args, **kwargs) if kwargs else function(*args)


class Execution:
    """What user code a worker knows: loaded functions, and the instance of its actor."""

    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._functions: dict[FunctionId, tuple[Any, tuple[type[BaseException], ...] | None]] = {}
        self._items = Items(worker, call_user_code)
        self._hooked = False
        self._class: type = object
        self.instance: Any = None
        self.label = ""
        """What the instance said of itself when it was made."""

    def run(self, task: RunnableTask) -> Outcome:
        call, template = task.call, task.template
        name = call.method if template is None else template.name
        retried: tuple[type[BaseException], ...] | None = None
        try:
            if task.cancelled:
                return _never_started(task, name)
            function, retried = self._function(task)
            if call.args or task.args:
                args, kwargs = self._arguments(task)
                result = call_user_code(function, args, kwargs)
                del args, kwargs
            else:
                result = call_user_code(function, [], {})
            outcome = _plain_outcome(task, result) or self.outcome_of(task, name, result, retried)
        except BaseException as error:  # noqa: BLE001  (whatever user code raises is its result)
            outcome = self.failed(task, name, error, retried)
        if task.cancelled and task.actor is not None and not outcome.exits:
            self._give_up(outcome)
            return _cancelled_method(task, name)
        return outcome

    async def run_async(self, task: RunnableTask) -> Outcome:
        """A call of an asynchronous actor: its ordinary methods run on the loop as well, and block it (Ray)."""
        from raysim.runtime.futures import CancelledError

        name = task.call.method
        try:
            if task.cancelled:
                return _never_started(task, name)
            function, _ = self._function(task)
            args, kwargs = self._arguments(task)
            result = call_user_code(function, args, kwargs)
            del args, kwargs
            if isawaitable(result):
                result = await result
            if isasyncgen(result) and _count(task) < 0:
                outcome = Outcome(TaskStatus.OK, await self._items.run_async(task, name, result))
            else:
                outcome = _plain_outcome(task, result) or self.outcome_of(task, name, result, None)
        except CancelledError as error:
            return self._cancelled(task, name, error)
        except BaseException as error:  # noqa: BLE001  (whatever user code raises is its result)
            outcome = self.failed(task, name, error, None)
        if task.cancelled and not outcome.exits:
            # It took no notice, or ended at the same time: its caller has given it up (Ray).
            self._give_up(outcome)
            return self._cancelled(task, name, CancelledError())
        return outcome

    def failed(
        self,
        task: RunnableTask,
        name: str,
        error: BaseException,
        retried: tuple[type[BaseException], ...] | None,
    ) -> Outcome:
        if isinstance(error, _ArgumentFailedError):
            return _failed_like(task, error.payload)
        if isinstance(error, KeyboardInterrupt) and task.cancelled:
            return self._cancelled(task, name, error)
        if isinstance(error, self._worker.host.unwinding):
            raise error
        if isinstance(error, SetupHookFailedError):
            return _crashed(task, str(error))
        if isinstance(error, SystemExit | KeyboardInterrupt | AsyncioActorExit):
            return self._ended(task, name, error)
        return self._raised(task, name, error, retried)

    def _give_up(self, outcome: Outcome) -> None:
        """What it returned is nobody's."""
        with self._worker.host.lock:
            for value in outcome.returns:
                if value.held:
                    self._worker.owner.objects.drop_holds(value.contained)

    def _cancelled(self, task: RunnableTask, name: str, error: BaseException) -> Outcome:
        """Cancelled while it ran: an error of the application, with the place where it was (Ray)."""
        task_id = task.call.task_id.hex()
        text = f"Call {name} ({task_id[:8]}) was cancelled while it ran."
        cancelled = TaskCancelledError(task_id, text).with_traceback(error.__traceback__)
        return self._raised(task, name, cancelled, ())

    def shut_down(self) -> None:
        """The actor's process ends in good order: its own hook first (Ray: `__ray_shutdown__`)."""
        hook = getattr(self.instance, "__ray_shutdown__", None)
        if hook is None:
            return
        try:
            hook()
        except Exception:
            # Whatever user code raises: the process ends all the same.
            getLogger(__name__).exception("__ray_shutdown__ of %r failed", self.instance)

    def _function(self, task: RunnableTask) -> tuple[Any, tuple[type[BaseException], ...] | None]:
        if not self._hooked:
            # Before anything of the program is loaded.
            logs = read_env(self._worker.runtime_env).job.logging
            if logs is not None:
                configure(logs)
            run_setup_hook(self._worker.runtime_env)
            self._hooked = True
        if task.actor is not None:
            if task.call.method == "__init__":
                return self._construct, None
            group = task.call.group
            if group and group not in task.actor.concurrency_groups:
                raise ValueError(
                    f"Actor {task.actor.class_name} has no concurrency group {group!r}; it has "
                    f"{', '.join(task.actor.concurrency_groups) or 'none'}."
                )
            return self.method(task.call.method), None
        assert task.template is not None
        key = task.template.function_id
        found = self._functions.get(key)
        if found is None:
            assert task.function is not None, f"function {task.template.name} never arrived"
            found = self._functions[key] = cloudpickle.loads(task.function)
        return found

    def function_name(self, task: RunnableTask) -> str:
        """Of what a call runs, as its module names it."""
        if task.actor is not None:
            return f"{self._class.__module__}.{self._class.__qualname__}.{task.call.method}"
        assert task.template is not None
        found = self._functions.get(task.template.function_id)
        if found is None:
            return task.template.name
        return f"{found[0].__module__}.{found[0].__qualname__}"

    def _construct(self, *args: Any, **kwargs: Any) -> Any:
        """None, or what an asynchronous actor's `async def __init__` has yet to do."""
        task = self._worker.context.task
        assert task is not None
        spec = task.actor
        assert spec is not None
        cls, _ = cloudpickle.loads(spec.class_payload)
        self._class = cls
        if not iscoroutinefunction(cls.__init__):
            self.instance = cls(*args, **kwargs)
            return None
        self.instance = cls.__new__(cls, *args, **kwargs)
        return self.instance.__init__(*args, **kwargs)

    def method(self, name: str) -> Any:
        """Of the instance, or what every actor has."""
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
        if not task.args:
            return args, kwargs
        refs = task.call.refs
        if refs and not task.call.args:
            args = [None for arg in refs if isinstance(arg.slot, int)]
        for arg in task.args:
            if arg.payload is not None:
                data: bytes | memoryview = arg.payload
            else:
                object_id = next(ref.object_id for ref in refs if ref.slot == arg.slot)
                pin = self._worker.owner.fetches.pin_of(object_id)
                assert pin is not None, f"argument {arg.slot} is not pinned while its call runs"
                data = values.view(pin)
            value, is_error = values.load(data)
            if is_error:
                raise _ArgumentFailedError(Serialized.of([bytes(data)]))
            if not isinstance(arg.slot, int):
                kwargs[arg.slot] = value
            elif arg.slot < len(args):
                args[arg.slot] = value
            else:  # Of a compiled graph's method that takes nothing but what comes through channels.
                args.append(value)
        return args, kwargs

    def outcome_of(
        self,
        task: RunnableTask,
        name: str,
        result: Any,
        retried: tuple[type[BaseException], ...] | None,
    ) -> Outcome:
        count = _count(task)
        if count < 0:
            return Outcome(TaskStatus.OK, self._items.run(task, name, result))
        if task.call.method == "__init__":
            self.label = own_label(self.instance) or ""
            return Outcome(TaskStatus.OK, shown=self.label)
        if count == 0:
            return Outcome(TaskStatus.OK)
        if isgenerator(result):
            return self._taken(task, name, result, count, retried)
        if count == 1:
            values = [self._return(name, result)]
        else:
            values = [self._return(name, value) for value in _split(result, count)]
        self._hold(values)
        return Outcome(TaskStatus.OK, values)

    def _return(self, name: str, value: Any) -> ReturnValue:
        serialized = self._worker.values.serialize(value, f"what {name} returned")
        return ReturnValue(serialized.parts, serialized.size, serialized.contained)

    def _taken(
        self,
        task: RunnableTask,
        name: str,
        generator: Generator[Any, Any, Any],
        count: int,
        retried: tuple[type[BaseException], ...] | None,
    ) -> Outcome:
        """The first `count` items are the returns; an error on the way is in all that follow (Ray)."""
        values: list[ReturnValue] = []
        try:
            while len(values) < count:
                value = call_user_code(next, [generator, END], {})
                if value is END:
                    raise _wrong_number(len(values), count)
                values.append(self._return(name, value))
            outcome = Outcome(TaskStatus.OK, values)
        except BaseException as error:  # noqa: BLE001  (whatever user code raises is its result)
            outcome = self.failed(task, name, error, retried)
            if outcome.returns:
                outcome.returns[: len(values)] = values
        finally:
            generator.close()
        self._hold(values)
        return outcome

    def _hold(self, values: list[ReturnValue]) -> None:
        """The references inside, while the result still holds them; the executor lets go."""
        for value in values:
            if value.contained:
                with self._worker.host.lock:
                    self._worker.owner.objects.hold(value.contained)

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
            self._worker.host.address.endpoint.rpartition(":")[0] or "127.0.0.1",
            repr(self.instance) if actor is not None and self.instance is not None else None,
            actor.actor_id.hex() if actor is not None else None,
        )
        wants_retry = (
            task.template.retry_exceptions
            if task.template is not None
            else task.call.retry_exceptions
        )
        cause = error.cause if isinstance(error, RayTaskError) else error
        if isinstance(cause, UserCodeException) and cause.__cause__ is not None:
            cause = cause.__cause__
        if task.call.retry_only and retried is None:
            retried = cloudpickle.loads(task.call.retry_only)
        if wants_retry and (retried is None or isinstance(cause, retried)):
            status = TaskStatus.RETRIABLE_ERROR
        else:
            status = TaskStatus.APPLICATION_ERROR
        outcome = _failed_like(task, serialize_error(wrapped), status)
        if _count(task) < 0 and not isinstance(error, TaskCancelledError):
            outcome.returns = self._items.returns(task, 1) + outcome.returns
        return outcome

    def _ended(self, task: RunnableTask, name: str, end: BaseException) -> Outcome:
        """User code ended its process (`sys.exit`): the call counts as lost with it, as in Ray."""
        text = f"The worker ended while it ran {name}: {type(end).__name__}({end})."
        if task.actor is not None:
            # An exit code tells a crash, after which an actor restarts, from an end that was meant.
            intended = isinstance(end, AsyncioActorExit) or getattr(end, "code", 1) in (None, 0)
            if intended:
                text = f"Actor {task.actor.class_name} ended itself in {name}, by exit_actor() or sys.exit()."
            failure = Failure(FailureKind.ACTOR_DIED, text, task.actor.actor_id)
            return Outcome(TaskStatus.FAILED, failure=failure, exits=True, crashed=not intended)
        failure = Failure(FailureKind.WORKER_CRASHED, text)
        return Outcome(TaskStatus.FAILED, failure=failure, exits=True)


def _plain_outcome(task: RunnableTask, result: Any) -> Outcome | None:
    """Of a call that returns one value that any pickler writes alike: most do. None: see `outcome_of`."""
    call, template = task.call, task.template
    count = call.num_returns if template is None else template.num_returns
    if count != 1 or call.method == "__init__":
        return None
    data = serialize_plain(result)
    return None if data is None else Outcome(OK, [ReturnValue((data,), len(data))])


def _failed_like(
    task: RunnableTask, error: Serialized, status: TaskStatus = TaskStatus.APPLICATION_ERROR
) -> Outcome:
    """Every return holds the error."""
    count = returns_of(_count(task))
    value = ReturnValue(error.parts, error.size, is_error=True)
    return Outcome(status, [value] * max(count, 1 if task.call.method == "__init__" else 0))


def _crashed(task: RunnableTask, text: str) -> Outcome:
    """The worker cannot run calls: this one counts as lost with it."""
    if task.actor is not None:
        failure = Failure(FailureKind.ACTOR_DIED, text, task.actor.actor_id)
    else:
        failure = Failure(FailureKind.WORKER_CRASHED, text)
    return Outcome(TaskStatus.FAILED, failure=failure, exits=True)


def _never_started(task: RunnableTask, name: str) -> Outcome:
    text = f"Call {name} ({task.call.task_id.hex()[:8]}) was cancelled before it started."
    return Outcome(TaskStatus.FAILED, failure=Failure(FailureKind.TASK_CANCELLED, text))


def _cancelled_method(task: RunnableTask, name: str) -> Outcome:
    """A method that runs is not interrupted, but nobody waits for what it returns (Ray)."""
    text = f"Call {name} ({task.call.task_id.hex()[:8]}) was cancelled while it ran."
    return Outcome(TaskStatus.FAILED, failure=Failure(FailureKind.TASK_CANCELLED, text))


def _split(result: Any, count: int) -> Sequence[Any]:
    try:
        results = list(result)
    except TypeError:
        raise TypeError(
            f"The task must return {count} objects (num_returns={count}), but it returned one "
            f"{type(result).__name__}, which cannot be taken apart."
        ) from None
    if len(results) != count:
        raise _wrong_number(len(results), count)
    return results


def _wrong_number(found: int, count: int) -> ValueError:
    return ValueError(f"Task returned {found} objects, but num_returns={count}.")


def _count(task: RunnableTask) -> int:
    return task.template.num_returns if task.template is not None else task.call.num_returns

"""Runs generators of user code and hands on what they yield. Never where the items go: see the executor."""

from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from raysim.exceptions import from_failure
from raysim.protocol.executor.generators import Production
from raysim.protocol.host import ReturnValue, RunnableTask, Waiter
from raysim.protocol.owner.streams import item_id
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.object_ref_generator import DynamicObjectRefGenerator
from raysim.runtime.serialization import serialize
from raysim.spec.actor import METHOD_OPTIONS
from raysim.spec.task import DYNAMIC

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker


END = object()
"""In place of a value: the generator has no more."""


class Items:
    """Of the calls with num_returns="streaming" or "dynamic" that one process runs."""

    def __init__(self, worker: "CoreWorker", call: Callable[..., Any]) -> None:
        """`call`: how user code is called here."""
        self._worker = worker
        self._host = worker.host
        self._call = call

    def run(self, task: RunnableTask, name: str, generator: Any) -> list[ReturnValue]:
        """Until the generator ends, or nobody is left to take what it yields. What the call returns.

        Raises what user code raises, ValueError where that is no generator, and what `check` does.
        """
        if not isinstance(generator, Iterator):
            raise ValueError(
                f"{name} has num_returns='streaming' or 'dynamic' and must be a generator, but it "
                f"returned {type(generator).__name__}."
            )
        following = [generator, END]
        per_yield = self._per_yield(task)
        try:
            while (value := self._call(next, following, {})) is not END:
                production = self._give_all(task, name, _parts(value, per_yield))
                if production is None:
                    break
                waiter = production.waiter
                assert waiter is not None
                if not waiter.done:
                    self._host.block(waiter, None)
                check(production)
        finally:
            close = getattr(generator, "close", None)
            if close is not None:
                close()
        return self.returns(task, 0)

    async def run_async(
        self, task: RunnableTask, name: str, generator: AsyncGenerator[Any, Any]
    ) -> list[ReturnValue]:
        """The same on the loop of an asynchronous actor, which goes on with other calls meanwhile."""
        per_yield = self._per_yield(task)
        try:
            async for value in generator:
                production = self._give_all(task, name, _parts(value, per_yield))
                if production is None:
                    break
                waiter = production.waiter
                assert waiter is not None
                if not waiter.done:
                    await self._until(waiter)
                check(production)
        finally:
            await generator.aclose()
        return self.returns(task, 0)

    async def _until(self, waiter: Waiter) -> None:
        from raysim.runtime.futures import told

        def begin(wake: Callable[[], None]) -> None:
            with self._host.lock:
                waiter.wake = wake
                if waiter.done:
                    wake()

        await told(begin)

    def _per_yield(self, task: RunnableTask) -> int:
        if task.template is not None:
            return task.template.per_yield if task.template.num_returns != DYNAMIC else 1
        method = getattr(self._worker.execution.instance, task.call.method, None)
        count: int | None = getattr(method, METHOD_OPTIONS, {}).get("_num_objects_per_yield")
        return count or 1

    def _give_all(self, task: RunnableTask, name: str, values: Sequence[Any]) -> Production | None:
        """Begin to send items; user code goes on once the production's waiter is done.

        None: nobody is left to take them.
        """
        production: Production | None = None
        for value in values:
            production = self._give(task, name, value)
        return production

    def _give(self, task: RunnableTask, name: str, value: Any) -> Production | None:
        executor = self._worker.executor
        assert executor is not None
        serialized = self._worker.values.serialize(value, f"what {name} yielded")
        item = ReturnValue(serialized.parts, serialized.size, serialized.contained)
        with self._host.lock:
            if item.contained:
                self._worker.owner.objects.hold(item.contained)
            return executor.give(task, item)

    def returns(self, task: RunnableTask, errors: int) -> list[ReturnValue]:
        """What the call itself returns after its last item; `errors`: 1, if its error is one more."""
        value: Any = None
        count = task.template.num_returns if task.template is not None else task.call.num_returns
        if count == DYNAMIC:
            executor = self._worker.executor
            assert executor is not None
            with self._host.lock:
                items = executor.given(task) + errors
            ids = [item_id(task.call.task_id, index) for index in range(items)]
            value = DynamicObjectRefGenerator(ObjectRef(one, task.caller, None) for one in ids)
        serialized = serialize(value)
        return [ReturnValue(serialized.parts, serialized.size, serialized.contained, held=False)]


def _parts(value: Any, count: int) -> Sequence[Any]:
    """What was yielded, as items. Raises ValueError where that are not as many as were declared (Ray)."""
    if count == 1:
        return (value,)
    if not isinstance(value, list | tuple):
        raise ValueError(
            f"Streaming generator tasks with _num_objects_per_yield={count} must yield a tuple or list "
            f"of length {count}."
        )
    if len(value) != count:
        raise ValueError(
            f"Streaming generator task yielded {len(value)} objects, but _num_objects_per_yield={count}."
        )
    return value


def check(production: Production) -> None:
    """Raises ObjectStoreFullError or OutOfDiskError where the last item could not be stored."""
    if production.failure is not None:
        raise from_failure(production.failure)

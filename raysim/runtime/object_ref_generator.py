"""References to what generators yield, as programs hold them. Never how items travel: see the owner's streams."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from raysim.protocol.host import Waiter
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.ids import task_of_object

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker


class ObjectRefGenerator:
    """References to the items of one call, as they are made: an iterator, plain and asynchronous.

    An error that the generator raised is one item more. What else ended the call early (its worker
    died, it was cancelled) is raised by a last reference, that of `completed()`. Not to be used by
    several threads at once. Ray: `ray.ObjectRefGenerator`.
    """

    def __init__(self, ref: ObjectRef, worker: "CoreWorker") -> None:
        self._ref = ref
        self._worker = worker
        self._task_id = task_of_object(ref._id)
        self._failed = False
        """The reference that says how the call failed was handed out."""

    def completed(self) -> ObjectRef:
        """A reference to the end of the call: None, or the failure. Errors of user code are items."""
        return self._ref

    def next_ready(self) -> bool:
        """Whether `next` would give a reference at once."""
        with self._worker.host.lock:
            return self._worker.owner.streams.peek(self._task_id) is not None

    def is_finished(self) -> bool:
        """Whether every reference was taken."""
        with self._worker.host.lock:
            streams = self._worker.owner.streams
            return streams.exhausted(self._task_id) and (self._failed or not self._has_failed())

    def __iter__(self) -> "ObjectRefGenerator":
        return self

    def __next__(self) -> ObjectRef:
        """The next item's reference, once the item exists."""
        found = self._take()
        while found is None:
            waiter = Waiter()
            with self._worker.host.lock:
                self._worker.owner.streams.when_next(self._task_id, waiter.finish)
            try:
                self._worker.block(waiter, None)
            finally:
                if not waiter.done:
                    with self._worker.host.lock:
                        self._worker.owner.streams.forget(self._task_id, waiter.finish)
            found = self._take()
        return found

    def __aiter__(self) -> "ObjectRefGenerator":
        return self

    async def __anext__(self) -> ObjectRef:
        """As `next`, in whatever loop runs."""
        from raysim.runtime.futures import told

        def begin(wake: Callable[[], None]) -> None:
            with self._worker.host.lock:
                self._worker.owner.streams.when_next(self._task_id, wake)

        try:
            while (found := self._take()) is None:
                await told(begin)
        except StopIteration:
            raise StopAsyncIteration from None
        return found

    def _take(self) -> ObjectRef | None:
        """None: not yet. Raises StopIteration at the end."""
        worker = self._worker
        with worker.host.lock:
            worker.drain()
            streams = worker.owner.streams
            object_id = streams.next(self._task_id)
            if object_id is not None:
                return ObjectRef(object_id, worker.host.address, worker.holder)
            if not streams.exhausted(self._task_id):
                return None
            if self._failed or not self._has_failed():
                raise StopIteration
            self._failed = True
            return self._ref

    def _has_failed(self) -> bool:
        entry = self._worker.owner.objects.entries[self._ref._id]
        return entry.failure is not None or entry.is_error

    def __del__(self) -> None:
        worker, task_id = self._worker, self._task_id
        worker.host.soon(lambda: worker.owner.streams.close(task_id))

    def __repr__(self) -> str:
        return f"ObjectRefGenerator({self._task_id.hex()})"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "You cannot return or pass a generator to other task. Serializing a ObjectRefGenerator "
            "is not allowed."
        )

    def send(self, value: Any) -> NoReturn:
        raise NotImplementedError("`gen.send` is not supported.")

    def throw(self, *error: Any) -> NoReturn:
        raise NotImplementedError("`gen.throw` is not supported.")

    def close(self) -> NoReturn:
        raise NotImplementedError("`gen.close` is not supported.")

    def asend(self, value: Any) -> NoReturn:
        raise NotImplementedError("`gen.asend` is not supported.")

    def athrow(self, *error: Any) -> NoReturn:
        raise NotImplementedError("`gen.athrow` is not supported.")

    def aclose(self) -> NoReturn:
        raise NotImplementedError("`gen.aclose` is not supported.")


class DynamicObjectRefGenerator:
    """All items of a call with num_returns="dynamic". Gives each reference once. Ray's class of this name."""

    def __init__(self, refs: Iterable[ObjectRef]) -> None:
        self._refs = deque(refs)

    def __iter__(self) -> Iterator[ObjectRef]:
        while self._refs:
            yield self._refs.popleft()

    def __len__(self) -> int:
        return len(self._refs)

"""put, get and wait of one process: between Python values and the owner's table. Never who owns what."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from raysim.exceptions import (
    GetTimeoutError,
    ObjectStoreFullError,
    RayError,
    RaySystemError,
    RayTaskError,
    from_failure,
)
from raysim.protocol.host import Waiter
from raysim.protocol.messages import FetchReason
from raysim.protocol.owner.fetches import Pin
from raysim.protocol.owner.objects import Entry, ObjectState
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.serialization import Serialized, deserialize, serialize
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

NS = 1_000_000_000


class Values:
    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._host = worker.host
        self._owner = worker.owner

    # put

    def put(self, value: object) -> ObjectRef:
        return self.put_serialized(self.serialize(value, "the put value"))

    def put_serialized(self, serialized: Serialized) -> ObjectRef:
        with self._host.lock:
            object_id = self._worker.context.ids.put()
            entry = self._owner.objects.create(object_id)
            entry.local = 1
            entry.contained = serialized.contained
            self._owner.objects.hold(serialized.contained)
            if serialized.size <= self._host.config.max_inline_bytes:
                self._owner.objects.set_inline(entry, serialized.join(), is_error=False)
                return ObjectRef(object_id, self._host.address, self._worker)
        ref = ObjectRef(object_id, self._host.address, self._worker)
        self._store(entry, serialized)
        return ref

    def _store(self, entry: Entry, serialized: Serialized) -> None:
        """Write into a lent extent of the node's store. Raises ObjectStoreFullError."""
        waiter = Waiter()
        answer: list[tuple[int, int, Failure | None]] = []

        def lent(number: int, handle: int, failure: Failure | None) -> None:
            answer.append((number, handle, failure))
            waiter.finish()

        with self._host.lock:
            self._owner.extents.request(serialized.size, lent)
        # A task that puts keeps its CPUs and its queue: the raylet answers at once, or makes room.
        self._host.block(waiter, None)
        number, handle, failure = answer[0]
        if failure is not None:
            raise ObjectStoreFullError(failure.text)
        self._host.store.write(handle, serialized.parts)
        with self._host.lock:
            self._owner.extents.seal(number, entry.object_id, serialized.size, self._host.address)
            self._owner.objects.set_stored(entry, serialized.size, [self._worker.raylet])

    def serialize(self, value: object, what: str) -> Serialized:
        """Raises TypeError that says what could not be serialised, and why."""
        try:
            return serialize(value)
        except RayError:
            raise
        except Exception as error:
            raise TypeError(
                f"Could not serialize {what} ({_shown(value)}): {type(error).__name__}: {error}. "
                "Something inside it cannot be pickled: a lock, a socket, a generator or an open file?"
            ) from error

    # get

    def get(self, refs: Sequence[ObjectRef], timeout: float | None) -> list[Any]:
        entries = self.entries_of(refs)
        owner, fetches = self._owner, self._owner.fetches
        waiter = Waiter()
        pins: dict[ObjectId, Pin] = {}
        failures: dict[ObjectId, Failure] = {}
        left = 0
        callbacks: list[tuple[Entry, Callable[[], None]]] = []
        with self._host.lock:
            self._worker.drain()
            for entry in {entry.object_id: entry for entry in entries}.values():
                if entry.state == ObjectState.INLINE or entry.state == ObjectState.FAILED:
                    if entry.failure is not None:
                        failures[entry.object_id] = entry.failure
                    if entry.failure is not None or entry.is_error:
                        waiter.finish()  # Ray: the first error ends the wait.
                    continue
                left += 1

                def at_hand(entry: Entry = entry) -> None:
                    nonlocal left
                    left -= 1
                    pin = fetches.pin_of(entry.object_id)
                    if pin is not None and entry.state == ObjectState.STORED:
                        fetches.acquire(pin)
                        pins[entry.object_id] = pin
                    failure = fetches.failure_of(entry)
                    if failure is not None:
                        failures[entry.object_id] = failure
                    if left == 0 or failure is not None or entry.is_error:
                        waiter.finish()

                callbacks.append((entry, at_hand))
                fetches.fetch(entry, FetchReason.GET, at_hand)
            if left == 0:
                waiter.finish()
        try:
            in_time = waiter.done or self._worker.block(
                waiter, None if timeout is None or timeout < 0 else int(timeout * NS), entries
            )
            if not in_time:
                raise _timed_out(refs, entries, pins, timeout)
            self._raise_first_error(entries, failures)
            return [self._value(ref, entry, pins) for ref, entry in zip(refs, entries, strict=True)]
        finally:
            if callbacks:
                with self._host.lock:
                    for entry, done in callbacks:
                        fetches.forget(entry, done)
                    for pin in pins.values():
                        fetches.release(pin)
                    owner.flush()

    def entries_of(self, refs: Sequence[ObjectRef]) -> list[Entry]:
        table = self._owner.objects.entries
        found: list[Entry] = []
        for ref in refs:
            entry = table.get(ref._id) if ref._worker is self._worker else None
            if entry is None:
                raise ValueError(
                    f"{ref!r} is not known to this process: it belongs to a session that has ended, or "
                    "came here by other ways than an argument, a return value or put."
                )
            found.append(entry)
        return found

    def _raise_first_error(self, entries: list[Entry], failures: dict[ObjectId, Failure]) -> None:
        for entry in entries:
            failure = failures.get(entry.object_id)
            if failure is not None:
                raise self.exception_of(failure, entry.object_id)
            if entry.is_error and entry.payload is not None:
                raise _raisable(self.load(entry.payload)[0])

    def _value(self, ref: ObjectRef, entry: Entry, pins: dict[ObjectId, Pin]) -> Any:
        if entry.payload is not None:
            value, is_error = self.load(entry.payload)
        else:
            value, is_error = self.load(self.view(pins[entry.object_id]))
        if is_error:
            raise _raisable(value)
        return value

    def view(self, pin: Pin) -> memoryview:
        """The bytes of a pinned object; pinned until nothing made of them is left."""
        fetches = self._owner.fetches
        with self._host.lock:
            fetches.acquire(pin)
        host = self._host
        return host.store.view(
            pin.handle, pin.size, lambda: host.soon(lambda: fetches.release(pin))
        )

    def load(self, data: bytes | memoryview) -> tuple[Any, bool]:
        """A value, and whether it is an exception; the references inside are counted from now on."""
        try:
            value, is_error, refs = deserialize(data)
        except Exception as error:
            raise RaySystemError(
                f"A value cannot be deserialised: {type(error).__name__}: {error}"
            ) from error
        if refs:
            self._worker.adopt(refs)
        return value, is_error

    def exception_of(self, failure: Failure, object_id: ObjectId) -> RayError:
        inner = self.load(failure.payload)[0] if failure.payload is not None else None
        cause = inner if isinstance(inner, RayTaskError) else None
        return from_failure(failure, object_id.hex(), cause)

    # wait

    def wait(
        self, refs: Sequence[ObjectRef], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[ObjectRef], list[ObjectRef]]:
        entries = self.entries_of(refs)
        fetches, objects = self._owner.fetches, self._owner.objects
        waiter = Waiter()
        ready = [False] * len(refs)
        callbacks: list[tuple[Entry, Callable[[], None]]] = []
        count = 0
        with self._host.lock:
            self._worker.drain()
            for index, entry in enumerate(entries):

                def here(index: int = index) -> None:
                    nonlocal count
                    if not ready[index]:
                        ready[index] = True
                        count += 1
                        if count >= num_returns:
                            waiter.finish()

                if not fetch_local:
                    objects.when_ready(entry, here)
                elif fetches.at_hand(entry):
                    here()
                else:
                    callbacks.append((entry, here))
                    fetches.fetch(entry, FetchReason.WAIT, here)
        try:
            if not waiter.done and timeout != 0:
                timeout_ns = None if timeout is None else int(timeout * NS)
                self._worker.block(waiter, timeout_ns, entries)
            elif not waiter.done:
                self._worker.block(waiter, 0)
        finally:
            if callbacks:
                with self._host.lock:
                    for entry, done in callbacks:
                        fetches.forget(entry, done)
        chosen = [index for index, is_ready in enumerate(ready) if is_ready][:num_returns]
        taken = set(chosen)
        return (
            [refs[index] for index in chosen],
            [ref for index, ref in enumerate(refs) if index not in taken],
        )


def _timed_out(
    refs: Sequence[ObjectRef],
    entries: list[Entry],
    pins: dict[ObjectId, Pin],
    timeout: float | None,
) -> GetTimeoutError:
    there = (ObjectState.INLINE, ObjectState.FAILED)
    missing = [
        ref
        for ref, entry in zip(refs, entries, strict=True)
        if entry.state not in there and entry.object_id not in pins
    ]
    first = f", the first {missing[0]!r}" if missing else ""
    return GetTimeoutError(
        f"Get timed out after {timeout} s: {len(missing)} of {len(refs)} objects are not here{first}."
    )


def _raisable(error: Any) -> BaseException:
    if isinstance(error, RayTaskError):
        return error.as_instanceof_cause()
    assert isinstance(error, BaseException), f"an error object holds {type(error).__name__}"
    return error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

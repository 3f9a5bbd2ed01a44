"""put, get and wait of one process: between Python values and the owner's table. Never who owns what."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from raysim.exceptions import (
    GetTimeoutError,
    RayError,
    RaySystemError,
    RayTaskError,
    from_failure,
)
from raysim.protocol.host import ProcessHost, Waiter
from raysim.protocol.messages import FetchReason
from raysim.protocol.messages.state import SpanKind
from raysim.protocol.owner import Owner
from raysim.protocol.owner.entries import INLINE, Entry, ObjectState
from raysim.protocol.owner.fetches import Pin
from raysim.protocol.owner.together import Together
from raysim.runtime.object_ref import ObjectRef, UnknownObjectError
from raysim.runtime.serialization import (
    Serialized,
    deserialize,
    load_plain,
    serialize,
    serialize_plain,
)
from raysim.runtime.waiting import Waitable, Waiting
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

NS = 1_000_000_000

LOCAL_NS = 1_000_000_000
"""How long `get` waits for its own raylet at least. Ours: it answers within 1 ms, or has failed."""


class Values:
    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._host = worker.host
        self._owner = worker.owner
        self.before_pickling: Callable[[], None] | None = None
        """Set by a world whose workers may lack modules that this process has."""

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
                return ObjectRef(object_id, self._host.address, self._worker.holder)
        ref = ObjectRef(object_id, self._host.address, self._worker.holder)
        self._store(entry, serialized)
        return ref

    def _store(self, entry: Entry, serialized: Serialized) -> None:
        """Write into a lent extent of the node's store. Raises ObjectStoreFullError, OutOfDiskError."""
        start_ns = self._host.now_ns()
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
            raise from_failure(failure)
        self._host.store.write(handle, serialized.parts)
        with self._host.lock:
            self._owner.extents.seal(number, entry.object_id, serialized.size, self._host.address)
            self._owner.objects.set_stored(entry, serialized.size, [self._worker.raylet])
        self._owner.spans.add(SpanKind.PUT, start_ns, [entry.object_id], serialized.size)

    def serialize(self, value: object, what: str) -> Serialized:
        """Raises TypeError that says what could not be serialised, and why."""
        plain = serialize_plain(value)
        if plain is not None:
            return Serialized([plain], [], len(plain))
        if self.before_pickling is not None:
            self.before_pickling()
        try:
            return serialize(value)
        except (RayError, UnknownObjectError):
            raise
        except Exception as error:
            raise TypeError(
                f"Could not serialize {what} ({_shown(value)}): {type(error).__name__}: {error}. "
                "Something inside it cannot be pickled: a lock, a socket, a generator or an open file?"
            ) from error

    # get

    def get(self, refs: Sequence[ObjectRef], timeout: float | None) -> list[Any]:
        refs = tuple(refs)  # A list may be changed by another thread, and what it held be gone.
        entries = self.entries_of(refs)
        owner, fetches = self._owner, self._owner.fetches
        waiter = Waiter()
        pins: dict[ObjectId, Pin] = {}
        failures: dict[ObjectId, Failure] = {}
        missing: dict[ObjectId, Entry] = {}
        together: Together | None = None
        left = 0
        is_broken = False

        def here(entry: Entry) -> None:
            nonlocal left, is_broken
            left -= 1
            if entry.state is INLINE and not entry.is_error:
                if left == 0:
                    waiter.finish()
                return
            pin = fetches.pin_of(entry.object_id)
            if pin is not None and entry.state == ObjectState.STORED:
                fetches.acquire(pin)
                pins[entry.object_id] = pin
            failure = fetches.failure_of(entry)
            if failure is not None:
                failures[entry.object_id] = failure
            if failure is not None or entry.is_error:
                is_broken = True
            if left == 0 or is_broken:
                waiter.finish()

        with self._host.lock:
            self._worker.drain()
            for entry in entries:
                if entry.state is INLINE:
                    is_broken = is_broken or entry.is_error
                elif entry.failure is not None:
                    failures[entry.object_id] = entry.failure
                    is_broken = True
                else:
                    missing[entry.object_id] = entry
            if missing and not is_broken:  # Ray: the first error ends the wait.
                left = len(missing)
                together = Together(owner.objects, fetches, FetchReason.GET, here)
                together.begin(list(missing.values()))
        try:
            if not (together is None or waiter.done):
                start_ns = self._host.now_ns()
                in_time = self._worker.block(waiter, self._patience_ns(timeout, entries))
                owner.spans.add(SpanKind.GET, start_ns, missing, count=len(missing))
                if not in_time:
                    raise _timed_out(refs, entries, pins, timeout)
            if is_broken:
                self._raise_first_error(entries, failures)
            return [self._value(ref, entry, pins) for ref, entry in zip(refs, entries, strict=True)]
        finally:
            if together is not None:
                with self._host.lock:
                    together.end()
                    for pin in pins.values():
                        fetches.release(pin)
                    owner.flush()

    def _patience_ns(self, timeout: float | None, entries: list[Entry]) -> int | None:
        """What lies in this node's store counts as here, though the raylet must be asked to keep it."""
        if timeout is None or timeout < 0:
            return None
        patience_ns = int(timeout * NS)
        if patience_ns < LOCAL_NS and all(self._is_local(entry) for entry in entries):
            return LOCAL_NS
        return patience_ns

    def _is_local(self, entry: Entry) -> bool:
        if entry.state == ObjectState.STORED:
            return any(at.worker_id == self._worker.raylet.worker_id for at in entry.holders)
        return entry.ready

    def entries_of(self, refs: Sequence[ObjectRef]) -> list[Entry]:
        table, holder = self._owner.objects.entries, self._worker.holder
        found: list[Entry] = []
        for ref in refs:
            entry = table.get(ref._id) if ref._holder is holder else None
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
            if failure is None and not entry.is_error:
                continue
            for asked in entries:
                asked.seen = True
            if failure is not None:
                raise self.exception_of(failure, entry.object_id)
            if entry.payload is not None:
                raise raisable(self.load(entry.payload)[0])

    def _value(self, ref: ObjectRef, entry: Entry, pins: dict[ObjectId, Pin]) -> Any:
        if entry.payload is not None:
            if entry.owner is None and not (entry.contained or entry.is_error):
                return self.load_plain(entry.payload)  # A borrower has to look for references.
            value, is_error = self.load(entry.payload)
        else:
            value, is_error = self.load(self.view(pins[entry.object_id]))
        if is_error:
            raise raisable(value)
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

    def load_plain(self, data: bytes | memoryview) -> Any:
        """A value that refers to nothing and is no exception."""
        try:
            return load_plain(data)
        except Exception:  # noqa: BLE001  (it comes again, and is told there)
            return self.load(data)[0]

    def exception_of(self, failure: Failure, object_id: ObjectId) -> RayError:
        inner = self.load(failure.payload)[0] if failure.payload is not None else None
        cause = inner if isinstance(inner, RayTaskError) else None
        return from_failure(failure, object_id.hex(), cause)

    def watch(self, ref: ObjectRef, here: Callable[[], None]) -> "Watch":
        """Run `here` once `get` of the reference does not wait, unless that is so now. Under the lock,
        from whichever thread hears of it."""
        return Watch(self._host, self._owner, self.entries_of([ref])[0], here)

    def wait(
        self, refs: Sequence[Waitable], num_returns: int, timeout: float | None, fetch_local: bool
    ) -> tuple[list[Waitable], list[Waitable]]:
        timeout_ns = None if timeout is None else int(timeout * NS)
        return Waiting(self._worker, refs, num_returns, fetch_local).wait(timeout_ns)


class Watch:
    """A reference that somebody waits for without blocking. Its value stays here until `close`."""

    def __init__(
        self, host: ProcessHost, owner: Owner, entry: Entry, tell: Callable[[], None]
    ) -> None:
        self._host = host
        self._owner = owner
        self._entry = entry
        self._tell: Callable[[], None] | None = None
        self._pin: Pin | None = None
        self.here = False
        with host.lock:
            owner.fetches.fetch(entry, FetchReason.GET, self._arrived)
            if not self.here:
                self._tell = tell
                owner.flush()

    def _arrived(self) -> None:
        self.here = True
        pin = self._owner.fetches.pin_of(self._entry.object_id)
        if pin is not None:
            self._owner.fetches.acquire(pin)
            self._pin = pin
        if self._tell is not None:
            self._tell()

    def close(self) -> None:
        with self._host.lock:
            if not self.here:
                self._owner.fetches.forget(self._entry, self._arrived)
            pin, self._pin = self._pin, None
            if pin is not None:
                self._owner.fetches.release(pin)
            self._owner.flush()


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


def raisable(error: Any) -> BaseException:
    if isinstance(error, RayTaskError):
        return error.as_instanceof_cause()
    assert isinstance(error, BaseException), f"an error object holds {type(error).__name__}"
    return error


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."

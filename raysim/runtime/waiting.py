"""`wait` of one process: which references are ready, in their order. Never their values: see values.

Most calls find what they ask for among the first references, and look no further: who takes a thousand results as
they come calls `wait` a thousand times, with all that are left.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from raysim.protocol.host import Waiter
from raysim.protocol.messages import FetchReason
from raysim.protocol.messages.state import SpanKind
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.owner.together import Together
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.object_ref_generator import ObjectRefGenerator
from raysim.spec.ids import ObjectId, TaskId, task_of_object

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

Waitable: TypeAlias = ObjectRef | ObjectRefGenerator
"""Of a generator `wait` waits for the next item."""


class Waiting:
    """One `wait`, for so many of these; each of them is there once."""

    def __init__(
        self, worker: "CoreWorker", refs: Sequence[Waitable], num_returns: int, fetch_local: bool
    ) -> None:
        self._worker = worker
        self._refs = list(refs)
        self._wanted = num_returns
        self._fetch_local = fetch_local
        owner = worker.owner
        self._objects, self._fetches, self._streams = owner.objects, owner.fetches, owner.streams
        self._waiter = Waiter()
        self._ready: dict[ObjectId, None] = {}
        self._generators: dict[int, None] = {}
        """Places of those that are ready."""
        self._callbacks: list[tuple[Entry, Callable[[], None]]] = []
        self._nexts: list[tuple[TaskId, Callable[[], None]]] = []

    def wait(self, timeout_ns: int | None) -> tuple[list[Waitable], list[Waitable]]:
        """At most so many that are ready, and the others."""
        lock = self._worker.host.lock
        with lock:
            self._worker.drain()
            found = self._at_hand()
            if len(found) == self._wanted:
                return self._split(found)
            together = self._begin()
        try:
            if not self._waiter.done:
                start_ns = self._worker.host.now_ns()
                self._worker.block(self._waiter, timeout_ns)
                self._worker.owner.spans.add(SpanKind.WAIT, start_ns, count=len(self._refs))
        finally:
            with lock:
                self._end(together)
        places = (index for index, ref in enumerate(self._refs) if self._is_ready(index, ref))
        return self._split([index for index, _ in zip(places, range(self._wanted), strict=False)])

    def _at_hand(self) -> list[int]:
        """Places of the first that are ready now, no more than are wanted."""
        found: list[int] = []
        entries, worker = self._objects.entries, self._worker
        holder = worker.holder
        for index, ref in enumerate(self._refs):
            if isinstance(ref, ObjectRefGenerator):
                is_here = self._has_next(task_of_object(ref.completed()._id))
            else:
                entry = entries.get(ref._id) if ref._holder is holder else None
                if entry is None:
                    (entry,) = worker.values.entries_of([ref])
                is_here = entry.state is ObjectState.INLINE or self._is_here(entry)
            if is_here:
                found.append(index)
                if len(found) == self._wanted:
                    break
        return found

    def _is_here(self, entry: Entry) -> bool:
        return self._fetches.at_hand(entry) if self._fetch_local else entry.ready

    def _has_next(self, task_id: TaskId) -> bool:
        entry = self._streams.peek(task_id)
        # Of one that has ended `next` says so at once.
        return self._streams.exhausted(task_id) if entry is None else self._is_here(entry)

    def _begin(self) -> Together:
        entries: list[Entry] = []
        for index, ref in enumerate(self._refs):
            if isinstance(ref, ObjectRefGenerator):
                task_id = task_of_object(ref.completed()._id)
                self._nexts.append((task_id, partial(self._expect_next, index, task_id)))
                self._streams.when_next(*self._nexts[-1])
            else:
                entries.append(self._objects.entries[ref._id])
        together = Together(
            self._objects, self._fetches, FetchReason.WAIT, self._here, self._fetch_local
        )
        together.begin(entries)
        return together

    def _end(self, together: Together) -> None:
        together.end()
        for task_id, action in self._nexts:
            self._streams.forget(task_id, action)
        for entry, done in self._callbacks:
            self._fetches.forget(entry, done)

    def _here(self, entry: Entry) -> None:
        self._ready[entry.object_id] = None
        self._look()

    def _expect_next(self, index: int, task_id: TaskId) -> None:
        done = partial(self._generator_here, index)
        entry = self._streams.peek(task_id)
        if entry is None:
            done()
        elif not self._fetch_local:
            self._objects.when_ready(entry, done)
        else:
            self._callbacks.append((entry, done))
            self._fetches.fetch(entry, FetchReason.WAIT, done)

    def _generator_here(self, index: int) -> None:
        self._generators[index] = None
        self._look()

    def _look(self) -> None:
        if len(self._ready) + len(self._generators) >= self._wanted:
            self._waiter.finish()

    def _is_ready(self, index: int, ref: Waitable) -> bool:
        if isinstance(ref, ObjectRefGenerator):
            return index in self._generators
        return ref._id in self._ready

    def _split(self, places: list[int]) -> tuple[list[Waitable], list[Waitable]]:
        refs = self._refs
        chosen = [refs[index] for index in places]
        for ref in chosen:
            if isinstance(ref, ObjectRef):
                entry = self._objects.entries.get(ref._id)
                if entry is not None:
                    entry.seen = True
        for index in reversed(places):
            del refs[index]
        return chosen, refs

"""Brings stored objects into the node's store and keeps them pinned while they are used. Never moves bytes itself.

An object that is fetched is an entry of the table first: resolved, then asked of the raylet; when
its copies turn out to be gone, the owner is told and the object is fetched once it exists again.
"""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from raysim.protocol.batching import Batcher
from raysim.protocol.host import Host
from raysim.protocol.messages import (
    CancelFetches,
    FetchFailed,
    FetchObject,
    FetchObjects,
    FetchReason,
    ObjectLocal,
    ReleasePins,
)
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.owner.objects import ObjectTable
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import NodeId, ObjectId

if TYPE_CHECKING:
    from raysim.protocol.owner.together import Together

Gone: TypeAlias = Callable[[list[NodeId]], None]


class Pin(msgspec.Struct, gc=False):
    """A place in the node's store that stays while `users` is above zero."""

    object_id: ObjectId
    handle: int
    size: int
    users: int = 0


class Fetches:
    """`fetch` calls back once the entry is inline, failed, or pinned (`pin_of`)."""

    def __init__(self, host: Host, objects: ObjectTable, raylet: Address) -> None:
        self._host = host
        self._objects = objects
        self._raylet = raylet
        self._pins: dict[ObjectId, Pin] = {}
        self._waiting: dict[ObjectId, list[tuple[Callable[[], None], Gone | None]]] = {}
        self._reasons: dict[ObjectId, FetchReason] = {}
        self._refused: dict[ObjectId, Failure] = {}
        self.together: dict[Together, None] = {}
        """What user code waits for: one for each thread that does."""
        self.store_bytes = 0
        """Of this node's store, once it had no room."""
        self._release: Batcher[ObjectId] = Batcher(host, ReleasePins)
        self._asks: dict[FetchReason, Batcher[FetchObject]] = {
            reason: Batcher(host, partial(FetchObjects, reason)) for reason in FetchReason
        }

    def pin_of(self, object_id: ObjectId) -> Pin | None:
        return self._pins.get(object_id)

    def failure_of(self, entry: Entry) -> Failure | None:
        """For a callback of `fetch`: why there is no value, of the object itself or of this fetch alone."""
        return entry.failure or self._refused.get(entry.object_id)

    def at_hand(self, entry: Entry) -> bool:
        """Whether the value, or the failure, can be had without waiting."""
        state = entry.state
        if state == ObjectState.STORED:
            return entry.object_id in self._pins
        return state != ObjectState.PENDING

    def fetch(
        self,
        entry: Entry,
        reason: FetchReason,
        done: Callable[[], None],
        gone: Gone | None = None,
    ) -> None:
        """Run `done` when the entry is at hand. The entry counts one use until then.

        `gone`: run instead, with the nodes asked, when none of its holders has a copy; without it the
        fetch goes on until the object was made again.
        """
        if self.at_hand(entry):
            done()
            return
        waiting = self._waiting.get(entry.object_id)
        if waiting is not None:
            waiting.append((done, gone))
            if reason < self._reasons[entry.object_id] and entry.state == ObjectState.STORED:
                self._ask(entry, reason)
            self._reasons[entry.object_id] = min(reason, self._reasons[entry.object_id])
            return
        self._waiting[entry.object_id] = [(done, gone)]
        self._reasons[entry.object_id] = reason
        self._objects.use(entry)
        self._go_on(entry)

    def awaited(self) -> list[Entry]:
        """What user code waits for and is not ready; arguments of calls are not meant."""
        by_user = [
            self._objects.entries[object_id]
            for object_id, waiting in self._waiting.items()
            if waiting and self._reasons[object_id] != FetchReason.ARGUMENT
        ]
        found = [entry for together in self.together for entry in together.awaited()]
        found += [entry for entry in by_user if not entry.ready]
        return list({entry.object_id: entry for entry in found}.values())

    def only_waits(self) -> bool:
        """User code waits in `wait`, and not in `get`."""
        reasons = {self._reasons[object_id] for object_id, some in self._waiting.items() if some}
        reasons.update(together.reason for together in self.together)
        return reasons - {FetchReason.ARGUMENT} == {FetchReason.WAIT}

    def forget(self, entry: Entry, done: Callable[[], None]) -> None:
        """`done` is not to be called any more."""
        waiting = self._waiting.get(entry.object_id)
        if waiting is None:
            return
        waiting[:] = [one for one in waiting if one[0] != done]
        if not waiting and entry.state == ObjectState.STORED:
            self._host.send(self._raylet, CancelFetches([entry.object_id]))
            self._end(entry)

    def _go_on(self, entry: Entry) -> None:
        if entry.state == ObjectState.PENDING:
            self._objects.when_ready(entry, lambda: self._go_on(entry))
        elif entry.object_id not in self._waiting:
            return
        elif self.at_hand(entry) or not self._waiting[entry.object_id]:
            self._end(entry)
        else:
            self._ask(entry, self._reasons[entry.object_id])

    def _ask(self, entry: Entry, reason: FetchReason) -> None:
        owner = entry.owner or self._host.address
        self._asks[reason].add(
            self._raylet, FetchObject(entry.object_id, entry.size, list(entry.holders), owner)
        )

    def _end(self, entry: Entry) -> None:
        waiting = self._waiting.pop(entry.object_id, [])
        del self._reasons[entry.object_id]
        pin = self._pins.get(entry.object_id)
        if pin is not None:
            pin.users += 1  # While the callbacks run, so that none of them lets go too early.
        for done, _ in waiting:
            done()
        if pin is not None:
            self.release(pin)
        self._objects.drop_use(entry.object_id)

    def on_local(self, sender: Address, local: ObjectLocal) -> None:
        entry = self._objects.entries.get(local.object_id)
        if entry is None or local.object_id not in self._waiting or local.object_id in self._pins:
            # Asked for twice (another reason), or not wanted any more: this pin is one too many.
            self._release.add(self._raylet, local.object_id)
            return
        if entry.state != ObjectState.STORED:
            # Its other copies were lost while this one was on its way: it failed, or is made again.
            self._release.add(self._raylet, local.object_id)
            self._go_on(entry)
            return
        self._pins[local.object_id] = Pin(local.object_id, local.handle, local.size)
        self._end(entry)

    def on_failed(self, sender: Address, failed: FetchFailed) -> None:
        entry = self._objects.entries.get(failed.object_id)
        if entry is None or failed.object_id not in self._waiting:
            return
        if failed.failure is None:
            self._give_up(entry, failed.missing_on)
            if self._waiting[failed.object_id]:
                self._objects.copies_missing(entry, failed.missing_on)
                self._go_on(entry)
            else:
                self._end(entry)
        elif entry.state == ObjectState.STORED:
            # No room for a copy here, say: this fetch fails, not the object.
            self._refused[entry.object_id] = failed.failure
            self.store_bytes = failed.store_bytes or self.store_bytes
            self._end(entry)
            del self._refused[entry.object_id]
        else:
            self._go_on(
                entry
            )  # It failed, or is made again: known here before the raylet's answer.

    def _give_up(self, entry: Entry, nodes: list[NodeId]) -> None:
        """Tell those that do not wait for another copy."""
        waiting = self._waiting[entry.object_id]
        given_up = [gone for _, gone in waiting if gone is not None]
        waiting[:] = [one for one in waiting if one[1] is None]
        for gone in given_up:
            gone(nodes)

    def acquire(self, pin: Pin) -> None:
        pin.users += 1

    def release(self, pin: Pin) -> None:
        pin.users -= 1
        if pin.users <= 0 and self._pins.get(pin.object_id) is pin:
            del self._pins[pin.object_id]
            self._release.add(self._raylet, pin.object_id)

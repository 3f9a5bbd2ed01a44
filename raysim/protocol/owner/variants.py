"""Calls of one template that wait apart, as the policy tells them apart: by length, by their arguments. Never where."""

from __future__ import annotations

from typing import Final, TypeAlias

from raysim.policies.asked import AskedOfOwners
from raysim.protocol.owner.records import TaskRecord
from raysim.protocol.owner.scheduling_class import SchedulingClass
from raysim.spec.address import Address
from raysim.spec.ids import NodeId

NEAR: Final = 3
"""Nodes that are told as those that hold most of the arguments. Ours."""

KEPT: Final = 1_000
"""Variants at which those that nothing waits in are forgotten. Ours."""

_Key: TypeAlias = tuple[SchedulingClass, tuple[NodeId, ...], bool]


class Variants:
    def __init__(self, asked: AskedOfOwners) -> None:
        self._cutoff_ns = asked.cutoff_ns
        self._near = asked.near
        self._known: dict[_Key, SchedulingClass] = {}

    def of(self, shared: SchedulingClass, record: TaskRecord) -> SchedulingClass:
        """Where it waits. `shared`: the class of its template, which knows how long its calls take."""
        near = self.near(record)
        expected_ns = -1
        if self._cutoff_ns is not None:
            work = record.call.work
            expected_ns = round(shared.mean_ns) if work is None else work.duration_ns
        long = self._cutoff_ns is not None and expected_ns >= self._cutoff_ns
        found = self._found(shared, near, long) if near or long else shared
        found.expected_ns = expected_ns
        return found

    def near(self, record: TaskRecord) -> tuple[NodeId, ...]:
        """The nodes that hold most bytes of its arguments, most first; none where no policy asks."""
        if not (self._near and record.call.refs):
            return ()
        bytes_at = bytes_held(record)
        ranked = sorted(bytes_at, key=lambda holder: -bytes_at[holder])
        return tuple(holder.node_id for holder in ranked[:NEAR])

    def _found(
        self, shared: SchedulingClass, near: tuple[NodeId, ...], long: bool
    ) -> SchedulingClass:
        key = shared, near, long
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KEPT:
                self._known = {
                    key: one
                    for key, one in self._known.items()
                    if one.queue or one.leases or one.asked
                }
            found = SchedulingClass(shared.template, shared.function, shared.queues, shared=shared)
            found.near = near
            self._known[key] = found
        return found


def bytes_held(record: TaskRecord) -> dict[Address, int]:
    """Of its arguments, by raylet."""
    bytes_at: dict[Address, int] = {}
    for arg in record.call.refs:
        for holder in arg.holders:
            bytes_at[holder] = bytes_at.get(holder, 0) + arg.size
    return bytes_at

"""The faults a run can be given, as data. Never says how a backend performs one."""

from __future__ import annotations

import msgspec

from raysim.spec.units import format_duration


class Moment(msgspec.Struct, frozen=True, order=True):
    """When a fault strikes, counted from the start of the workload.

    Either a time (`5s`) or a share (`33%`) of the expected makespan: the lower bound
    max(critical path, work / cores) of the workload on the whole, healthy cluster.
    """

    ns: int = 0
    share: float | None = None

    def resolve(self, expected_makespan_ns: int | None) -> int:
        """Nanoseconds from the start. Raises ValueError for a share of an unknown makespan."""
        if self.share is None:
            return self.ns
        if expected_makespan_ns is None:
            raise ValueError(
                f"at={self}: the length of this workload is not known beforehand; "
                "give a time instead, such as at=5s"
            )
        return round(self.share * expected_makespan_ns)

    def __str__(self) -> str:
        return format_duration(self.ns) if self.share is None else f"{self.share * 100:g}%"


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One thing that goes wrong during a run."""

    at: Moment

    def __str__(self) -> str:
        given = [
            f"{name}={value}"
            for name in self.__struct_fields__
            if (value := getattr(self, name)) is not None
        ]
        return f"{self.__struct_config__.tag}({', '.join(given)})"


class KillNode(Fault, frozen=True, kw_only=True, tag="kill_node"):
    """Kill a node at once: its raylet, its workers and the objects in its store.

    `node` counts from zero and node 0 is the head; without it, the seed draws one of the others.
    Never kills the head, which holds the GCS and the driver; never warns, never brings it back.
    """

    node: int | None = None


class KillWorker(Fault, frozen=True, kw_only=True, tag="kill_worker"):
    """Kill one worker process, and with it the tasks and the actor that it runs.

    `node` counts from zero (the head's workers may be killed too); without it, the seed draws one.
    A worker that is busy is preferred. Never touches the raylet or the objects in its store.
    """

    node: int | None = None


FAULTS: tuple[type[Fault], ...] = (KillNode, KillWorker)
"""Every kind of fault, in the order in which they are documented."""

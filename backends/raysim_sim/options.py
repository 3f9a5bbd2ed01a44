"""What a simulated world may be asked for, checked. Never a default of the protocol: see raysim.config."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from raysim.faults import Fault, PlannedFault
from raysim.spec.autoscaling import NodeMarket
from raysim_sim.costs import LAN, Costs, costs_from, nearest


class SimOptions(msgspec.Struct, frozen=True):
    """`InitOptions.world`, read."""

    network: Costs = LAN
    faults: tuple[Fault | PlannedFault, ...] = ()
    """Counted from the moment when the driver has joined."""
    expected_makespan_ns: int | None = None
    """What a fault's share (`at=33%`) is of; without it, such a fault is refused."""
    connection_resets: bool = False
    """After a node's loss of power its peers see broken connections, instead of silence."""
    autoscaler: NodeMarket | None = None
    """Nodes come and go with what waits. See `raysim.cluster_utils.AutoscalingCluster`."""
    wire: bool = False
    """Encode and decode every message, as between processes: slower, finds what does not survive it."""


def _faults(value: object) -> tuple[Fault | PlannedFault, ...]:
    if not isinstance(value, (list, tuple)):
        raise TypeError(f"faults={value!r} is not a list of faults")
    for fault in value:
        if not isinstance(fault, (Fault, PlannedFault)):
            raise TypeError(f"{fault!r} is not a fault; make it with raysim.faults.parse_fault")
    return tuple(value)


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither True nor False")
    return value


def _nanoseconds(value: object) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError(f"expected_makespan_ns={value!r} is not a whole number of nanoseconds")
    return value


def _market(value: object) -> NodeMarket:
    if not isinstance(value, NodeMarket):
        raise TypeError(f"autoscaler={value!r}: use raysim.cluster_utils.AutoscalingCluster")
    return value


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "network": costs_from,
    "faults": _faults,
    "expected_makespan_ns": _nanoseconds,
    "connection_resets": _switch,
    "autoscaler": _market,
    "wire": _switch,
}


def read_options(world: Mapping[str, Any]) -> SimOptions:
    """Raises ValueError for a name that the simulator does not know, with the nearest one that it does."""
    for name in world:
        if name not in _READERS:
            raise ValueError(f"the backend 'sim' has no option {name!r}{nearest(name, _READERS)}")
    return SimOptions(**{name: _READERS[name](value) for name, value in world.items()})

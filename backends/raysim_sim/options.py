"""What a simulated world may be asked for, checked. Never a default of the protocol: see raysim.config."""

from collections.abc import Callable, Mapping
from typing import Any, Final

import msgspec

from raysim.faults import Fault, Order, PlannedFault, parse_order, read_faults
from raysim.faults.buggify import Buggified
from raysim.spec.autoscaling import NodeMarket
from raysim.tape import Tape
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
    order: Order = Order()
    """Which of several events of one instant comes first."""
    tape: Tape | None = None
    """Where the run's choices come from; without it, from the seed."""
    buggify: Buggified | None = None
    """Whether marked places of the protocol take their rare branch, and how often."""
    heal_ns: int | None = None
    """When all faults stop, and those in force end. Counted as the faults' moments."""
    converge_ns: int | None = None
    """How long after that the program may still run: a longer one fails. See raysim.faults.convergence."""
    wire: bool = False
    """Encode and decode every message, as between processes: slower, finds what does not survive it."""


def _order(value: object) -> Order:
    if isinstance(value, str):
        return parse_order(value)
    if not isinstance(value, Order):
        raise TypeError(f"order={value!r}: give a text such as 'random', or a raysim.faults.Order")
    return value


def _tape(value: Any) -> Tape:
    if not (hasattr(value, "draw") and hasattr(value, "unit")):
        raise TypeError(f"tape={value!r} has no draw() and unit(); see raysim.tape.Tape")
    tape: Tape = value  # It has what a Tape has.
    return tape


def _buggified(value: object) -> Buggified | None:
    if isinstance(value, bool):
        return Buggified() if value else None
    if not isinstance(value, Buggified):
        raise TypeError(f"buggify={value!r}: give True, or a raysim.faults.Buggified")
    return value


def _switch(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither True nor False")
    return value


def _nanoseconds(value: object) -> int | None:
    if value is not None and not isinstance(value, int):
        raise TypeError(f"{value!r} is not a whole number of nanoseconds")
    return value


def _market(value: object) -> NodeMarket:
    if not isinstance(value, NodeMarket):
        raise TypeError(f"autoscaler={value!r}: use raysim.cluster_utils.AutoscalingCluster")
    return value


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "network": costs_from,
    "faults": read_faults,
    "expected_makespan_ns": _nanoseconds,
    "connection_resets": _switch,
    "autoscaler": _market,
    "heal_ns": _nanoseconds,
    "converge_ns": _nanoseconds,
    "order": _order,
    "tape": _tape,
    "buggify": _buggified,
    "wire": _switch,
}


def read_options(world: Mapping[str, Any]) -> SimOptions:
    """Raises ValueError for a name that the simulator does not know, with the nearest one that it does."""
    for name in world:
        if name not in _READERS:
            raise ValueError(f"the backend 'sim' has no option {name!r}{nearest(name, _READERS)}")
    return SimOptions(**{name: _READERS[name](value) for name, value in world.items()})

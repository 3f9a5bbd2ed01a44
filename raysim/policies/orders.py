"""The orders of the queue there are, by name: `easy`, `priority(preempt=true)`. Never decides, never finds a class."""

from types import MappingProxyType
from typing import Final

from raysim.policies.backfill import Conservative, Easy, FirstCome
from raysim.policies.catalogue import Catalogue
from raysim.policies.queue import QueueOrder, Ranking
from raysim.policies.ranks import (
    EarliestDeadline,
    FirstThatFits,
    LongestFirst,
    Priority,
    ShortestFirst,
    ShortestLeft,
)
from raysim.policies.shares import DominantShare, FairShare, FinishTime, LeastAttained, MaxMin

_OWN: Final = (
    *(
        FirstThatFits,
        FirstCome,
        ShortestFirst,
        LongestFirst,
        ShortestLeft,
        EarliestDeadline,
        Priority,
    ),
    *(LeastAttained, FairShare, MaxMin, DominantShare, FinishTime),
    *(Easy, Conservative),
)

ORDERS: Final[Catalogue[QueueOrder | Ranking]] = Catalogue(
    "queue order",
    "raysim.queue_orders",
    "priority(preempt=true)",
    ("next", "rank"),
    MappingProxyType({made.name: made for made in _OWN}),
)


def order_names() -> list[str]:
    """Those that can be given by name alone, Ray's own first."""
    return ORDERS.names()


def create_order(text: str) -> QueueOrder | Ranking | None:
    """A new one, as written. Each raylet has an object of its own.

    None: `fifo`, for which nobody is asked, and calls follow each other on one lease.

    Raises ValueError that says what is wrong and what was probably meant.
    """
    made = ORDERS.create(text)
    return None if isinstance(made, FirstThatFits) else made

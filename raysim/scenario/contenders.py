"""What takes part in a comparison: a placement policy, an order of the queue, or one of each. Never runs anything.

A contender is a text, `best_fit`, `sjf` or `best_fit + sjf`. What it does not name is as the scenario has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from raysim.policies import located
from raysim.policies.catalogue import Catalogue
from raysim.policies.orders import ORDERS
from raysim.policies.registry import PLACEMENT
from raysim.spec.call_text import hint

KINDS: Final[Mapping[str, Catalogue[Any]]] = MappingProxyType(
    {"policy": PLACEMENT, "queue": ORDERS}
)
"""By the field of a scenario that says it."""

_AND: Final = " + "


def fields_of(contender: str) -> dict[str, str]:
    """What it changes of a scenario: `{"policy": "best_fit", "queue": "sjf"}`.

    Raises ValueError for a name that is of no kind, or of several, and for two of a kind.
    """
    found: dict[str, str] = {}
    for part in map(str.strip, contender.split(_AND)):
        field = _field_of(part)
        if field in found:
            noun = KINDS[field].kind
            raise ValueError(
                f"{contender!r} has two of a kind: {found[field]!r} and {part!r} are each a {noun}; name one"
            )
        found[field] = part
    return found


def contenders_of(policies: Sequence[str], orders: Sequence[str], folder: Path) -> tuple[str, ...]:
    """Each of `policies` under each of `orders`, as typed in this folder. Raises ValueError as `fields_of` does."""
    named = [_located(one, folder) for one in policies]
    queues = [located(one, folder) for one in orders]
    for order in queues:
        if not ORDERS.knows(order):
            meant = "policy" if PLACEMENT.knows(order) else None
            more = (
                f"; it is a {meant}: give it as --policy" if meant else _nearest(order, ["queue"])
            )
            raise ValueError(f"there is no queue order {order!r}{more}")
    for one in named:
        if "queue" in fields_of(one) and queues:
            raise ValueError(
                f"{one!r} names an order of the queue, and so does --queue; name it once"
            )
    if not named or not queues:
        return tuple(named or queues)
    return tuple(f"{one}{_AND}{order}" for one in named for order in queues)


def _located(contender: str, folder: Path) -> str:
    return _AND.join(located(part.strip(), folder) for part in contender.split(_AND))


def _field_of(name: str) -> str:
    fields = [field for field, catalogue in KINDS.items() if catalogue.knows(name)]
    if len(fields) == 1:
        return fields[0]
    if fields:
        nouns = " and a ".join(KINDS[field].kind for field in fields)
        raise ValueError(f"{name!r} is a {nouns}; give each a name or a class of its own")
    nouns = " nor a ".join(catalogue.kind for catalogue in KINDS.values())
    raise ValueError(f"{name!r} is neither a {nouns}{_nearest(name, list(KINDS))}")


def _nearest(name: str, fields: Sequence[str]) -> str:
    """What was meant, or why the class that is named cannot be had."""
    bare = name.partition("(")[0]
    if "+" in bare and ":" not in bare:
        return f"; write one of each as {' + '.join(map(str.strip, name.split('+')))!r}"
    if ":" not in bare:
        return hint(bare, dict.fromkeys(one for field in fields for one in KINDS[field].names()))
    try:
        KINDS[fields[0]].create(name)
    except ValueError as error:
        return f": {error}"
    raise AssertionError(f"{name!r} is a {KINDS[fields[0]].kind}")

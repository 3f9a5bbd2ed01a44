"""What a fault did, and how it ends. Never when."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from raysim.faults import PlannedFault

if TYPE_CHECKING:
    from raysim_sim.world import SimWorld


class Effect(msgspec.Struct, eq=False):
    """`target`: whom it struck, for people. `undo`: ends what lasts; called once."""

    target: str
    undo: Callable[[], None] | None = None


Perform: TypeAlias = Callable[["SimWorld", PlannedFault, Any], Effect]
"""Performs one kind of fault: the world, the planned fault, and the fault itself."""


def both(first: Callable[[], None], second: Callable[[], None]) -> Callable[[], None]:
    def undo() -> None:
        first()
        second()

    return undo

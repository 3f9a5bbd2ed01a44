"""What a fault did, and how it ends. Never when."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

from raysim.faults import PlannedFault

if TYPE_CHECKING:
    from raysim_cluster.faults.strikes import Faults


class Effect(msgspec.Struct, eq=False):
    """`target`: whom it struck, for people. `undo`: ends what lasts; called once."""

    target: str
    undo: Callable[[], None] | None = None


Told: TypeAlias = Callable[[Effect], None]
"""Called once it has struck: what is done in other processes takes its time."""

Perform: TypeAlias = Callable[["Faults", PlannedFault, Any, Told], None]
"""Performs one kind of fault: all faults, the planned one, and the fault itself."""

"""What every fault is, and every kind there is. Never says how a backend performs one.

Each field's name says what its value is, in all kinds alike: see text. Durations are nanoseconds, sizes
bytes, bandwidths bytes per second, shares between 0 and 1.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from raysim.faults.moment import Moment

NodeName = int | str
"""A node's index (0 is the head), its name, or `head`."""

ANY = "any"
HALF = "half"
HEAD = "head"
REST = "rest"


class Fault(msgspec.Struct, frozen=True, kw_only=True, tag_field="kind"):
    """One thing that goes wrong during a run."""

    at: Moment

    may_draw_head: ClassVar[bool] = True
    """Whether a node that is not named may be the head, which holds the GCS and the driver."""
    spares_head: ClassVar[bool] = False
    """Whether the head cannot be named either."""

    @classmethod
    def tag(cls) -> str:
        return str(cls.__struct_config__.tag)

    def __str__(self) -> str:
        # Not at the top: how values are written is the business of the text form.
        from raysim.faults.text import format_fault

        return format_fault(self)

"""How often marked places of the protocol take their rare branch, as data. Never the places: see Host.buggify."""

from __future__ import annotations

import msgspec


class Buggified(msgspec.Struct, frozen=True):
    """Shares between 0 and 1. A run switches each place on or off once, when it is reached first."""

    places: float = 0.25
    """Of the places that are on in a run. FoundationDB: 25 %."""
    strikes: float = 0.25
    """Of the times that a place which is on is reached. FoundationDB: 25 %."""

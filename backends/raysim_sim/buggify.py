"""Which marked places of the protocol take their rare branch, and when. Never in production: there none does.

As in FoundationDB: a run switches each place on or off once, when it is reached first, and a place that is on
strikes now and then.
"""

from raysim.faults.buggify import Buggified
from raysim.tape import Draws


class Buggify:
    """The places of one run."""

    def __init__(self, rates: Buggified, places: Draws, strikes: Draws) -> None:
        self._rates = rates
        self._places = places
        self._strikes = strikes
        self.on: dict[str, bool] = {}
        self.struck: dict[str, int] = {}
        """How often each place took its rare branch."""

    def strikes(self, place: str) -> bool:
        on = self.on.get(place)
        if on is None:
            on = self.on[place] = self._places.chance(self._rates.places)
        if not on or not self._strikes.chance(self._rates.strikes):
            return False
        self.struck[place] = self.struck.get(place, 0) + 1
        return True

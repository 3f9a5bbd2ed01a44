"""Who waits for an object that is on its way into the store, and for how many pins. Never how it comes."""

from raysim.spec.address import Address
from raysim.spec.ids import WorkerId


class Wanted:
    """A part of what brings it: a pull from another node, a restore from disk."""

    __slots__ = ("wanted_by",)

    def __init__(self) -> None:
        self.wanted_by: dict[WorkerId, tuple[Address, int]] = {}

    def want(self, process: Address) -> None:
        count = self.wanted_by.get(process.worker_id, (process, 0))[1]
        self.wanted_by[process.worker_id] = (process, count + 1)

    def unwant(self, process: Address) -> None:
        count = self.wanted_by.get(process.worker_id, (process, 0))[1]
        if count > 1:
            self.wanted_by[process.worker_id] = (process, count - 1)
        else:
            self.wanted_by.pop(process.worker_id, None)

"""Places in the node's store that this process may write: asked for, written elsewhere, sealed. Never the writing."""

from collections.abc import Callable

from raysim.protocol.host import Host
from raysim.protocol.messages import ExtentLent, ExtentRefused, RequestExtent, SealObject
from raysim.spec.address import Address
from raysim.spec.failure import Failure
from raysim.spec.ids import ObjectId

Answer = Callable[[int, int, Failure | None], None]
"""Number, handle, failure."""


class Extents:
    def __init__(self, host: Host, raylet: Address) -> None:
        self._host = host
        self._raylet = raylet
        self._asked: dict[int, Answer] = {}
        self._number = 0

    def request(self, size: int, answer: Answer) -> None:
        """Call `answer` with the extent's number and handle, or with why there is none."""
        self._number += 1
        self._asked[self._number] = answer
        self._host.send(self._raylet, RequestExtent(self._number, size))

    def seal(self, number: int, object_id: ObjectId, size: int, owner: Address) -> None:
        self._host.send(self._raylet, SealObject(number, object_id, size, owner))

    def on_lent(self, sender: Address, lent: ExtentLent) -> None:
        answer = self._asked.pop(lent.number, None)
        if answer is not None:
            answer(lent.number, lent.handle, None)

    def on_refused(self, sender: Address, refused: ExtentRefused) -> None:
        answer = self._asked.pop(refused.number, None)
        if answer is not None:
            answer(refused.number, -1, refused.failure)

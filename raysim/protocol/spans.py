"""What took a while in a process and is no call, the latest of it, for timelines. Never the journal.

Written where somebody has waited anyway: what was short and small is left out, so that a get or a put of little costs
no more than without it.
"""

from collections import deque
from collections.abc import Iterable
from itertools import islice

from raysim.protocol.host import Host
from raysim.protocol.messages.state import SpanKind, SpanSeen
from raysim.spec.ids import NIL_NODE, NodeId, ObjectId

KEPT = 10_000
"""That one process remembers, the latest: 300 bytes each. Ours."""

NOTICED_NS = 500_000
"""Nanoseconds below which something is left out that moved no large object. Ours."""

LARGE_BYTES = 100 * 1024
"""From which on it is kept however short it was. Ours: what travels through the store."""

MOST_OBJECTS = 8
"""That one of them names. Ours."""


class Spans:
    """Of one process: a driver's or a worker's, or a raylet's."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._kept: deque[SpanSeen] = deque(maxlen=KEPT)

    def add(
        self,
        kind: SpanKind,
        start_ns: int,
        object_ids: Iterable[ObjectId] = (),
        size: int = 0,
        source: NodeId = NIL_NODE,
        count: int = 1,
    ) -> None:
        """It ends now. `source`: where the object came from; `count`: objects, of which the first are named."""
        end_ns = self._host.now_ns()
        if end_ns - start_ns < NOTICED_NS and size < LARGE_BYTES:
            return
        named = list(islice(object_ids, MOST_OBJECTS))
        self._kept.append(
            SpanSeen(kind, start_ns, end_ns, self._host.address, named, count, size, source)
        )

    def rows(self, limit: int) -> list[SpanSeen]:
        """The newest so many, in the order in which they ended."""
        kept = list(self._kept)  # Threads of a program may add some meanwhile.
        return kept[max(0, len(kept) - limit) :]

    def __len__(self) -> int:
        return len(self._kept)

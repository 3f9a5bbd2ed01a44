"""Objects that user code waits for as one: told of each, once it is at hand. Never how many are enough.

One for a whole `get` or `wait`, so that ten thousand references cost ten thousand entries of a table, and no
callback each: those would be most of what such a `get` takes.
"""

from collections.abc import Callable, Sequence
from functools import partial

from raysim.protocol.messages import FetchReason
from raysim.protocol.owner.entries import INLINE, PENDING, Entry, ObjectState
from raysim.protocol.owner.fetches import Fetches
from raysim.protocol.owner.objects import ObjectTable


class Together:
    """Between `begin` and `end` each of the entries is given to `here` once: it is inline, failed, or pinned.

    `fetch` False: once it is ready, wherever that is.
    """

    def __init__(
        self,
        objects: ObjectTable,
        fetches: Fetches,
        reason: FetchReason,
        here: Callable[[Entry], None],
        fetch: bool = True,
    ) -> None:
        self._objects = objects
        self._fetches = fetches
        self.reason = reason
        self._here = here
        self._fetch = fetch
        self._entries: Sequence[Entry] = ()
        self._pending = 0
        """Of ours, so many have no value yet."""
        self._callbacks: list[tuple[Entry, Callable[[], None]]] = []
        self.alone: tuple[Together, ...] = (self,)
        """As the table has it, where nobody else expects an object."""

    def begin(self, entries: Sequence[Entry]) -> None:
        """Each of them once."""
        self._entries = entries
        self._fetches.together[self] = None
        expect = self._objects.expect
        for entry in entries:
            if entry.state is PENDING and entry.owner is None:
                self._pending += 1
                expect(entry, self)
            else:
                self._bring(entry)

    def ready(self, entry: Entry) -> None:
        """The table's word on one that was expected."""
        self._pending -= 1
        if entry.state is INLINE:
            self._here(entry)
        else:
            self._bring(entry)

    def _bring(self, entry: Entry) -> None:
        state = entry.state
        if state is ObjectState.INLINE or state is ObjectState.FAILED:
            self._here(entry)
            return
        done = partial(self._here, entry)
        if not self._fetch:
            self._objects.when_ready(entry, done)
            return
        if not self._fetches.at_hand(entry):
            self._callbacks.append((entry, done))
        self._fetches.fetch(entry, self.reason, done)

    def end(self) -> None:
        """Hear of no other."""
        del self._fetches.together[self]
        if self._pending:
            for entry in self._entries:
                self._objects.expect_no_more(entry, self)
        for entry, done in self._callbacks:
            self._fetches.forget(entry, done)
        self.alone = ()  # A circle otherwise.

    def awaited(self) -> list[Entry]:
        """Those of ours that have no value yet; borrowed ones are fetched, and told of there."""
        if not self._pending:
            return []
        return [entry for entry in self._entries if not entry.ready and entry.owner is None]

"""Whether a history could be of an object that does one operation at a time, each between its call and its end.

The search of Wing and Gong (JPDC 1993) with Lowe's memory of what was tried (CPE 2017), as in Porcupine: the
operations that may come next are tried in turn, and a set of operations that has led to a state once is not
tried again. An operation whose outcome nobody knows may have taken place at any time after its call, or never.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Final

import msgspec

from raysim.testing.histories import FAIL, OK, UNKNOWN, Operation
from raysim.testing.models import Model

LIMIT: Final = 1_000_000
"""Steps of the model that a search may take: seconds. Ours."""


class NotLinearizableError(AssertionError):
    """No order of the operations explains what clients were told."""


class SearchLimitError(Exception):
    """The search took more steps than it may: nothing is known. Use fewer operations with unknown outcomes."""


class Linearization(msgspec.Struct, frozen=True):
    """An order that explains a history; or as much of one as was found."""

    complete: bool
    order: list[Operation]
    """If it is not complete, the longest that was found."""
    state: Any
    """After them."""
    blocked: list[Operation]
    """If it is not complete: of those that might have come next, none fits."""

    def __str__(self) -> str:
        if self.complete:
            return "\n".join(["linearizable, in this order:", *(f"  {one}" for one in self.order)])
        lines = ["not linearizable. As far as an order was found:"]
        lines += [f"  {one}" for one in self.order] or ["  (nothing)"]
        return "\n".join(
            [*lines, f"after which the state is {self.state!r}, and none of these fits:"]
            + [f"  {one}" for one in self.blocked]
        )


def check_linearizable(
    history: Iterable[Operation], model: Model, limit: int = LIMIT
) -> dict[Hashable, Linearization]:
    """An order for each independent part of the history.

    Raises NotLinearizableError with the longest order found, ValueError for an operation that the model does
    not have, SearchLimitError when the search takes too long.
    """
    parts: dict[Hashable, list[Operation]] = {}
    for operation in history:
        if operation.kind != FAIL:
            parts.setdefault(model.part(operation), []).append(operation)
    found = {part: linearize(operations, model, limit) for part, operations in parts.items()}
    for part, one in found.items():
        if not one.complete:
            raise NotLinearizableError(str(one) if part is None else f"{part!r} is {one}")
    return found


def linearize(operations: list[Operation], model: Model, limit: int = LIMIT) -> Linearization:
    """The same for one part, none of whose operations failed; raises nothing for a history that is not."""
    return _Search(operations, model, limit).run()


class _Search:
    """Calls and ends in a list that operations are taken out of, and put back into, as they are tried."""

    def __init__(self, operations: list[Operation], model: Model, limit: int) -> None:
        self._model = model
        self._left = limit
        self._operations = sorted(operations, key=lambda one: one.invoked)
        known = {i for i, one in enumerate(self._operations) if one.kind == OK}
        self._required = len(known)
        events = [(one.invoked, i, True) for i, one in enumerate(self._operations)]
        events += [(self._operations[i].ended or 0, i, False) for i in known]
        events.sort()
        # Place 0 is before the first event, and again after the last.
        self._who = [-1, *(i for _, i, _ in events)]
        self._is_call = [False, *(call for _, _, call in events)]
        size = len(self._who)
        self._next = [*range(1, size), 0]
        self._before = [size - 1, *range(size - 1)]
        self._end_of = {i: place for place, i in enumerate(self._who) if not self._is_call[place]}

    def run(self) -> Linearization:
        state: Any = self._model.initial()
        taken = 0
        missing = self._required
        tried: set[tuple[int, Any]] = set()
        stack: list[tuple[int, Any]] = []
        best: tuple[list[int], Any, list[int]] | None = None
        place = self._next[0]
        while missing:
            if self._is_call[place]:
                number = self._who[place]
                after = self._step(number, state)
                key = (taken | 1 << number, None if after is None else after[0])
                if after is None or key in tried:
                    place = self._next[place]
                    continue
                tried.add(key)
                stack.append((place, state))
                taken, state = key[0], after[0]
                missing -= self._take(place)
                place = self._next[0]
                continue
            # An operation has ended here, and has not taken place: one of those before it came too early.
            if best is None or len(stack) > len(best[0]):
                best = [self._who[one] for one, _ in stack], state, self._open(place)
            if not stack:
                return self._result(False, *best)
            place, state = stack.pop()
            taken &= ~(1 << self._who[place])
            missing += self._put_back(place)
            place = self._next[place]
        return self._result(True, [self._who[one] for one, _ in stack], state, [])

    def _step(self, number: int, state: Any) -> tuple[Hashable] | None:
        """The state after it, or None if it does not fit here, or would tell nothing."""
        self._left -= 1
        if self._left < 0:
            raise SearchLimitError(
                f"the search for an order of {len(self._operations)} operations was given up; "
                "use fewer operations with unknown outcomes, or a larger limit"
            )
        operation = self._operations[number]
        after, result = self._model.step(state, operation)
        if operation.kind != OK:
            return None if after == state else (after,)
        if operation.result is UNKNOWN or operation.result == result:
            return (after,)
        return None

    def _open(self, place: int) -> list[int]:
        """Those called before this place that have not taken place."""
        numbers: list[int] = []
        at = self._next[0]
        while at != place:
            numbers.append(self._who[at])
            at = self._next[at]
        return numbers

    def _take(self, place: int) -> bool:
        """Out of the list, with its end; whether it had one."""
        self._unlink(place)
        end = self._end_of.get(self._who[place])
        if end is not None:
            self._unlink(end)
        return end is not None

    def _put_back(self, place: int) -> bool:
        end = self._end_of.get(self._who[place])
        if end is not None:
            self._link(end)
        self._link(place)
        return end is not None

    def _unlink(self, place: int) -> None:
        before, after = self._before[place], self._next[place]
        self._next[before] = after
        self._before[after] = before

    def _link(self, place: int) -> None:
        self._next[self._before[place]] = place
        self._before[self._next[place]] = place

    def _result(
        self, complete: bool, order: list[int], state: Any, blocked: list[int]
    ) -> Linearization:
        one = self._operations
        return Linearization(complete, [one[i] for i in order], state, [one[i] for i in blocked])

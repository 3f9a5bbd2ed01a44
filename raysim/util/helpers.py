"""`as_completed` and `map_unordered`: results in the order in which they come. Never in that of their tasks."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, Protocol

from raysim.api.objects import get, wait
from raysim.runtime.object_ref import ObjectRef

CHUNK_SIZE = 10
"""References waited for at a time. Ray: `as_completed`."""

BACKPRESSURE_SIZE = 100
"""Tasks in flight at most. Ray: `map_unordered`."""


class _Remote(Protocol):
    def remote(self, item: Any, /) -> ObjectRef: ...


def as_completed(
    refs: Sequence[ObjectRef],
    *,
    chunk_size: int = CHUNK_SIZE,
    yield_obj_refs: bool = False,
    **kwargs: Any,
) -> Iterator[Any]:
    """The values of these references, each soon after it is there; the first error found is raised.

    `chunk_size` references are waited for at a time: more of them cost less, but the first value
    comes when all of a chunk are there. `yield_obj_refs` gives the references instead. Other
    keywords go to `wait`. Raises ValueError (at the first `next`) for `num_returns`, for a chunk
    size below 1 and for duplicates.
    """
    _check(chunk_size, kwargs)
    pending = list(refs)
    if len(set(pending)) != len(pending):
        raise ValueError("as_completed() requires a sequence of unique references.")
    while pending:
        ready, pending = wait(pending, num_returns=min(chunk_size, len(pending)), **kwargs)
        yield from _results(ready, yield_obj_refs)


def map_unordered(
    fn: _Remote,
    items: Iterable[Any],
    *,
    backpressure_size: int | None = BACKPRESSURE_SIZE,
    chunk_size: int = CHUNK_SIZE,
    yield_obj_refs: bool = False,
    **kwargs: Any,
) -> Iterator[Any]:
    """Call a remote function (or an actor's method) on each item; its results as they come.

    At most `backpressure_size` calls are in flight (None: no limit), and so many items are taken
    ahead of the results. The rest as `as_completed`. Raises ValueError for a size below 1.
    """
    _check(chunk_size, kwargs)
    limit = backpressure_size
    if limit is not None and limit <= 0:
        raise ValueError(f"backpressure_size must be at least 1 or None, but it is {limit}.")
    waiting = iter(items)
    pending = [fn.remote(item) for item in islice(waiting, limit)]
    while pending:
        ready, pending = wait(pending, num_returns=min(chunk_size, len(pending)), **kwargs)
        pending.extend(fn.remote(item) for item in islice(waiting, len(ready)))
        yield from _results(ready, yield_obj_refs)


def _check(chunk_size: int, kwargs: dict[str, Any]) -> None:
    if "num_returns" in kwargs:
        raise ValueError("Use the `chunk_size` argument instead of `num_returns`.")
    if chunk_size < 1:
        raise ValueError(f"chunk_size must be at least 1, but it is {chunk_size}.")


def _results(ready: list[ObjectRef], yield_obj_refs: bool) -> Iterator[Any]:
    if yield_obj_refs:
        yield from ready
    else:
        for ref in ready:
            yield get(ref)

"""What the calls of a Pool give: AsyncResult, and the iterators of `imap`. Never chooses a worker."""

from __future__ import annotations

import multiprocessing
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from threading import RLock
from typing import Any, NamedTuple

from raysim.api.objects import get, wait
from raysim.exceptions import RayError
from raysim.runtime.object_ref import ObjectRef


class Failed(NamedTuple):
    """In place of a result: the call raised."""

    error: BaseException


Batch = list[Any]
"""The results of one chunk, in order, each a value or a `Failed`."""


def batch_of(ref: ObjectRef) -> Batch:
    """What became of a chunk. The error of a worker that died stands for the whole of it."""
    try:
        batch: Batch = get(ref)
    except RayError as error:
        return [Failed(error)]
    return batch


class AsyncResult:
    """The result of `apply_async` (one value) or `map_async` (a list). Ray: `AsyncResult`.

    A callback is called once, when all is done; what it raises is printed.
    """

    def __init__(
        self,
        refs: Sequence[ObjectRef],
        callback: Callable[[Any], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
        single_result: bool = False,
    ) -> None:
        self._refs = list(refs)
        self._callback = callback
        self._error_callback = error_callback
        self._single = single_result
        self._values: list[Any] | None = None
        self._error: BaseException | None = None
        # Whoever waits and whoever is called back may both find that all is done.
        self._settling = RLock()
        if callback is not None or error_callback is not None:
            self._listen()

    def wait(self, timeout: float | None = None) -> None:
        """Until all is done, or `timeout` seconds are over."""
        self._is_done(None if timeout is None else max(timeout, 0))

    def ready(self) -> bool:
        return self._is_done(0)

    def successful(self) -> bool:
        """Whether nothing was raised. Raises ValueError before it is known."""
        if not self.ready():
            raise ValueError(f"{self!r} not ready")
        return self._error is None

    def get(self, timeout: float | None = None) -> Any:
        """The result; raises what the function raised, or multiprocessing.TimeoutError."""
        self.wait(timeout)
        if self._values is None:
            raise multiprocessing.TimeoutError
        if self._error is not None:
            raise self._error
        return self._values[0] if self._single else self._values

    @property
    def settled(self) -> bool:
        """Whether the callback was called; unlike `ready`, it does not look."""
        return self._values is not None

    def _listen(self) -> None:
        """Nobody may ever ask for the result: the last chunk to end settles it."""
        left = len(self._refs)
        if not left:
            self._settle()

        def ended(_: object) -> None:
            nonlocal left
            with self._settling:
                left -= 1
                if not left:
                    self._settle()

        for ref in self._refs:
            ref.future().add_done_callback(ended)

    def _is_done(self, timeout: float | None) -> bool:
        if self._values is None:
            refs = self._refs
            if refs and wait(refs, num_returns=len(refs), timeout=timeout)[1]:
                return False
            self._settle()
        return True

    def _settle(self) -> None:
        """All chunks have ended. Returns when the callback has."""
        with self._settling:
            values = [value for ref in self._refs for value in batch_of(ref)]
            # Simulated processes share a thread, and its lock: one may have settled it meanwhile.
            if self._values is not None:
                return
            self._error = next((v.error for v in values if isinstance(v, Failed)), None)
            self._values = values
            self._refs = []
            try:
                self._call_back(values)
            except Exception:  # noqa: BLE001  (not the affair of who asks: shown, as a thread's)
                traceback.print_exc()

    def _call_back(self, values: list[Any]) -> None:
        if self._error is None:
            if self._callback is not None:
                self._callback(values[0] if self._single else values)
        elif self._error_callback is not None:
            self._error_callback(self._error)


class IMapIterator:
    """Results as they are asked for; a few chunks run ahead. Ray: `IMapIterator`."""

    def __init__(self, chunks: Iterator[ObjectRef], ahead: int) -> None:
        """`chunks` submits the next chunk each time; `ahead` of them are in flight."""
        self._chunks = chunks
        self._ahead = ahead
        self._running: list[ObjectRef] = []
        self._results: deque[Any] = deque()
        self._submit()

    def __iter__(self) -> IMapIterator:
        return self

    def __next__(self) -> Any:
        return self.next()

    def next(self, timeout: float | None = None) -> Any:
        """The next result; raises what its call raised, StopIteration at the end.

        After `timeout` seconds it raises multiprocessing.TimeoutError, and may be called again.
        """
        while not self._results:
            if not self._running:
                raise StopIteration
            ready = self._wait(None if timeout is None else max(timeout, 0))
            if not ready:
                raise multiprocessing.TimeoutError
            self._running.remove(ready[0])
            self._results.extend(batch_of(ready[0]))
            self._submit()
        result = self._results.popleft()
        if isinstance(result, Failed):
            raise result.error
        return result

    def _submit(self) -> None:
        while len(self._running) < self._ahead:
            ref = next(self._chunks, None)
            if ref is None:
                return
            self._running.append(ref)

    def _wait(self, timeout: float | None) -> list[ObjectRef]:
        raise NotImplementedError


class OrderedIMapIterator(IMapIterator):
    """Of `imap`: in the order of the items."""

    def _wait(self, timeout: float | None) -> list[ObjectRef]:
        return wait(self._running[:1], timeout=timeout)[0]


class UnorderedIMapIterator(IMapIterator):
    """Of `imap_unordered`: in the order in which chunks end."""

    def _wait(self, timeout: float | None) -> list[ObjectRef]:
        return wait(self._running, timeout=timeout)[0]

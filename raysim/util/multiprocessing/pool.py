"""Pool: `multiprocessing.Pool` with actors for processes, on all nodes of a cluster.

The interface is the standard library's; what differs is said where it does. Never a thread of its own.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from types import TracebackType
from typing import Any, NoReturn

from raysim.api.cluster import cluster_resources
from raysim.api.session import init, is_initialized
from raysim.runtime.object_ref import ObjectRef
from raysim.util.multiprocessing.results import (
    AsyncResult,
    IMapIterator,
    OrderedIMapIterator,
    UnorderedIMapIterator,
)
from raysim.util.multiprocessing.workers import Call, Workers

CHUNKS_PER_PROCESS = 4
"""Of `map` without chunksize: so that uneven chunks even out. The standard library's choice."""

AHEAD_PER_PROCESS = 2
"""Chunks of `imap` in flight: one runs, the next one is there already."""


class Pool:
    """Workers on a cluster, by default as many as it has CPUs. Ray: `ray.util.multiprocessing.Pool`.

    Starts a session if there is none (`ray_address`: where). `ray_remote_args`: options of the
    actors. `maxtasksperchild` counts chunks. `context` is ignored. Raises ValueError for fewer
    than 1 process or more than the cluster has CPUs, ActorDiedError when the initializer raises.
    """

    def __init__(
        self,
        processes: int | None = None,
        initializer: Callable[..., object] | None = None,
        initargs: Iterable[Any] | None = None,
        maxtasksperchild: int | None = None,
        context: Any = None,
        ray_address: str | None = None,
        ray_remote_args: dict[str, Any] | None = None,
    ) -> None:
        if processes is not None and processes <= 0:
            raise ValueError(f"Processes in the pool must be >0, but they are {processes}.")
        self._workers = Workers(
            _processes(processes, ray_address),
            initializer,
            initargs or (),
            maxtasksperchild,
            ray_remote_args or {},
        )
        self._closed = False
        self._calling_back: list[AsyncResult] = []

    def apply(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """`func(*args, **kwargs)` in a worker; raises what it raises."""
        return self.apply_async(func, args, kwargs).get()

    def apply_async(
        self,
        func: Callable[..., Any],
        args: Iterable[Any] | None = None,
        kwargs: dict[str, Any] | None = None,
        callback: Callable[[Any], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        self._check_running()
        call: Call = (tuple(args or ()), dict(kwargs or {}))
        ref = self._workers.submit(func, [call])
        return self._result([ref], callback, error_callback, single=True)

    def map(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = None
    ) -> list[Any]:
        """`func` of each item, in order; raises the first error when all have ended."""
        results: list[Any] = self._map(func, _single(iterable), chunksize).get()
        return results

    def map_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Any],
        chunksize: int | None = None,
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        return self._map(func, _single(iterable), chunksize, callback, error_callback)

    def starmap(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        chunksize: int | None = None,
    ) -> list[Any]:
        """As `map`, each item being the arguments of one call."""
        results: list[Any] = self._map(func, _starred(iterable), chunksize).get()
        return results

    def starmap_async(
        self,
        func: Callable[..., Any],
        iterable: Iterable[Iterable[Any]],
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        """Ray's parameters: there is no chunksize here, unlike in the standard library."""
        return self._map(func, _starred(iterable), None, callback, error_callback)

    def imap(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = 1
    ) -> IMapIterator:
        """`func` of each item, in order, as the results are asked for; items are taken as needed."""
        return OrderedIMapIterator(*self._lazily(func, iterable, chunksize))

    def imap_unordered(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None = 1
    ) -> IMapIterator:
        """The same in the order in which chunks end."""
        return UnorderedIMapIterator(*self._lazily(func, iterable, chunksize))

    def close(self) -> None:
        """Take no more calls. The workers end when those that there are have ended."""
        self._closed = True

    def terminate(self) -> None:
        """Kill the workers: results that are not there yet raise ActorDiedError."""
        if not self._closed:
            self.close()
        self._workers.kill()

    def join(self) -> None:
        """Wait until all calls have ended. Raises ValueError before `close` or `terminate`."""
        if not self._closed:
            raise ValueError("Pool is still running")
        self._workers.wait()
        for result in self._calling_back:
            result.wait()

    def __enter__(self) -> "Pool":
        self._check_running()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.terminate()

    def __reduce__(self) -> NoReturn:
        raise NotImplementedError("pool objects cannot be passed between processes or pickled")

    # --- inside -------------------------------------------------------------------------------

    def _check_running(self) -> None:
        if self._closed:
            raise ValueError("Pool not running")

    def _map(
        self,
        func: Callable[..., Any],
        calls: Iterator[Call],
        chunksize: int | None,
        callback: Callable[[list[Any]], object] | None = None,
        error_callback: Callable[[BaseException], object] | None = None,
    ) -> AsyncResult:
        self._check_running()
        everything = list(calls)
        if chunksize is None:
            chunksize = max(1, -(-len(everything) // (CHUNKS_PER_PROCESS * len(self._workers))))
        refs = list(self._chunks(func, iter(everything), _checked(chunksize)))
        return self._result(refs, callback, error_callback, single=False)

    def _lazily(
        self, func: Callable[..., Any], iterable: Iterable[Any], chunksize: int | None
    ) -> tuple[Iterator[ObjectRef], int]:
        self._check_running()
        chunks = self._chunks(func, _single(iterable), _checked(chunksize or 0))
        return chunks, AHEAD_PER_PROCESS * len(self._workers)

    def _chunks(
        self, func: Callable[..., Any], calls: Iterator[Call], size: int
    ) -> Iterator[ObjectRef]:
        while chunk := list(islice(calls, size)):
            yield self._workers.submit(func, chunk)

    def _result(
        self,
        refs: list[ObjectRef],
        callback: Callable[[Any], object] | None,
        error_callback: Callable[[BaseException], object] | None,
        single: bool,
    ) -> AsyncResult:
        result = AsyncResult(refs, callback, error_callback, single)
        if callback is not None or error_callback is not None:
            self._calling_back = [one for one in self._calling_back if not one.settled]
            self._calling_back.append(result)
        return result


def _processes(wanted: int | None, address: str | None) -> int:
    if not is_initialized():
        init(address, num_cpus=wanted if address is None else None)
    cpus = int(cluster_resources().get("CPU", 0))
    if wanted is None:
        return max(cpus, 1)
    if wanted > cpus:
        raise ValueError(
            f"Tried to start a pool with {wanted} processes, but there are only {cpus} CPUs in the "
            "cluster. Ask for fewer, or add nodes."
        )
    return wanted


def _checked(chunksize: int) -> int:
    if chunksize < 1:
        raise ValueError(f"chunksize must be at least 1, but it is {chunksize}.")
    return chunksize


def _single(iterable: Iterable[Any]) -> Iterator[Call]:
    return (((item,), {}) for item in iterable)


def _starred(iterable: Iterable[Iterable[Any]]) -> Iterator[Call]:
    return ((item, {}) for item in iterable)  # type: ignore[misc]  # Taken apart by the worker.

"""One function over many items in several processes of this machine. Never says what it does with them."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from typing import TypeVar

_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


def in_processes(
    run: Callable[[_Item], _Result], items: Sequence[_Item], jobs: int
) -> Iterator[tuple[int, _Result]]:
    """Each item's index with its result, as they come; one job: here, one after another.

    What a run raises is raised here; the others are not waited for then.
    """
    if jobs == 1:
        yield from ((index, run(item)) for index, item in enumerate(items))
        return
    # Forked: the processes of the pool have all that a run imports from here.
    pool = ProcessPoolExecutor(jobs, get_context("fork"), _end_at_interrupts)
    left = list(reversed(list(enumerate(items))))
    pending: dict[Future[_Result], int] = {}
    try:
        while left or pending:
            while left and len(pending) < 2 * jobs:
                index, item = left.pop()
                pending[pool.submit(run, item)] = index
            done, _ = wait(pending, return_when=FIRST_COMPLETED)
            for future in sorted(done, key=pending.__getitem__):
                yield pending.pop(future), future.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _end_at_interrupts() -> None:
    """In a process of the pool: a Ctrl-C ends it without a word; the command has the last one."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)

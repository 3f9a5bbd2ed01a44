"""How one line is timed, by pytest-benchmark. Never what runs."""

import contextlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psutil

from bench.lines import Line, Unit

SETTLED_S = 0.1
"""Calls that take this long together tell how long one takes."""

LONG_S = 5.0
"""A first call that took this long is not repeated to learn more."""

ROUNDS = 10

SESSIONS = 3
"""Of an operation that has to be prepared each time: to start a cluster, say."""


class Operation(NamedTuple):
    call: Callable[[], Any]
    per_call: float = 1
    """Things done by one call: tasks, or gigabytes."""
    before: Callable[[], Any] | None = None
    """Before each call, and not timed."""
    after: Callable[[], Any] | None = None


def measure(benchmark: Any, line: Line, operation: Operation, seconds: float) -> None:
    """Time it for about `seconds`; the value of the line is in `benchmark.extra_info`."""
    repeated = operation.before is None and operation.after is None
    if benchmark.disabled:
        _pedantic(benchmark, operation, 1, 1)
        return
    if line.unit.higher_is_better and repeated:
        rounds, iterations = settle(operation.call, seconds)
    else:
        rounds, iterations = (1 if repeated or seconds < 1 else SESSIONS), 1
    # To look at other processes costs this one something, which is nobody's.
    others, own = cpu_of_others(), time.process_time()
    result = _pedantic(benchmark, operation, rounds, iterations)
    own = time.process_time() - own
    used = own + cpu_of_others() - others
    benchmark.extra_info |= {"line": line.name, "value": _value(line, operation, benchmark, result)}
    if line.unit.higher_is_better:
        # pytest-benchmark calls once more when it has called several times in a row: for the result.
        calls = rounds * iterations + (iterations > 1)
        benchmark.extra_info["cpu_us"] = 1e6 * used / (calls * operation.per_call)


def cpu_of_others() -> float:
    """Seconds of the processes that this one has started and that live."""
    used = 0.0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            used += sum(process.cpu_times()[:2])
    return used


def _pedantic(benchmark: Any, operation: Operation, rounds: int, iterations: int) -> Any:
    return benchmark.pedantic(
        operation.call,
        setup=operation.before,
        teardown=operation.after,
        rounds=rounds,
        iterations=iterations,
    )


def _value(line: Line, operation: Operation, benchmark: Any, result: Any) -> float:
    stats = benchmark.stats.stats
    if line.unit.higher_is_better:
        # Of all the time that passed, as Ray's: a stall now and then is part of the rate.
        return float(operation.per_call / stats.mean)
    return float(stats.median if line.unit is Unit.SECONDS else result)


def settle(
    call: Callable[[], Any], seconds: float, clock: Callable[[], float] = time.perf_counter
) -> tuple[int, int]:
    """Warm up, and say how many rounds of how many calls last about `seconds`."""

    def together(calls: int) -> float:
        start = clock()
        for _ in range(calls):
            call()
        return clock() - start

    took, calls = together(1), 1
    if took < LONG_S:
        # The first call may have started a worker. It tells nothing.
        while (took := together(calls)) < SETTLED_S:
            calls *= 2
    each = took / calls
    # Ten rounds or so: calls of a microsecond are not timed one by one.
    iterations = max(1, round(seconds / ROUNDS / each))
    return max(1, round(seconds / (iterations * each))), iterations

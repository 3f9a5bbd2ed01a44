"""A campaign: many seeds of a target over several processes, failures grouped by cause. Never prints.

What it finds is in its folder as it is found: `failures/seed-N.json`, and `progress.json`, from which a
hunt that was broken off goes on.
"""

from __future__ import annotations

import gc
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec

from raysim.checks.finding import Finding
from raysim.tape import SeededTape
from raysim.testing.bundle import Bundle, bundle_of
from raysim.testing.case import Case, Target, Verdict
from raysim.testing.running import run_case
from raysim.testing.target import find_target

CHUNK: Final = 16
"""Seeds that a process is given at once: a quarter of a second of work."""
STUCK_S: Final = 60.0
"""Real seconds after which a run is a finding itself. Measured: the slowest of 10,000 takes under 2."""
SAVE_EVERY_S: Final = 5.0
"""Real seconds between two times that the progress is written down, lest a kill lose more."""
_COLLECT_EVERY: Final = 32
"""Runs between two collections of garbage; the collector is off between them."""


class HuntOptions(msgspec.Struct, frozen=True):
    """`target`: as on the command line."""

    target: str = ""
    seeds: int = 1_000
    first: int = 0
    jobs: int = 1
    seconds: float | None = None
    """Start no more seeds after so long."""
    folder: Path = Path("runs/hunt")
    resume: bool = False
    stop_after: int | None = None
    """Failures after which it ends."""


class Progress(msgspec.Struct):
    """How far a hunt is; what `progress.json` holds."""

    target: str
    next_seed: int
    runs: int = 0
    failures: dict[str, list[int]] = {}
    """By cause, the seeds."""
    seconds: float = 0.0

    @property
    def failed(self) -> int:
        return sum(map(len, self.failures.values()))


def hunt(options: HuntOptions, told: Callable[[Progress], None] = lambda _: None) -> Progress:
    """Run the seeds. `told` hears of the progress after each part. Ctrl-C ends it, with what there is."""
    find_target(options.target)  # What there is not is told here, not in a process of the pool.
    progress = _begin(options)
    began, before_s = time.monotonic(), progress.seconds
    saved_s = before_s

    def over() -> bool:
        enough = options.stop_after is not None and progress.failed >= options.stop_after
        late = options.seconds is not None and time.monotonic() - began > options.seconds
        return enough or late

    try:
        for first, count, failed in _results(options, progress.next_seed, over):
            progress.runs += count
            progress.next_seed = max(progress.next_seed, first + count)
            for bundle in failed:
                bundle.write(options.folder / "failures" / f"seed-{bundle.case.seed}.json")
                progress.failures.setdefault(bundle.group, []).append(bundle.case.seed)
            progress.seconds = before_s + time.monotonic() - began
            if progress.seconds - saved_s > SAVE_EVERY_S:
                saved_s = progress.seconds
                _save(options.folder, progress)
            told(progress)
    finally:
        _save(options.folder, progress)
    return progress


def _save(folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.json").write_bytes(msgspec.json.encode(progress))


def _begin(options: HuntOptions) -> Progress:
    if options.resume:
        try:
            found = msgspec.json.decode(
                (options.folder / "progress.json").read_bytes(), type=Progress
            )
        except FileNotFoundError:
            return Progress(options.target, options.first)
        if found.target != options.target:
            raise ValueError(
                f"{options.folder} holds a hunt of {found.target or 'the shipped campaign'}, which cannot go on as "
                "another; give the same target, or another --out"
            )
        return found
    return Progress(options.target, options.first)


def _results(
    options: HuntOptions, first: int, over: Callable[[], bool]
) -> Iterator[tuple[int, int, list[Bundle]]]:
    """First seed, number of seeds, failures: of each part, in the order of the seeds."""
    end = options.first + options.seeds
    parts = iter([(at, min(CHUNK, end - at)) for at in range(first, end, CHUNK)])
    if options.jobs == 1:
        with _quiet_collector():
            for at, count in parts:
                if over():
                    return
                yield at, count, run_seeds(options.target, at, count)
        return
    pool = ProcessPoolExecutor(options.jobs, get_context("fork"), _prepare, (options.target,))
    waiting: dict[Future[list[Bundle]], tuple[int, int]] = {}
    ready: dict[int, tuple[int, list[Bundle]]] = {}
    at = first
    try:
        while True:
            while len(waiting) + len(ready) < 2 * options.jobs and not over():
                part = next(parts, None)
                if part is None:
                    break
                waiting[pool.submit(run_seeds, options.target, *part)] = part
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                begun, count = waiting.pop(future)
                ready[begun] = count, future.result()
            while at in ready:
                count, failed = ready.pop(at)
                yield at, count, failed
                at += count
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _prepare(target: str) -> None:
    """In a process of the pool: everything imported and out of the collector's sight, Ctrl-C left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    find_target(target)
    gc.collect()
    gc.freeze()
    gc.disable()


class _quiet_collector:
    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.collect()
        gc.freeze()
        gc.disable()

    def __exit__(self, *_: object) -> None:
        gc.unfreeze()
        if self._was_on:
            gc.enable()


def run_seeds(target_name: str, first: int, count: int) -> list[Bundle]:
    """The failures among these seeds."""
    target = find_target(target_name)
    failed: list[Bundle] = []
    for seed in range(first, first + count):
        case = Case.sampled(target, SeededTape(seed), seed)
        verdict = run_guarded(target, case)
        if not verdict.ok:
            failed.append(bundle_of(target_name, case, verdict))
        if seed % _COLLECT_EVERY == 0:
            gc.collect()
    return failed


class _StuckError(Exception):
    """A run takes too long in real time."""


def run_guarded(target: Target, case: Case, seconds: float = STUCK_S) -> Verdict:
    """As run_case; a run that does not end is broken off, and is a finding."""

    def ring(*_: Any) -> None:
        raise _StuckError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return run_case(target, case)
    except _StuckError:
        text = f"the run was broken off after {seconds:g} real seconds"
        return Verdict([Finding("endless", text, 0, "no end")], "")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)

"""A campaign: many seeds of a target over several processes, failures grouped by cause. Never prints.

What it finds is in its folder as it is found: `failures/seed-N.json`, and `progress.json`, from which a
hunt that was broken off goes on.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import redirect_stderr, redirect_stdout
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final

import msgspec

from raysim.checks.finding import Finding
from raysim.tape import SeededTape
from raysim.testing.bundle import Bundle, bundle_of
from raysim.testing.case import Case, Target, Verdict
from raysim.testing.memory import collect_after, settle, settled
from raysim.testing.properties import begin_campaign
from raysim.testing.running import run_case
from raysim.testing.target import find_target

CHUNK: Final = 16
"""Seeds that a process is given at once: a quarter of a second of work."""
STUCK_S: Final = 60.0
"""Real seconds after which a run is a finding itself. Measured: the slowest of 10,000 takes under 2."""
SAVE_EVERY_S: Final = 5.0
"""Real seconds between two times that the progress is written down, lest a kill lose more."""


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
    hits: dict[str, int] = {}
    """How often each `sometimes` and `reachable` was true."""
    whole: bool = False
    """All seeds that were asked for have run."""

    @property
    def failed(self) -> int:
        return sum(map(len, self.failures.values()))

    def never_hit(self) -> list[str]:
        """What a whole campaign should have come to, and did not."""
        return [label for label, hits in self.hits.items() if not hits] if self.whole else []

    def add(self, part: Part) -> None:
        self.runs += part.seeds
        self.next_seed = max(self.next_seed, part.first + part.seeds)
        for label, hits in part.hits.items():
            self.hits[label] = self.hits.get(label, 0) + hits
        for bundle in part.failed:
            self.failures.setdefault(bundle.group, []).append(bundle.case.seed)


class Part(msgspec.Struct, frozen=True):
    """Some seeds, one after the other, that one process ran."""

    first: int
    seeds: int
    failed: list[Bundle]
    hits: dict[str, int]


def hunt(options: HuntOptions, told: Callable[[Progress], None] = lambda _: None) -> Progress:
    """Run the seeds. `told` hears of the progress after each part. Ctrl-C ends it: what there is, is in the folder."""
    target = find_target(options.target)
    progress = _begin(options, target)
    began, before_s = time.monotonic(), progress.seconds
    saved_s = before_s

    def over() -> bool:
        enough = options.stop_after is not None and progress.failed >= options.stop_after
        late = options.seconds is not None and time.monotonic() - began > options.seconds
        return enough or late

    told(progress)
    try:
        with _CtrlC():
            for part in _parts(options, target, progress.next_seed, over):
                for bundle in part.failed:
                    bundle.write(options.folder / "failures" / f"seed-{bundle.case.seed}.json")
                progress.add(part)
                progress.seconds = before_s + time.monotonic() - began
                if progress.seconds - saved_s > SAVE_EVERY_S:
                    saved_s = progress.seconds
                    _save(options.folder, progress)
                told(progress)
    finally:
        progress.whole = progress.next_seed >= options.first + options.seeds
        _save(options.folder, progress)
    return progress


def _save(folder: Path, progress: Progress) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "progress.json").write_bytes(msgspec.json.encode(progress))


def _begin(options: HuntOptions, target: Target) -> Progress:
    fresh = Progress(options.target, options.first, hits=dict.fromkeys(target.labels, 0))
    if not options.resume:
        return fresh
    try:
        found = msgspec.json.decode((options.folder / "progress.json").read_bytes(), type=Progress)
    except FileNotFoundError:
        return fresh
    if found.target != options.target:
        raise ValueError(
            f"{options.folder} holds a hunt of {found.target or 'the shipped campaign'}, which cannot go on as "
            "another; give the same target, or another --out"
        )
    return found


def _parts(
    options: HuntOptions, target: Target, first: int, over: Callable[[], bool]
) -> Iterator[Part]:
    """In the order of the seeds."""
    end = options.first + options.seeds
    begins = iter([(at, min(CHUNK, end - at)) for at in range(first, end, CHUNK)])
    if options.jobs == 1:
        with settled():
            for at, count in begins:
                if over():
                    return
                yield run_part(target, at, count)
        return
    # Forked: the processes of the pool have the target, and what it imported, from here.
    pool = ProcessPoolExecutor(options.jobs, get_context("fork"), _prepare, (target,))
    waiting: dict[Future[Part], int] = {}
    ready: dict[int, Part] = {}
    at = first
    try:
        while True:
            while len(waiting) + len(ready) < 2 * options.jobs and not over():
                begun = next(begins, None)
                if begun is None:
                    break
                waiting[pool.submit(_run_part, *begun)] = begun[0]
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                ready[waiting.pop(future)] = future.result()
            while at in ready:
                part = ready.pop(at)
                yield part
                at += part.seeds
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


_target: Target | None = None
"""Of a process of the pool."""


def _prepare(target: Target) -> None:
    """In a process of the pool: Ctrl-C is left to the parent."""
    global _target
    _target = target
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    settle()


class _CtrlC:
    """Remembered: a program that runs, or what ends it, may swallow a KeyboardInterrupt."""

    pressed = False

    def __enter__(self) -> None:
        _CtrlC.pressed = False
        self._before = signal.signal(signal.SIGINT, self._press)

    def __exit__(self, *_: object) -> None:
        _CtrlC.pressed = False
        signal.signal(signal.SIGINT, self._before)

    @staticmethod
    def _press(*_: object) -> None:
        _CtrlC.pressed = True
        raise KeyboardInterrupt


def _run_part(first: int, count: int) -> Part:
    assert _target is not None, "a process of the pool was not prepared"
    return run_part(_target, first, count)


def run_part(target: Target, first: int, count: int) -> Part:
    """What these seeds come to, without what they print."""
    failed: list[Bundle] = []
    hits = begin_campaign(target.labels).hits
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
        for seed in range(first, first + count):
            case = Case.sampled(target, SeededTape(seed), seed)
            verdict = run_guarded(target, case)
            if _CtrlC.pressed:
                raise KeyboardInterrupt
            if not verdict.ok:
                failed.append(bundle_of(target.name, case, verdict, target.module))
            collect_after(seed)
    return Part(first, count, failed, hits)


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

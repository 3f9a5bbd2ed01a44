"""The command `raysim check-determinism`: the same run twice, compared. Never judges a run otherwise."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click

from raysim.cli.request import SIMULATOR, Request
from raysim.cli.run import BAD_INPUT, WENT_WRONG
from raysim.cli.traces import Difference, count_records, first_difference

_SIDES = ("1", "2")
"""Values of PYTHONHASHSEED: strings hash differently, so that sets are iterated in other orders."""


class _Broken(Exception):
    """A run that came to no summary: its exit code, and what it said."""

    def __init__(self, code: int, said: str) -> None:
        self.code = code
        self.said = said
        super().__init__(said)


class _Side(NamedTuple):
    """One of two runs under way: its process, and the trace that it writes."""

    process: subprocess.Popen[str]
    trace: Path


def check(request: Request, seeds: int) -> int:
    """0 when each seed's two runs wrote the same journal; 1 with the first record that differs."""
    from raysim.scenario.problems import ScenarioError

    request = replace(request, backend=SIMULATOR)
    try:
        first = request.load().scenario.seed
    except ScenarioError as error:
        for problem in error.problems:
            click.echo(str(problem), err=True)
        return BAD_INPUT
    for seed in range(first, first + seeds):
        try:
            difference = _check_seed(replace(request, seed=seed), f"{seed - first + 1}/{seeds}")
        except _Broken as broken:
            click.echo(f"seed {seed}: the run came to no end.\n{broken.said}", err=True)
            return broken.code or WENT_WRONG
        if difference is not None:
            click.echo(f"seed {seed}: the two runs differ.\n{difference}")
            click.echo(f"Again: raysim check-determinism {_again(request, seed)}")
            return WENT_WRONG
    return 0


def _check_seed(request: Request, shown: str) -> Difference | None:
    with TemporaryDirectory(prefix="raysim-determinism-") as folder:
        traces = [Path(folder) / f"hash-seed-{side}" for side in _SIDES]
        sides = [_start(request, side, trace) for side, trace in zip(_SIDES, traces, strict=True)]
        try:
            (digest, said), (other, _) = [_digest(side) for side in sides]
        finally:
            for side in sides:
                side.process.kill()
                side.process.wait()
        if digest == other:
            count = count_records(traces[0])
            if not count:
                # Two runs that failed before they began are equal, and show nothing.
                raise _Broken(
                    WENT_WRONG, f"It wrote no record: there is nothing to compare.\n{said}"
                )
            click.echo(f"[{shown}] seed {request.seed}: equal, {count} records, {digest}")
            return None
        return first_difference(*traces)


def _start(request: Request, hash_seed: str, trace: Path) -> _Side:
    arguments = request.arguments()
    own = ["--json", "--no-out", "--trace", str(trace)]
    process = subprocess.Popen(
        [sys.executable, "-m", "raysim", "run", *own, *arguments],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    return _Side(process, trace)


def _digest(side: _Side) -> tuple[str, str]:
    """What the run's summary, its last line, says; and its errors. A program may well end in one."""
    out, error = side.process.communicate()
    summary: Any = None
    lines = out.splitlines()
    if lines:
        try:
            summary = json.loads(lines[-1])
        except ValueError:
            summary = None
    if not isinstance(summary, dict) or not isinstance(summary.get("digest"), str):
        raise _Broken(side.process.returncode, error or out)
    return str(summary["digest"]), error


def _again(request: Request, seed: int) -> str:
    import shlex

    return shlex.join(replace(request, seed=seed).arguments())

"""Tracebacks of failing tests, without what is raysim's own in them. Never of an error that is raysim's fault."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final

import raysim
from raysim.task_error import RayError
from raysim.testing.properties import PropertyError

_OWN: Final = (f"{Path(raysim.__file__).parent}/", "/raysim_sim/", "/simpy/")

OF_PROGRAMS: Final = (RayError, PropertyError)
"""Errors that a program comes to. Any other that is raised inside raysim says something of raysim."""


def shorten(error: BaseException) -> None:
    """Of a program's own error, the traceback ends where the program called raysim."""
    if isinstance(error, OF_PROGRAMS):
        frames = list(_frames(error.__traceback__))
        while frames and _is_own(frames[-1]):
            frames.pop()
        if frames:
            error.__traceback__ = _chained(frames)


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_own(trace: TracebackType) -> bool:
    file = trace.tb_frame.f_code.co_filename
    return any(part in file for part in _OWN)


def _chained(frames: list[TracebackType]) -> TracebackType | None:
    chain: TracebackType | None = None
    for one in reversed(frames):
        chain = TracebackType(chain, one.tb_frame, one.tb_lasti, one.tb_lineno)
    return chain

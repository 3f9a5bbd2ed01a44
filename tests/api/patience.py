"""Waiting for what comes true a little later."""

import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType


def until(true: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)


def pass_replies(ray: ModuleType) -> None:
    """What the replies do whose values were had so far is done: that of one more call comes after it.

    Ray 2.60 ends the driver where a cancel meets the rest of that.
    """

    @ray.remote
    def one() -> int:
        return 1

    assert ray.get(one.remote(), timeout=60) == 1


class Gate:
    """Shut until somebody opens it. It is a file: a call that stands at it runs, and waits for no object."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def open(self) -> None:
        self._path.touch()

    def go_through(self) -> None:
        until(self._path.exists)

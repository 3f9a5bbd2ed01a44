"""What each contender does for a line. Imports nothing but what the contender needs: others lack it."""

from collections.abc import Callable
from typing import Any, ClassVar

from bench.operation import Operation

CPUS = 2
"""Of every contender."""

Lines = dict[str, Callable[[Any], Operation]]
"""By the line's name: what a started contender does for it."""


class Contender:
    """Somebody who takes part."""

    lines: ClassVar[Lines]

    def __init__(self, scale: float) -> None:
        self._scale = scale

    def start(self) -> None:
        """Begin a session."""

    def stop(self) -> None:
        """End it, if there is one."""

    def first_result(self) -> None:
        """Have one task run that does nothing."""

    def scaled(self, count: int) -> int:
        """So many, or fewer in a quick run."""
        return max(1, round(count * self._scale))

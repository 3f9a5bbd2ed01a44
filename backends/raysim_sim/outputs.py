"""What the code of simulated processes prints: kept, and on the driver's output. Never the driver's own."""

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

from raysim.runtime.prints import Prints, prefix_of
from raysim_sim.logs import SimLogs

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost


class Outputs:
    """`sys.stdout` and `sys.stderr` are those of the process whose code runs."""

    def __init__(self, to_driver: bool) -> None:
        self._to_driver = to_driver
        self.logs = SimLogs()
        self._driver: tuple[TextIO, TextIO] = (sys.stdout, sys.stderr)

    def enter(self, host: "UserHost") -> None:
        """Its code is about to run."""
        self._driver = (sys.stdout, sys.stderr)
        if host.streams is None:
            prefix = partial(prefix_of, host.core_worker)
            host.streams = (
                Prints(partial(self._write, host, 0), prefix),
                Prints(partial(self._write, host, 1), prefix),
            )
        sys.stdout, sys.stderr = host.streams

    def leave(self, host: "UserHost") -> None:
        """Its code waits, or has ended. It may have put streams of its own in their place."""
        streams: tuple[Any, Any] = (sys.stdout, sys.stderr)
        host.streams = streams
        sys.stdout, sys.stderr = self._driver

    def _write(self, host: "UserHost", number: int, prefix: str, text: str) -> None:
        self.logs.add(host, number, text)
        if self._to_driver:
            lines = text.splitlines(keepends=True)
            self._driver[number].write("".join(prefix + line for line in lines))

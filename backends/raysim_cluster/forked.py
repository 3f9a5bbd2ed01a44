"""A child that is a fork of this process, not a program of its own: it shares what is imported here. Never its work.

Nothing else goes over: neither descriptors, whose end others wait for, nor what signals do here.
"""

import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Final, NoReturn, TypeAlias

from raysim_cluster.linux import show_arguments, watch_process

_LOOK_S: Final = 0.02
"""Between two looks at a child where the kernel cannot tell of its end."""


class Forked:
    """Implements as much of subprocess.Popen as is used of it here."""

    def __init__(self, name: str, fd: int, live: Callable[[int], None]) -> None:
        """`live`: its whole life, with the one descriptor that it keeps. `name`: its command line."""
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            _live(name, fd, live)
        self.pid = pid
        self._name = name
        self._code: int | None = None

    def poll(self) -> int | None:
        """Its exit code, negative for a signal; None while it lives."""
        if self._code is None:
            self._reap(os.WNOHANG)
        return self._code

    def wait(self, timeout: float | None = None) -> int:
        """Raises subprocess.TimeoutExpired."""
        if timeout is not None and not self._ends_within(timeout):
            raise subprocess.TimeoutExpired(self._name, timeout)
        if self._code is None:
            self._reap(0)
        assert self._code is not None
        return self._code

    def send_signal(self, number: int) -> None:
        if self.poll() is None:  # Not reaped, so the pid is still its own.
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def _ends_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        pidfd = watch_process(self.pid) if self.poll() is None else None
        if pidfd is not None:
            select.select([pidfd], (), (), seconds)
            os.close(pidfd)
            return self.poll() is not None
        while self.poll() is None:
            if time.monotonic() > end:
                return False
            time.sleep(_LOOK_S)
        return True

    def _reap(self, options: int) -> None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self._code = os.waitstatus_to_exitcode(status)


Child: TypeAlias = "subprocess.Popen[bytes] | Forked"


def _live(name: str, fd: int, live: Callable[[int], None]) -> NoReturn:
    code = 1
    try:
        show_arguments(name)
        os.setsid()
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _keep_only(fd)
        live(fd)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
    except BaseException:  # noqa: BLE001  (the frames below belong to the parent)
        sys.excepthook(*sys.exc_info())
    finally:
        with contextlib.suppress(OSError):  # Nobody reads it any more.
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _keep_only(fd: int) -> None:
    """And the output; the input is empty."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    for one in map(int, os.listdir("/proc/self/fd")):
        if one > 2 and one != fd:
            with contextlib.suppress(OSError):  # What the listing itself was read from.
                os.close(one)

"""The process of a job's entrypoint, with all that it starts. Never what it is told, or what becomes of its job.

It leads a group of its own, and whatever is left of that ends with it, or with the process that supervises it: a
guard beside the group waits for the end of a pipe, which comes however the supervisor ends.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Mapping
from typing import Final

from raysim.jobs.log import LogWriter

_GUARD: Final = 'read -r _; kill -KILL "-$1"'

_READ_BYTES: Final = 65_536

_LAST_WORDS_S: Final = 1.0
"""For what is still in the pipe; whoever has left the group may hold it open for ever."""


class Entrypoint:
    """Starts at once. Raises OSError where it cannot."""

    def __init__(self, command: str, environ: Mapping[str, str], log: LogWriter) -> None:
        self._log = log
        shell = shutil.which("bash") or "/bin/sh"
        self._process = process = subprocess.Popen(
            [shell, "-c", command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, "raysim-job-guard", str(process.pid)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._ended = False
        self.stopping = False
        self._copier = threading.Thread(target=self._copy, name="job-log", daemon=True)
        self._copier.start()

    def wait(self) -> int:
        """Until it has ended, and its group with it: its exit code, negative for a signal."""
        # Not reaped yet: until then nobody else gets its number, which the group has.
        os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        with self._lock:
            self._ended = True
        self._guard.kill()
        self._guard.communicate()
        self._signal(signal.SIGKILL)
        self._copier.join(_LAST_WORDS_S)
        return self._process.wait()

    def stop(self, grace_s: float) -> None:
        """SIGTERM to the group, and SIGKILL to what is left after so many seconds."""
        with self._lock:
            if self._ended or self.stopping:
                return
            self.stopping = True
            self._signal(signal.SIGTERM)
        timer = threading.Timer(grace_s, self._kill)
        timer.daemon = True
        timer.start()

    def _kill(self) -> None:
        with self._lock:
            if not self._ended:
                self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):
            return  # Nobody is left in it; or only the leader, which is not reaped yet.

    def _copy(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as out:
            while data := os.read(out.fileno(), _READ_BYTES):
                self._log.write(data)

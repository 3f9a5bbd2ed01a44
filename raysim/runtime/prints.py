"""What user code prints, line by line, with whose it is: `(f pid=12) hello`. Never where it goes: worlds say that.

The prefix is Ray's. Text without an end of line waits for the rest of its line, as in Ray's files.
"""

import io
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from raysim.runtime.core_worker import CoreWorker
from raysim.spec.runtime_env import read_env


class Prints(io.TextIOBase):
    """In place of `sys.stdout` or `sys.stderr`. `write`: takes a prefix and whole lines. `prefix`: of who prints now.

    `lock`: held meanwhile, where several threads print.
    """

    encoding = "utf-8"
    errors = "replace"

    def __init__(
        self,
        write: Callable[[str, str], object],
        prefix: Callable[[], str],
        lock: AbstractContextManager[object] | None = None,
        fd: int | None = None,
    ) -> None:
        self._write = write
        self._prefix = prefix
        self._lock = lock or nullcontext()
        self._fd = fd
        self._rest = ""

    def write(self, text: str, /) -> int:
        with self._lock:
            if "\n" not in text:
                self._rest += text
                return len(text)
            lines, _, rest = text.rpartition("\n")
            lines, self._rest = f"{self._rest}{lines}\n", rest
            self._write(self._prefix(), lines)
        return len(text)

    @property
    def buffer(self) -> "_Bytes":
        return _Bytes(self)

    def reconfigure(self, **options: object) -> None:
        """Lines go out as they end, whatever is asked for."""

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        """Of the stream behind it, for what writes around Python."""
        if self._fd is None:
            raise io.UnsupportedOperation("fileno")
        return self._fd

    def last_words(self) -> None:
        """The process ends: a line without its end is one, too."""
        if self._rest:
            self.write("\n")


class _Bytes(io.RawIOBase):
    """For what writes encoded text."""

    def __init__(self, prints: Prints) -> None:
        self._prints = prints

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        text = bytes(data).decode("utf-8", "replace")
        self._prints.write(text)
        return len(data)


def prefix_of(worker: CoreWorker) -> str:
    """Of what runs in this process now. Nothing where its lines say that themselves (Ray: `LoggingConfig`)."""
    if read_env(worker.runtime_env).job.logging is not None:
        return ""
    return f"({_name(worker)} pid={worker.host.pid}) "


def _name(worker: CoreWorker) -> str:
    """The function, or the actor by its own `__repr__`, if it has one (Ray)."""
    task = worker.context.task
    if task is None:
        return "raysim"
    if task.actor is not None:
        return worker.execution.label or task.actor.class_name
    assert task.template is not None
    return task.template.name

"""How the root logger of a process writes, and what it tells of the running call. Never which lines there are.

The formats, and the names of the fields, are Ray's (`ray._common.formatters`, `filters`).
"""

import json
import logging
import sys
from typing import Any, Final, TextIO

from raysim.runtime.current import current
from raysim.spec.job import Logging

FORMAT: Final = "%(asctime)s\t%(levelname)s %(filename)s:%(lineno)s -- %(message)s"
"""Ray's `LOGGER_FORMAT`."""

ENCODINGS: Final = ("TEXT", "JSON")

OWN: Final = ("raysim", "ray")
"""Loggers of the library, and of programs that take it for Ray."""

INSIDE: Final = ("raysim_cluster", "raysim_sim")
"""Loggers of worlds, whose ordinary messages are nobody's business but a node's log's."""

STANDARD: Final = frozenset(
    {
        *vars(logging.makeLogRecord({})),
        "asctime",
        "message",
        "taskName",  # Of Python 3.12.
    }
)
"""Attributes that every record has."""


class _ToStderr(logging.StreamHandler[TextIO]):
    """Writes to whatever `sys.stderr` is by then."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        raise AttributeError("it is sys.stderr")


class _Formatter(logging.Formatter):
    def __init__(self, config: Logging) -> None:
        super().__init__(FORMAT)
        self._config = config

    def format(self, record: logging.LogRecord) -> str:
        if self._config.encoding == "TEXT":
            more = " ".join(f"{name}={value}" for name, value in self._more(record).items())
            return f"{super().format(record)} {more}"
        standard: dict[str, Any] = {
            "asctime": self.formatTime(record),
            "levelname": record.levelname,
            "message": record.getMessage(),
            "filename": record.filename,
            "lineno": record.lineno,
            "process": record.process,
        }
        if record.exc_info:
            standard["exc_text"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps({**standard, **self._more(record)})

    def _more(self, record: logging.LogRecord) -> dict[str, Any]:
        """What was asked for, what the call is, and what the program itself has added."""
        asked = {
            name: getattr(record, name, None) for name in self._config.additional_log_standard_attrs
        }
        added = {name: value for name, value in vars(record).items() if name not in STANDARD}
        return {**asked, **added, "timestamp_ns": int(record.created * 1e9)}


def add_context(record: logging.LogRecord) -> bool:
    """A filter that lets everything pass, with the ids of the process and of what it runs."""
    for name, value in context().items():
        setattr(record, name, value)
    return True


def context() -> dict[str, str]:
    """What there is of Ray's context fields; nothing where this process is in no session."""
    backend = current()
    if backend is None:
        return {}
    info = backend.context_info()
    fields = {"job_id": info.job_id, "worker_id": info.worker_id, "node_id": info.node_id}
    if info.is_driver:
        return fields
    of_call = {
        "actor_id": info.actor_id,
        "task_id": info.task_id,
        "task_name": info.task_name,
        "task_func_name": info.function_name,
        "actor_name": info.actor_name,
    }
    return {**fields, **{name: value for name, value in of_call.items() if value}}


_handler: logging.Handler | None = None


def configure(config: Logging) -> None:
    """The root logger writes so from now on; a configuration before is replaced."""
    global _handler
    root = logging.getLogger()
    if _handler is not None:
        root.removeHandler(_handler)
    _handler = _ToStderr()
    _handler.setLevel(config.log_level)
    _handler.setFormatter(_Formatter(config))
    _handler.addFilter(add_context)
    root.addHandler(_handler)
    for name in (None, *OWN):
        logging.getLogger(name).setLevel(config.log_level)
    for name in INSIDE:
        logging.getLogger(name).setLevel(logging.WARNING)


class _Own(_ToStderr):
    """For the library's own loggers, while the program has said nothing about logging."""

    def emit(self, record: logging.LogRecord) -> None:
        if not logging.getLogger().handlers:  # Else those write it.
            super().emit(record)


def configure_own(level: int | str, format_: str) -> None:
    """The library's own loggers. Ray: `logging_level` and `logging_format` of `init`."""
    for name in OWN:
        logger = logging.getLogger(name)
        logger.setLevel(level.upper() if isinstance(level, str) else level)
        for handler in [one for one in logger.handlers if isinstance(one, _Own)]:
            logger.removeHandler(handler)
        own = _Own()
        own.setFormatter(logging.Formatter(format_))
        logger.addHandler(own)

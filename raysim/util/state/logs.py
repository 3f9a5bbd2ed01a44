"""`list_logs` and `get_log`: the files that the processes of a cluster write, on any node. Never writes one."""

import codecs
import re
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any, NamedTuple, TypeVar

from raysim.backend import Backend, Logs
from raysim.spec.log import LogPart
from raysim.util.state.api import get_actor, get_task, list_nodes, list_workers
from raysim.util.state.client import connected
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.options import DEFAULT_RPC_TIMEOUT, GetLogOptions
from raysim.util.state.states import TaskState

FOLLOW_INTERVAL = 0.5
"""Seconds between two looks at a log that is followed. Ray: `DEFAULT_LOG_STREAM_INTERVAL`."""

TAIL_BYTES = 256 << 10
"""Of the end of a file, looked at first."""

MOST_TAIL_BYTES = 16 << 20

_KINDS = (("worker*.out", "worker_out"), ("worker*.err", "worker_err"), ("node*", "raylet"))
Found = TypeVar("Found")

_ANSI = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


class LogFile(NamedTuple):
    """One file of one node."""

    logs: Logs
    node_id: str
    name: str

    def read(self, offset: int) -> LogPart:
        """Some of it, from there on; from its end where that is negative. Raises RayStateApiException."""
        return _answered(lambda: self.logs.read(self.node_id, self.name, offset))


class LogReader:
    """Goes through a file, from its last lines to what is added to it."""

    def __init__(self, log: LogFile) -> None:
        self._log = log
        self._offset = 0

    def last(self, count: int) -> Iterator[bytes]:
        """The last so many lines, in parts; -1: all. Of very long lines the last 16 MiB."""
        if count < 0:
            yield from self.added()
            return
        part = self._log.read(-TAIL_BYTES)
        begin, end = part.offset, part.size
        content = part.data + self._between(part.end, end)
        while begin > 0 and _lines(content) < count and len(content) < MOST_TAIL_BYTES:
            start = max(0, begin - TAIL_BYTES)
            before = self._between(start, begin)
            if not before:
                break  # Nothing of it is kept.
            content = before + content
            begin = start
        self._offset = end
        yield last_lines(content, count)

    def _between(self, start: int, end: int) -> bytes:
        """Less where the first of it is not kept any more."""
        content = b""
        while start < end:
            part = self._log.read(start)
            if not part.data or part.offset >= end:
                break
            content += part.data[: end - part.offset]
            start = part.end
        return content

    def added(self) -> Iterator[bytes]:
        """What is there by now behind what was given before, in parts."""
        while True:
            part = self._log.read(self._offset)
            if part.size < self._offset:
                self._offset = 0  # It was written anew.
                continue
            self._offset = part.end
            if not part.data:
                return
            yield part.data


def find_log(options: GetLogOptions, address: str | None = None) -> LogFile:
    """The file that is meant. Raises ValueError, RayStateApiException."""
    logs = _logs(connected(address))
    return LogFile(logs, *_answered(lambda: _find(logs, options, address)))


def list_logs(
    address: str | None = None,
    node_id: str | None = None,
    node_ip: str | None = None,
    glob_filter: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
) -> dict[str, list[str]]:
    """Names of a node's log files, by kind.

    Raises RayStateApiException where none are kept, or the node does not answer.
    """
    assert node_id is not None or node_ip is not None, (
        "At least one of node ip and node id is required"
    )
    logs = _logs(connected(address))
    where = node_id or _node_at(str(node_ip), address, timeout)
    found: dict[str, list[str]] = {}
    for name in _answered(lambda: logs.names(where)):
        if fnmatch(name, glob_filter or "*"):
            found.setdefault(_kind(name), []).append(name)
    return found


def get_log(
    address: str | None = None,
    node_id: str | None = None,
    node_ip: str | None = None,
    filename: str | None = None,
    actor_id: str | None = None,
    task_id: str | None = None,
    pid: int | None = None,
    follow: bool = False,
    tail: int = -1,
    timeout: int = DEFAULT_RPC_TIMEOUT,
    suffix: str = "out",
    encoding: str | None = "utf-8",
    errors: str | None = "strict",
    submission_id: str | None = None,
    attempt_number: int = 0,
    _interval: float | None = None,
    filter_ansi_code: bool = False,
) -> Iterator[Any]:
    """A log in parts: by file name, or of the worker that is an actor, ran a task, or has a pid.

    `tail`: its last lines only, -1 for all. `follow`: then what is added to it, without end. Text, or
    bytes where `encoding` is None. Raises ValueError, RayStateApiException.
    """
    options = GetLogOptions(
        timeout=timeout,
        node_id=node_id,
        node_ip=node_ip,
        filename=filename,
        actor_id=actor_id,
        task_id=task_id,
        pid=pid,
        lines=tail,
        suffix=suffix,
        submission_id=submission_id,
        attempt_number=attempt_number,
    )
    log = LogReader(find_log(options, address))
    decoder = (
        None if encoding is None else codecs.getincrementaldecoder(encoding)(errors or "strict")
    )

    def decoded(part: bytes) -> str | bytes:
        clean = shown(part, filter_ansi_code)
        return clean if decoder is None else decoder.decode(clean)

    yield from map(decoded, log.last(tail))
    while follow:
        connected(address).sleep(FOLLOW_INTERVAL if _interval is None else _interval)
        yield from map(decoded, log.added())


def _answered(ask: Callable[[], Found]) -> Found:
    try:
        return ask()
    except (FileNotFoundError, TimeoutError) as error:
        raise RayStateApiException(str(error)) from error


def _logs(backend: Backend) -> Logs:
    try:
        return backend.logs()
    except NotImplementedError as error:
        raise RayStateApiException(str(error)) from error


def _kind(name: str) -> str:
    file = PurePath(name).name
    return next((kind for pattern, kind in _KINDS if fnmatch(file, pattern)), "internal")


def _node_at(ip: str, address: str | None, timeout: int) -> str:
    found = list_nodes(address, filters=[("node_ip", "=", ip)], timeout=timeout)
    if not found:
        raise RayStateApiException(f"No node has the address {ip}. See list_nodes().")
    return found[0].node_id


def _find(logs: Logs, options: GetLogOptions, address: str | None) -> tuple[str, str]:
    """The node, and the name of the file there."""
    timeout = options.timeout
    node = options.node_id
    if node is None and options.node_ip is not None:
        node = _node_at(options.node_ip, address, timeout)
    if options.filename is not None:
        if node is None:
            raise ValueError("A filename is of a node: give node_id or node_ip as well.")
        return node, options.filename
    if options.submission_id is not None:
        raise RayStateApiException(
            f"There is no submitted job {options.submission_id!r}: a driver's output is its own."
        )
    worker_id, node, pid = _worker(options, node, address)
    return node, logs.of_worker(node, worker_id, pid, options.suffix)


def _worker(options: GetLogOptions, node: str | None, address: str | None) -> tuple[str, str, int]:
    timeout = options.timeout
    filters: list[tuple[str, str, str | bool | int | float]]
    if options.actor_id is not None:
        actor = get_actor(options.actor_id, address, timeout)
        if actor is None or actor.node_id is None:
            raise RayStateApiException(f"Actor {options.actor_id} has not started on any node.")
        node, filters = actor.node_id, [("pid", "=", actor.pid or 0)]
    elif options.task_id is not None:
        worker = _attempt(options, address).worker_id
        if worker is None:
            raise RayStateApiException(f"Task {options.task_id} has not been sent to a worker.")
        filters = [("worker_id", "=", worker)]
    else:
        filters = [("pid", "=", options.pid or 0)]
    found = list_workers(address, filters=filters, timeout=timeout)
    found = [worker for worker in found if node in (None, worker.node_id)]
    if not found:
        raise RayStateApiException(f"There is no such worker: {filters[0]}. See list_workers().")
    return found[0].worker_id, found[0].node_id, found[0].pid


def _attempt(options: GetLogOptions, address: str | None) -> TaskState:
    assert options.task_id is not None
    found = get_task(options.task_id, address, options.timeout)
    attempts = found if isinstance(found, list) else [found]
    for one in attempts:
        if one is not None and one.attempt_number == options.attempt_number:
            return one
    raise RayStateApiException(
        f"There is no attempt {options.attempt_number} of task {options.task_id}."
    )


def shown(part: bytes, clean: bool) -> bytes:
    """`clean`: without the sequences that colour a terminal's text."""
    return _ANSI.sub(b"", part) if clean else part


def last_lines(content: bytes, count: int) -> bytes:
    """-1: all."""
    if count < 0:
        return content
    return b"".join(content.splitlines(keepends=True)[-count:]) if count else b""


def _lines(content: bytes) -> int:
    """Those that begin and end in it, as far as is certain: the first one may have begun before it."""
    return content.count(b"\n", 0, max(0, len(content) - 1))

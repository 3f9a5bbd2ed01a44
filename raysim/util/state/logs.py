"""`list_logs` and `get_log`: the files that the processes of a session write. Never writes one."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any, NamedTuple

from raysim.backend import Backend, Logs
from raysim.util.state.api import get_actor, get_task, list_nodes, list_workers
from raysim.util.state.client import connected
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.options import DEFAULT_RPC_TIMEOUT, GetLogOptions
from raysim.util.state.states import TaskState

FOLLOW_INTERVAL = 0.5
"""Seconds between two looks at a log that is followed. Ray: `DEFAULT_LOG_STREAM_INTERVAL`."""

_KINDS = (("worker*.out", "worker_out"), ("worker*.err", "worker_err"), ("node*", "raylet"))
_ANSI = re.compile(rb"\x1b\[[0-9;]*[A-Za-z]")


class LogFile(NamedTuple):
    """One file of one node."""

    backend: Backend
    node_id: str
    name: str

    def read(self, offset: int) -> bytes:
        """From there on. Raises RayStateApiException."""
        try:
            return self.backend.logs().read(self.node_id, self.name, offset)
        except FileNotFoundError as error:
            raise RayStateApiException(str(error)) from error


def find_log(options: GetLogOptions, address: str | None = None) -> LogFile:
    """The file that is meant. Raises ValueError, RayStateApiException."""
    backend = connected(address)
    try:
        return LogFile(backend, *_find(_logs(backend), options, address))
    except FileNotFoundError as error:
        raise RayStateApiException(str(error)) from error


def list_logs(
    address: str | None = None,
    node_id: str | None = None,
    node_ip: str | None = None,
    glob_filter: str | None = None,
    timeout: int = DEFAULT_RPC_TIMEOUT,
) -> dict[str, list[str]]:
    """Names of a node's log files, by kind. Raises RayStateApiException where none are kept."""
    assert node_id is not None or node_ip is not None, (
        "At least one of node ip and node id is required"
    )
    logs = _logs(connected(address))
    where = node_id or _node_at(str(node_ip), address, timeout)
    found: dict[str, list[str]] = {}
    try:
        names = logs.names(where)
    except FileNotFoundError as error:
        raise RayStateApiException(str(error)) from error
    for name in names:
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
    log = find_log(options, address)
    content = log.read(0)

    def decoded(part: bytes) -> str | bytes:
        clean = shown(part, filter_ansi_code)
        return clean if encoding is None else clean.decode(encoding, errors or "strict")

    offset = len(content)
    yield decoded(last_lines(content, tail))
    while follow:
        log.backend.sleep(FOLLOW_INTERVAL if _interval is None else _interval)
        content = log.read(offset)
        offset += len(content)
        if content:
            yield decoded(content)


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

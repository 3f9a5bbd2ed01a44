"""`raysim logs`: which files the processes of a cluster write, and what is in one. Never writes one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any, Final

import click

from raysim.cli.connection import BadInputError, CommandFailedError, connected_to
from raysim.cli.rows import DOCUMENTS, WIDEST, as_table
from raysim.cli.state import find
from raysim.util.state.api import list_nodes, list_workers
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.logs import get_log, list_logs
from raysim.util.state.options import RAY_MAX_LIMIT_FROM_API_SERVER, StateResource
from raysim.util.state.states import NodeState

FORMS: Final = ("cluster", "actor", "task", "worker", "job")
"""Ray's subcommands. A file is never called so: it has a suffix."""


@dataclass(frozen=True)
class LogAsked:
    """Whose log: a name, or one of the others, ids by their beginnings. `node_id`, `node_ip`: only there."""

    pattern: str = ""
    glob: str = ""
    actor: str = ""
    task: str = ""
    worker: str = ""
    pid: int | None = None
    identity: str = ""
    node_id: str = ""
    node_ip: str = ""
    errors: bool = False
    tail: int = -1
    follow: bool = False


def logs_command(asked: LogAsked, address: str, output: str) -> int:
    asked = _in_own_words(asked)
    whose = [asked.pattern, asked.actor, asked.task, asked.worker, asked.pid]
    if sum(map(bool, whose)) > 1:
        raise BadInputError("Give one of NAME, --actor, --task, --worker and --pid.")
    with connected_to(address):
        if any(whose[1:]):
            _print(_of_process(asked))
            return 0
        files = list(_files(asked))
        if asked.pattern and len(files) == 1:
            (file,) = files
            how: dict[str, Any] = {"tail": asked.tail, "follow": asked.follow}
            _print(get_log(node_id=file["node_id"], filename=file["name"], encoding=None, **how))
            return 0
        if asked.pattern and not files:
            raise CommandFailedError(
                f"No log file is called {asked.pattern!r}: `raysim logs` shows those of all nodes."
            )
        if asked.follow:
            raise BadInputError(f"--follow is for one file, and there are {len(files)}.")
        click.echo(_listed(files) if output == "table" else DOCUMENTS[output](files))
    return 0


def _in_own_words(asked: LogAsked) -> LogAsked:
    """Ray's forms. Raises BadInputError."""
    form, identity = asked.pattern, asked.identity
    if form not in FORMS:
        if asked.glob or identity:
            said = f"{form} {asked.glob}" if asked.glob else "--id"
            raise BadInputError(
                f"{said!r}: before it says one of {', '.join(FORMS)} what it is of."
            )
        return asked
    if form == "job":
        raise BadInputError(f"`raysim job logs {identity or 'ID'}` shows what a job prints.")
    if form == "cluster" and not identity:
        return replace(asked, pattern=asked.glob, glob="")
    if asked.glob or form == "cluster":
        raise BadInputError(
            f"`raysim logs {form}` takes {'[NAME]' if form == 'cluster' else '--id ID'}."
        )
    if not identity and not (asked.pid and form in ("actor", "worker")):
        by = "--id ID or --pid PID" if form in ("actor", "worker") else "--id ID"
        raise BadInputError(f"`raysim logs {form}` wants {by}.")
    asked = replace(asked, pattern="", identity="")
    if form == "actor":
        return replace(asked, actor=identity)
    return replace(asked, task=identity) if form == "task" else replace(asked, worker=identity)


def _listed(files: list[dict[str, str]]) -> str:
    """Names are whole, to be given back."""
    return as_table(
        files, ["node_id", "kind", "name"], max([WIDEST, *(len(file["name"]) for file in files)])
    )


def _of_process(asked: LogAsked) -> Iterator[bytes]:
    how: dict[str, Any] = {
        "suffix": "err" if asked.errors else "out",
        "tail": asked.tail,
        "follow": asked.follow,
        "encoding": None,
    }
    if asked.actor:
        (actor,) = find(StateResource.ACTORS, asked.actor)
        return get_log(actor_id=actor.actor_id, **how)
    if asked.task:
        last = max(find(StateResource.TASKS, asked.task), key=lambda one: one.attempt_number)
        return get_log(task_id=last.task_id, attempt_number=last.attempt_number, **how)
    if asked.worker:
        (worker,) = find(StateResource.WORKERS, asked.worker)
        return get_log(node_id=worker.node_id, pid=worker.pid, **how)
    return _of_pid(asked, how)


def _of_pid(asked: LogAsked, how: dict[str, Any]) -> Iterator[bytes]:
    """Pids are a machine's: several nodes may have the same."""
    nodes = {node.node_id: node for node in _nodes(asked)}
    workers = list_workers(filters=[("pid", "=", asked.pid or 0)], detail=True)
    found = [worker for worker in workers if worker.node_id in nodes]
    if not found:
        raise CommandFailedError(f"No worker has the pid {asked.pid}: see `raysim list workers`.")
    if len(found) > 1:
        places = ", ".join(f"{one.node_id[:12]} ({nodes[one.node_id].node_ip})" for one in found)
        raise BadInputError(
            f"Several workers have the pid {asked.pid}, on {places}: give --node-id."
        )
    return get_log(node_id=found[0].node_id, pid=asked.pid, **how)


def _nodes(asked: LogAsked) -> list[NodeState]:
    """Raises BadInputError, CommandFailedError where none is as was asked."""
    if asked.node_id and asked.node_ip:
        raise BadInputError("Give one of --node-id and --node-ip.")
    if asked.node_id:
        return find(StateResource.NODES, asked.node_id)
    nodes = list_nodes(limit=RAY_MAX_LIMIT_FROM_API_SERVER)
    found = [node for node in nodes if asked.node_ip in ("", node.node_ip)]
    if not found:
        there = ", ".join(sorted({node.node_ip for node in nodes}))
        raise CommandFailedError(f"No node has the address {asked.node_ip}: there are {there}.")
    return found


def _files(asked: LogAsked) -> Iterator[dict[str, str]]:
    """Whose name, or its last part, is as the pattern."""
    pattern = asked.pattern or "*"
    for node in _nodes(asked):
        try:
            kinds = list_logs(node_id=node.node_id)
        except RayStateApiException as error:  # Others do.
            click.echo(str(error), err=True)
            continue
        for kind, names in kinds.items():
            for name in names:
                if fnmatch(name, pattern) or fnmatch(PurePath(name).name, pattern):
                    yield {"node_id": node.node_id, "kind": kind, "name": name}


def _print(parts: Iterator[bytes]) -> None:
    """As they are: a program may print anything."""
    for part in parts:
        sys.stdout.buffer.write(part)
        sys.stdout.flush()

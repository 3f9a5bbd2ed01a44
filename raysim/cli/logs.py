"""`raysim logs`: which files the processes of a cluster write, and what is in one. Never writes one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import PurePath
from typing import Any

import click

from raysim.cli.connection import BadInputError, CommandFailedError, connected_to
from raysim.cli.rows import DOCUMENTS, WIDEST, as_table
from raysim.cli.state import find
from raysim.util.state.api import list_nodes
from raysim.util.state.logs import get_log, list_logs
from raysim.util.state.options import RAY_MAX_LIMIT_FROM_API_SERVER, StateResource


@dataclass(frozen=True)
class LogAsked:
    """Whose log: a name, or one of the others, ids by their beginnings."""

    pattern: str = ""
    actor: str = ""
    task: str = ""
    worker: str = ""
    errors: bool = False
    tail: int = -1
    follow: bool = False


def logs_command(asked: LogAsked, address: str, output: str) -> int:
    whose = [asked.pattern, asked.actor, asked.task, asked.worker]
    if sum(map(bool, whose)) > 1:
        raise BadInputError("Give one of NAME, --actor, --task and --worker.")
    with connected_to(address):
        if asked.actor or asked.task or asked.worker:
            _print(_of_process(asked))
            return 0
        files = list(_files(asked.pattern or "*"))
        if asked.pattern and len(files) == 1:
            (file,) = files
            how: dict[str, Any] = {"tail": asked.tail, "follow": asked.follow}
            _print(get_log(node_id=file["node_id"], filename=file["name"], errors="replace", **how))
            return 0
        if asked.pattern and not files:
            raise CommandFailedError(
                f"No log file is called {asked.pattern!r}: `raysim logs` shows those on this machine."
            )
        if asked.follow:
            raise BadInputError(f"--follow is for one file, and there are {len(files)}.")
        click.echo(_listed(files) if output == "table" else DOCUMENTS[output](files))
    return 0


def _listed(files: list[dict[str, str]]) -> str:
    """Names are whole, to be given back."""
    return as_table(
        files, ["node_id", "kind", "name"], max([WIDEST, *(len(file["name"]) for file in files)])
    )


def _of_process(asked: LogAsked) -> Iterator[str]:
    how: dict[str, Any] = {
        "suffix": "err" if asked.errors else "out",
        "tail": asked.tail,
        "follow": asked.follow,
        "errors": "replace",
    }
    if asked.actor:
        (actor,) = find(StateResource.ACTORS, asked.actor)
        return get_log(actor_id=actor.actor_id, **how)
    if asked.task:
        last = max(find(StateResource.TASKS, asked.task), key=lambda one: one.attempt_number)
        return get_log(task_id=last.task_id, attempt_number=last.attempt_number, **how)
    (worker,) = find(StateResource.WORKERS, asked.worker)
    return get_log(node_id=worker.node_id, pid=worker.pid, **how)


def _files(pattern: str) -> Iterator[dict[str, str]]:
    """Whose name, or its last part, is as the pattern."""
    for node in list_nodes(limit=RAY_MAX_LIMIT_FROM_API_SERVER):
        for kind, names in list_logs(node_id=node.node_id).items():
            for name in names:
                if fnmatch(name, pattern) or fnmatch(PurePath(name).name, pattern):
                    yield {"node_id": node.node_id, "kind": kind, "name": name}


def _print(parts: Iterator[str]) -> None:
    for part in parts:
        sys.stdout.write(part)
        sys.stdout.flush()

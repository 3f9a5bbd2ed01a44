"""What `raysim timeline`, `stack`, `kill-actor` and, of a cluster, `explain` do. Never their options: see actions."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import click

import raysim
from raysim.api.session import connected
from raysim.cli.connection import BadInputError, CommandFailedError, connected_to
from raysim.cli.state import find
from raysim.spec.ids import ActorId
from raysim.util.state.api import list_actors, list_workers
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.explaining import explain as why
from raysim.util.state.logs import get_log
from raysim.util.state.options import RAY_MAX_LIMIT_FROM_API_SERVER, StateResource

_ENDS_S: Final = 10.0
"""Until an actor that was to end is not waited for any more."""

_WRITES_S: Final = 2.0
"""Until a worker has written what its threads do."""

_LOOK_S: Final = 0.05


def timeline_command(file: Path, address: str) -> int:
    with connected_to(address):
        try:
            raysim.timeline(str(file))
        except OSError as error:
            raise BadInputError(f"{file} cannot be written: {error.strerror}") from error
    click.echo(file)
    return 0


def explain_command(identity: str, as_json: bool, address: str) -> int:
    with connected_to(address):
        found = why(identity)
    click.echo(found.as_json() if as_json else str(found))
    return 0


def kill_actor_command(actor: str, namespace: str, no_restart: bool, address: str) -> int:
    with connected_to(address):
        row = _actor(actor, namespace)
        if row.state == "DEAD":
            raise CommandFailedError(f"Actor {_called(row)} is dead already.")
        before = row.state, row.pid
        connected().kill_actor(ActorId(bytes.fromhex(row.actor_id)), no_restart)
        until = time.monotonic() + _ENDS_S
        while (row.state, row.pid) == before and time.monotonic() < until:
            time.sleep(_LOOK_S)
            [row] = find(StateResource.ACTORS, row.actor_id)
    click.echo(f"Actor {_called(row)}: {row.state}")
    return 0


def _actor(wanted: str, namespace: str) -> Any:
    """By its name among the living, else by what its id begins with."""
    rows = list_actors(limit=RAY_MAX_LIMIT_FROM_API_SERVER, detail=True)
    living = [row for row in rows if row.name and row.state != "DEAD"]
    named = [row for row in living if row.name == wanted]
    found = [row for row in named if not namespace or row.ray_namespace == namespace]
    if len(found) == 1:
        return found[0]
    if len(found) > 1:
        spaces = ", ".join(str(row.ray_namespace) for row in found)
        raise BadInputError(
            f"{len(found)} actors are called {wanted!r}, in the namespaces {spaces}. Give --namespace."
        )
    if not named and wanted and not wanted.lower().strip("0123456789abcdef"):
        return find(StateResource.ACTORS, wanted)[0]
    close = get_close_matches(wanted, [str(row.name) for row in living], n=1)
    near = f" Did you mean {close[0]}?" if close else " `raysim list actors` shows them."
    where = f" in the namespace {namespace!r}" if namespace else ""
    raise CommandFailedError(f"No living actor is called {wanted!r}{where}.{near}")


def _called(row: Any) -> str:
    return f"{row.name or row.class_name} ({row.actor_id[:12]})"


def stack_command(worker: str, address: str) -> int:
    with connected_to(address):
        rows = (
            find(StateResource.WORKERS, worker)
            if worker
            else list_workers(limit=RAY_MAX_LIMIT_FROM_API_SERVER, detail=True)
        )
        rows = [row for row in rows if row.is_alive and Path(f"/proc/{row.pid}").exists()]
        if not rows:
            raise CommandFailedError("None of its workers and drivers runs on this machine.")
        for row in rows:
            click.echo(f"== {row.worker_type.lower()} {row.worker_id[:12]}, pid {row.pid}")
            click.echo(_stack(row))
    return 0


def _stack(row: Any) -> str:
    spy = shutil.which("py-spy")
    if spy is not None:
        dump = [spy, "dump", "--pid", str(row.pid)]
        ended = subprocess.run(dump, capture_output=True, text=True, check=False)
        return ended.stdout if ended.returncode == 0 else ended.stderr
    if not _answers(row.pid):
        return "It cannot be asked. Install py-spy: pip install py-spy"
    return _told(row)


def _answers(pid: int) -> bool:
    """Whether the process has a handler for the signal, which would end it otherwise."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("SigCgt:"):
                return bool(int(line.split()[1], 16) >> (signal.SIGUSR2 - 1) & 1)
    return False


def _told(row: Any) -> str:
    """What it adds to its error output."""
    before = _errors(row)
    os.kill(row.pid, signal.SIGUSR2)
    until, now = time.monotonic() + _WRITES_S, before
    while time.monotonic() < until:
        time.sleep(_LOOK_S)
        now, last = _errors(row), now
        if now != before and now == last:
            break
    return now[len(before) :] or "It has not answered."


def _errors(row: Any) -> str:
    try:
        parts = get_log(node_id=row.node_id, pid=row.pid, suffix="err", tail=-1, errors="replace")
        return "".join(parts)
    except RayStateApiException:
        return ""  # It has written nothing.

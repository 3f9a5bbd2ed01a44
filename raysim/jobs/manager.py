"""Submits jobs, stops them, and tells of them, for a process that is connected to their cluster. Never by HTTP."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import raysim
from raysim.api.job_metadata import settings_of
from raysim.api.session import connected
from raysim.jobs.log import PART_BYTES, delete_log, parts, read_log
from raysim.jobs.supervisor import JobSupervisor, now_ms
from raysim.spec.ids import ActorId
from raysim.spec.state import Noun
from raysim.spec.submission import (
    ACTORS,
    KEYS,
    JobStatus,
    Submission,
    check_id,
    encode,
    unknown,
)
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from raysim.util.state.submitted import as_row, inquiry, submission, submissions, with_submissions

Row = dict[str, Any]

_ANSWER_S: Final = 10.0
"""Until a supervisor that does not answer is killed."""


_ALPHABET: Final = "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without what looks like something else."""


class UnknownJobError(LookupError):
    """No job has this id."""


class RefusedError(RuntimeError):
    """Not of a job that is as it is."""


def submit(asked: Submission, packages: Mapping[str, bytes] | None = None) -> str:
    """Its id. `packages`, by URI, are those of its runtime environment that are not at the cluster yet.

    Raises ValueError for bad values, and for an id that another job has.
    """
    if not asked.entrypoint.strip():
        raise ValueError("A job needs an entrypoint: the command that it runs.")
    settings_of(asked.metadata)  # It fails here, rather than where the program begins.
    if asked.submission_id:
        check_id(asked.submission_id)
    job_id = asked.submission_id or new_id()
    wanted = asked.became(JobStatus.PENDING, submission_id=job_id, start_time=now_ms())
    backend = connected()
    if packages:
        backend.prepare("", packages)
    record = encode(wanted)
    if backend.kv_put(KEYS, wanted.key, record, overwrite=False) != record:
        raise ValueError(
            f"Job with submission_id {job_id} already exists. Please use a different submission_id."
        )
    try:
        _supervise(wanted, record)
    except Exception as error:
        failed = wanted.became(JobStatus.FAILED, str(error), end_time=now_ms())
        backend.kv_put(KEYS, wanted.key, encode(failed), overwrite=True)
        raise
    return job_id


def new_id() -> str:
    """Ray's form."""
    return "raysubmit_" + "".join(secrets.choice(_ALPHABET) for _ in range(16))


def _supervise(wanted: Submission, record: bytes) -> None:
    options: dict[str, Any] = {
        "name": wanted.submission_id,
        "namespace": ACTORS,
        "lifetime": "detached",
        "num_cpus": wanted.num_cpus,
        "num_gpus": wanted.num_gpus,
        "memory": wanted.memory or None,
        "resources": dict(wanted.resources) or None,
        "runtime_env": dict(wanted.runtime_env) or None,
        "label_selector": dict(wanted.labels) or None,
        "enable_task_events": False,
    }
    if wanted.may_run_anywhere:
        head = _head()
        if head is not None:
            options["scheduling_strategy"] = NodeAffinitySchedulingStrategy(head, soft=False)
    given = {name: value for name, value in options.items() if value is not None}
    raysim.remote(JobSupervisor).options(**given).remote(record)


def _head() -> str | None:
    backend = connected()
    for row in backend.inspect(inquiry(backend, Noun.NODES)).rows:
        if row["is_head_node"] and row["state"] == "ALIVE":
            return str(row["node_id"])
    return None


def jobs() -> list[Row]:
    """Submissions and drivers, the latest last."""
    backend = connected()
    rows = backend.inspect(inquiry(backend, Noun.JOBS)).rows
    return sorted(with_submissions(backend, rows), key=lambda row: row["start_time"] or 0)


def job(identity: str) -> Row:
    """By the id of a submission or of a driver's job. Raises UnknownJobError."""
    found = jobs()
    for row in found:
        if identity in (row["submission_id"], row["job_id"]):
            return row
    known = [row["submission_id"] or row["job_id"] for row in found]
    raise UnknownJobError(unknown(identity, known))


def known(submission_id: str) -> Submission:
    """Raises UnknownJobError."""
    found = submission(connected(), submission_id)
    if found is None:
        ids = [one.submission_id for one in submissions(connected())]
        raise UnknownJobError(unknown(submission_id, ids))
    return found


def stop(submission_id: str) -> bool:
    """Whether it was still there to be stopped: it ends soon. Raises UnknownJobError."""
    found = known(submission_id)
    if found.status.is_terminal():
        return False
    backend = connected()
    rows = backend.inspect(inquiry(backend, Noun.ACTORS)).rows
    for row in rows:
        if row["ray_namespace"] == ACTORS and row["name"] == submission_id:
            if row["state"] == "ALIVE":
                return _told_to_stop(submission_id)
            backend.kill_actor(ActorId(bytes.fromhex(row["actor_id"])), no_restart=True)
    stopped = found.became(JobStatus.STOPPED, end_time=now_ms())
    backend.kv_put(KEYS, found.key, encode(stopped), overwrite=True)
    return True


def _told_to_stop(submission_id: str) -> bool:
    try:
        supervisor = raysim.get_actor(submission_id, namespace=ACTORS)
        raysim.get(supervisor.stop.remote(), timeout=_ANSWER_S)
    except (ValueError, raysim.exceptions.ActorDiedError):
        return False  # It has ended meanwhile, and its job with it.
    return True


def delete(submission_id: str) -> bool:
    """Forget one that has ended, with its log. Raises UnknownJobError, RefusedError for one that has not."""
    found = known(submission_id)
    if not found.status.is_terminal():
        raise RefusedError(
            f"Attempted to delete job {submission_id}, but it is in a non-terminal state {found.status}. "
            "Stop it first."
        )
    if _is_here(found):
        delete_log(Path(found.folder), submission_id)
    elif found.folder:
        with contextlib.suppress(
            ValueError, raysim.exceptions.RayError
        ):  # With its node went its log.
            raysim.get(_there(found, delete_log).remote(Path(found.folder), submission_id))
    return connected().kv_delete(KEYS, found.key) == 1


def log(submission_id: str, offset: int = 0, most: int = PART_BYTES) -> tuple[bytes, int]:
    """What its entrypoint has printed from this byte on, and where that ends. Raises UnknownJobError."""
    found = known(submission_id)
    if not found.folder:
        return b"", offset
    folder = Path(found.folder)
    if _is_here(found):
        return read_log(folder, submission_id, offset, most)
    try:
        reading = _there(found, read_log).remote(folder, submission_id, offset, most)
        read: tuple[bytes, int] = raysim.get(reading, timeout=_ANSWER_S)
    except (ValueError, raysim.exceptions.RayError) as error:
        raise RefusedError(
            f"The log of job {submission_id} is on node {found.node_id[:12]}, which does not answer: {error}"
        ) from error
    return read


def _is_here(found: Submission) -> bool:
    return bool(found.folder) and bool(parts(Path(found.folder), found.submission_id))


def _there(found: Submission, function: Any) -> Any:
    """A task on its node."""
    where = NodeAffinitySchedulingStrategy(found.node_id, soft=False)
    options = {"num_cpus": 0, "max_retries": 0, "enable_task_events": False}
    return raysim.remote(function).options(scheduling_strategy=where, **options)


__all__ = [
    "RefusedError",
    "UnknownJobError",
    "as_row",
    "delete",
    "job",
    "jobs",
    "known",
    "log",
    "stop",
    "submit",
]

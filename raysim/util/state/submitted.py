"""Submitted jobs beside drivers, as one table in Ray's words. Changes only a job whose supervisor has died."""

from __future__ import annotations

import time  # noqa: TID251  (records have Unix times, as Ray's)
from collections.abc import Iterable
from typing import Any, Final

from raysim.api.job_metadata import settings_of
from raysim.api.submitted_job import SUBMISSION_ID
from raysim.backend import Backend
from raysim.runtime.state_tables import standing
from raysim.spec.job import JobSettings
from raysim.spec.state import Inquiry, Noun
from raysim.spec.submission import ACTORS, KEYS, JobStatus, Submission, decode, encode

Row = dict[str, Any]

_ASKED_S: Final = 10.0

_BEGUN_MS: Final = 60_000
"""From the record of a job to its supervisor; after that nobody will make one any more."""

_MOST: Final = 1_000_000


def submissions(backend: Backend) -> list[Submission]:
    """All of them. One whose supervisor has died has failed: whoever finds that writes it down."""
    return _settled(backend, _read(backend))


def submission(backend: Backend, submission_id: str) -> Submission | None:
    record = backend.kv_get(KEYS, submission_id.encode()).get(submission_id.encode())
    return None if record is None else _settled(backend, [decode(record)])[0]


def with_submissions(backend: Backend, drivers: Iterable[Row]) -> list[Row]:
    """Rows of jobs: a driver that was submitted is part of its submission."""
    found = {one.submission_id: one for one in submissions(backend)}
    rows, of_submission = [], {}
    for row in drivers:
        submitted = (row["metadata"] or {}).get(SUBMISSION_ID)
        if submitted in found:
            of_submission[submitted] = row  # The latest one, as in Ray.
        else:
            rows.append(row)
    return rows + [as_row(one, of_submission.get(one.submission_id)) for one in found.values()]


def as_row(one: Submission, driver: Row | None) -> Row:
    return {
        "type": "SUBMISSION",
        "job_id": None if driver is None else driver["job_id"],
        "submission_id": one.submission_id,
        "driver_info": None if driver is None else driver["driver_info"],
        "status": str(one.status),
        "entrypoint": one.entrypoint,
        "message": one.message,
        "error_type": one.error_type,
        "start_time": one.start_time,
        "end_time": one.end_time or 0,
        "metadata": dict(one.metadata),
        "runtime_env": dict(one.runtime_env),
        "driver_agent_http_address": None,
        "driver_node_id": one.node_id or None,
        "driver_exit_code": one.exit_code,
        **(standing(settings_of(one.metadata), {}) if driver is None else _standing_of(driver)),
    }


def _standing_of(driver: Row) -> Row:
    return {name: driver[name] for name in standing(JobSettings(), {})}


def inquiry(backend: Backend, noun: Noun) -> Inquiry:
    return Inquiry(noun, _MOST, _ASKED_S, time.time_ns() - round(backend.now() * 1e9))


def _read(backend: Backend) -> list[Submission]:
    return [decode(record) for record in backend.kv_get(KEYS, b"", prefix=True).values()]


def _settled(backend: Backend, found: list[Submission]) -> list[Submission]:
    if all(one.status.is_terminal() for one in found):
        return found
    listing = backend.inspect(inquiry(backend, Noun.ACTORS))
    supervisors = {row["name"]: row for row in listing.rows if row["ray_namespace"] == ACTORS}
    return [_after(backend, one, supervisors.get(one.submission_id)) for one in found]


def _after(backend: Backend, one: Submission, supervisor: Row | None) -> Submission:
    if one.status.is_terminal():
        return one
    now = time.time_ns() // 1_000_000
    if supervisor is None and now - one.start_time < _BEGUN_MS:
        return one
    if supervisor is not None and supervisor["state"] != "DEAD":
        return one
    # It may have written what became of its job before it ended, and after we read.
    again = backend.kv_get(KEYS, one.key).get(one.key)
    if again is None or decode(again).status.is_terminal():
        return one if again is None else decode(again)
    why = "was never made" if supervisor is None else f"died: {_cause(supervisor)}"
    failed = one.became(
        JobStatus.FAILED,
        f"The job's supervisor {why}",
        error_type="JOB_SUPERVISOR_ACTOR_DIED",
        end_time=now,
    )
    backend.kv_put(KEYS, one.key, encode(failed), overwrite=True)
    return failed


def _cause(supervisor: Row) -> str:
    cause = supervisor["death_cause"] or {}
    for context, text in (
        ("actor_died_error_context", "error_message"),
        ("creation_task_failure_context", "formatted_exception_string"),
    ):
        if context in cause:
            return str(cause[context][text])
    return "for reasons that nobody knows any more"

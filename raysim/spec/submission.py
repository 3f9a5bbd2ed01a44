"""What is known of a submitted job: a record under the job's id in the cluster's table of keys. Never its process."""

from __future__ import annotations

import re
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, Final

import msgspec

KEYS: Final = "raysim_jobs"
"""The namespace of the records in the table."""

ACTORS: Final = "_raysim_jobs"
"""The namespace of the supervisors, whose names are the jobs' ids."""

_ID: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
"""A part of a file's name, too."""


class JobStatus(StrEnum):
    """Ray: `ray.job_submission.JobStatus`."""

    PENDING = "PENDING"
    """Its supervisor waits for its place, or for its runtime environment."""
    RUNNING = "RUNNING"
    STOPPED = "STOPPED"
    """By `stop`."""
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"

    def is_terminal(self) -> bool:
        return self in (JobStatus.STOPPED, JobStatus.SUCCEEDED, JobStatus.FAILED)


MESSAGES: Final = {
    JobStatus.PENDING: "Job has not started yet. It waits for its place, or for its runtime environment.",
    JobStatus.RUNNING: "Job is currently running.",
    JobStatus.STOPPED: "Job was intentionally stopped.",
    JobStatus.SUCCEEDED: "Job finished successfully.",
}


class Submission(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Times in ms of Unix time. Ray: `JobInfo`."""

    submission_id: str
    entrypoint: str
    status: JobStatus = JobStatus.PENDING
    message: str = MESSAGES[JobStatus.PENDING]
    error_type: str | None = None
    start_time: int = 0
    end_time: int | None = None
    metadata: dict[str, str] = {}
    runtime_env: dict[str, Any] = {}
    """Its folders replaced by URIs."""
    num_cpus: float = 0
    num_gpus: float = 0
    memory: int = 0
    resources: dict[str, float] = {}
    labels: dict[str, str] = {}
    """Of the node, where it asks for some."""
    node_id: str = ""
    """Where its entrypoint runs, or ran."""
    folder: str = ""
    """Where its log is, there."""
    exit_code: int | None = None

    @property
    def key(self) -> bytes:
        return self.submission_id.encode()

    @property
    def may_run_anywhere(self) -> bool:
        """It asks for nothing, and runs on the head's node. Ray's rule."""
        return not (self.num_cpus or self.num_gpus or self.memory or self.resources or self.labels)

    def became(self, status: JobStatus, message: str = "", **changes: Any) -> Submission:
        text = message or MESSAGES[status]
        return msgspec.structs.replace(self, status=status, message=text, **changes)


encode: Final = msgspec.json.Encoder().encode
decode: Final = msgspec.json.Decoder(Submission).decode


def check_id(submission_id: str) -> None:
    """Raises ValueError."""
    if not _ID.fullmatch(submission_id):
        raise ValueError(
            f"{submission_id!r} is no id for a job: letters, digits, '_', '-' and '.', 128 at most, "
            "the first one no '-' and no '.'."
        )


def unknown(submission_id: str, known: list[str]) -> str:
    """What is said of an id that no job has."""
    close = get_close_matches(submission_id, known, n=1)
    near = f" Did you mean {close[0]}?" if close else ""
    return f"Job {submission_id} does not exist.{near}"

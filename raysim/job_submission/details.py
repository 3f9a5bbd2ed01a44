"""What `JobSubmissionClient` tells of a job. Never asked here."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from raysim.spec.submission import JobStatus


class JobType(StrEnum):
    SUBMISSION = "SUBMISSION"
    """By `raysim job submit` or its like."""
    DRIVER = "DRIVER"
    """A program that was started by hand."""


class DriverInfo(msgspec.Struct, frozen=True):
    id: str
    """Of its job."""
    node_ip_address: str
    pid: str


class JobDetails(msgspec.Struct, frozen=True, kw_only=True):
    """Times in ms of Unix time. Ray: `ray.job_submission.JobDetails`."""

    type: JobType
    job_id: str | None = None
    """Of its driver, once there is one."""
    submission_id: str | None = None
    driver_info: DriverInfo | None = None
    status: JobStatus
    entrypoint: str
    message: str | None = None
    error_type: str | None = None
    start_time: int | None = None
    end_time: int | None = None
    metadata: dict[str, str] | None = None
    runtime_env: dict[str, Any] | None = None
    driver_agent_http_address: str | None = None
    driver_node_id: str | None = None
    driver_exit_code: int | None = None
    priority: int | None = None
    """This and what follows is none of Ray's: Ray's has it as metadata at best."""
    quota: dict[str, float] | None = None
    """Resource to what it may have at once in the whole cluster; None: it has no quota."""
    quota_used: dict[str, float] | None = None


JobInfo = JobDetails
"""Ray's older name."""

"""Jobs of a cluster, from anywhere: submitted, followed, stopped. Ray: `ray.job_submission`. Never the jobs."""

from raysim.job_submission.client import JobSubmissionClient
from raysim.job_submission.details import DriverInfo, JobDetails, JobInfo, JobType
from raysim.spec.submission import JobStatus

__all__ = [
    "DriverInfo",
    "JobDetails",
    "JobInfo",
    "JobStatus",
    "JobSubmissionClient",
    "JobType",
]

"""A job as a client asks for it by HTTP, in Ray's words. Never sent or served here."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from raysim.spec.submission import Submission

NEXT: Final = "X-Raysim-Next-Offset"
"""Header of a part of a log: the byte after it."""


class Asked(msgspec.Struct, kw_only=True, omit_defaults=True):
    entrypoint: str
    submission_id: str | None = None
    job_id: str | None = None
    """Ray's older name for it."""
    runtime_env: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    entrypoint_num_cpus: float | None = None
    entrypoint_num_gpus: float | None = None
    entrypoint_memory: int | None = None
    entrypoint_resources: dict[str, float] | None = None
    entrypoint_label_selector: dict[str, str] | None = None

    def submission(self) -> Submission:
        return Submission(
            submission_id=self.submission_id or self.job_id or "",
            entrypoint=self.entrypoint,
            metadata=self.metadata or {},
            runtime_env=self.runtime_env or {},
            num_cpus=self.entrypoint_num_cpus or 0,
            num_gpus=self.entrypoint_num_gpus or 0,
            memory=self.entrypoint_memory or 0,
            resources=self.entrypoint_resources or {},
            labels=self.entrypoint_label_selector or {},
        )


def asked_for(wanted: Submission) -> Asked:
    return Asked(
        entrypoint=wanted.entrypoint,
        submission_id=wanted.submission_id or None,
        runtime_env=wanted.runtime_env,
        metadata=wanted.metadata,
        entrypoint_num_cpus=wanted.num_cpus,
        entrypoint_num_gpus=wanted.num_gpus,
        entrypoint_memory=wanted.memory,
        entrypoint_resources=wanted.resources,
        entrypoint_label_selector=wanted.labels,
    )

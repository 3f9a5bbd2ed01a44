"""What a program is told of the job that it was submitted as, by its environment. Never who submitted it."""

import os
from collections.abc import Mapping
from typing import Any, Final

import msgspec

VARIABLE: Final = "RAY_JOB_CONFIG_JSON_ENV_VAR"
"""Has a SubmittedJob as JSON. Ray's."""

SUBMISSION_ID: Final = "job_submission_id"
"""Of the metadata. Ray's."""


class SubmittedJob(msgspec.Struct, frozen=True):
    runtime_env: dict[str, Any] = {}
    """That the entrypoint runs in, its folders replaced by URIs."""
    metadata: dict[str, str] = {}


def submitted_job() -> SubmittedJob:
    """Nothing, where the program was started by hand. Raises ValueError for what nobody of us has written."""
    text = os.environ.get(VARIABLE)
    if not text:
        return SubmittedJob()
    try:
        return msgspec.json.decode(text, type=SubmittedJob)
    except msgspec.DecodeError as error:
        raise ValueError(f"The environment variable {VARIABLE} is no job: {error}") from error


def with_submitted(own: Mapping[str, Any] | None, told: Mapping[str, Any]) -> dict[str, Any]:
    """The environment of a program's job: what `init` was given beside what it was submitted with.

    Raises ValueError where both say something of one field, or of one variable. Ray's rule.
    """
    own = own or {}
    variables = {**told.get("env_vars", {}), **own.get("env_vars", {})}
    both = [name for name in own if name in told and name != "env_vars"]
    both += [name for name in own.get("env_vars", {}) if name in told.get("env_vars", {})]
    if both:
        raise ValueError(
            f"init(runtime_env=...) and the runtime environment that this job was submitted with both have "
            f"{', '.join(both)}. Leave it out of one of them."
        )
    return {**told, **own, **({"env_vars": variables} if variables else {})}

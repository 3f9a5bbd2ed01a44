"""Arguments of a job, as programs give them to raysim's `init`, as Ray's classes. Never a job."""

from collections.abc import Mapping
from typing import Any

import ray
import ray.job_config

from raysim.api.job_config import JobConfig
from raysim.api.logging_config import LoggingConfig


def theirs(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """What is none of raysim's classes stays as it is."""
    return {name: _theirs(value) for name, value in arguments.items()}


def _theirs(value: Any) -> Any:
    if isinstance(value, LoggingConfig):
        return ray.LoggingConfig(**value.to_dict())
    if isinstance(value, JobConfig):
        made = ray.job_config.JobConfig(
            jvm_options=value.jvm_options,
            code_search_path=list(value.code_search_path),
            runtime_env=dict(value.runtime_env),
            metadata=value.metadata,
            ray_namespace=value.ray_namespace,
            default_actor_lifetime="detached" if value.makes_detached else "non_detached",
        )
        made.set_py_logging_config(_theirs(value.py_logging_config))
        return made
    return value

"""Arguments of `init` that say what a job is: its environment, namespace, logging. Never starts it: see session.

What is the driver's own affair, its loggers, is done here.
"""

import logging
import os
from collections.abc import Mapping
from typing import Any

import msgspec

from raysim.api.job_config import JobConfig
from raysim.api.job_metadata import settings_of
from raysim.api.logging_config import LoggingConfig
from raysim.api.submitted_job import SubmittedJob, submitted_job, with_submitted
from raysim.runtime.logs import FORMAT, OWN, configure, configure_own
from raysim.spec.job import JobSettings, Logging

ENCODING = "RAY_LOGGING_CONFIG_ENCODING"
"""Environment variable that has a LoggingConfig made of its value. Ray's."""

TO_DRIVER = "RAY_LOG_TO_DRIVER"
"""Environment variable for where `log_to_driver` is not given; `0` is no. Ray's."""

LEVEL = "RAY_LOGGER_LEVEL"
"""Environment variable for where `logging_level` is not given. Ray's."""

JOB = ("job_config", "logging_config")
"""Arguments that end here."""

DRIVER = ("configure_logging", "logging_format", "logging_level", "log_to_driver")
"""Arguments for this process."""


class JobArguments(msgspec.Struct, frozen=True):
    """Ray's rules applied: what `init` is given itself goes before what its `job_config` has."""

    runtime_env: Mapping[str, Any] | None
    namespace: str | None
    settings: JobSettings
    log_to_driver: bool
    metadata: dict[str, str]


def job_arguments(
    rest: Mapping[str, Any],
    runtime_env: Mapping[str, Any] | None,
    namespace: str | None,
    submitted: bool = True,
) -> JobArguments:
    """`submitted`: with what this process was told of the job it was submitted as, if it was.

    Raises TypeError, and ValueError for what is not supported.
    """
    config = rest.get("job_config") or JobConfig()
    if not isinstance(config, JobConfig):
        raise TypeError(f"job_config must be a JobConfig, but it is {type(config)}.")
    for name in ("jvm_options", "code_search_path"):
        if getattr(config, name):
            raise ValueError(
                f"JobConfig({name}=...) is for calls into other languages, which raysim does not have. "
                "Leave it out."
            )
    if rest.get("logging_config"):
        config.ensure_logging_config(rest["logging_config"])
    elif ENCODING in os.environ:
        config.ensure_logging_config(LoggingConfig(encoding=os.environ[ENCODING]))
    logs = config.py_logging_config
    to_driver = rest.get("log_to_driver")
    if to_driver is None:
        to_driver = os.environ.get(TO_DRIVER) != "0"
    told = submitted_job() if submitted else SubmittedJob()
    metadata = {**config.metadata, **told.metadata}  # Who submits a job has the last word on it.
    return JobArguments(
        with_submitted(runtime_env or config.runtime_env, told.runtime_env) or None,
        namespace or config.ray_namespace,
        msgspec.structs.replace(
            settings_of(metadata),
            detached=config.makes_detached,
            logging=None if logs is None else logs.settings(),
        ),
        bool(to_driver),
        metadata,
    )


def configure_driver(rest: Mapping[str, Any], root: Logging | None) -> None:
    """The loggers of this process. `root`: how the program's write; None: that is not ours to say."""
    if rest.get("configure_logging", True):
        level = rest.get("logging_level")
        format_ = rest.get("logging_format") or FORMAT
        configure_own(os.environ.get(LEVEL, "info") if level is None else level, format_)
    else:
        for name in OWN:
            logging.getLogger(name).handlers.clear()
    if root is not None:
        configure(root)

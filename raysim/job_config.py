"""Ray's place for `JobConfig`. Defines nothing."""

from raysim.api.job_config import JobConfig
from raysim.api.logging_config import LoggingConfig

__all__ = ["JobConfig", "LoggingConfig"]

"""`ray.runtime_env`: RuntimeEnv and RuntimeEnvConfig. Never sets an environment up."""

from raysim.api.env_fields import RuntimeEnvConfig
from raysim.api.runtime_env import RuntimeEnv

__all__ = ["RuntimeEnv", "RuntimeEnvConfig"]

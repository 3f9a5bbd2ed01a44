"""`ray.runtime_env`: RuntimeEnv and RuntimeEnvConfig. Never sets an environment up."""

from raysim.api.runtime_env import RuntimeEnv, RuntimeEnvConfig

__all__ = ["RuntimeEnv", "RuntimeEnvConfig"]

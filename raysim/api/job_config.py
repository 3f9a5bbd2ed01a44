"""`JobConfig` as users give it to `init`. Never a job: see job_arguments for what `init` makes of it."""

from collections.abc import Mapping
from typing import Any

from raysim.api.logging_config import LoggingConfig

LIFETIMES = ("detached", "non_detached")


class JobConfig:
    """What holds for a job. Ray: `ray.job_config.JobConfig`.

    `runtime_env`, `metadata` (any), `ray_namespace`, `default_actor_lifetime` (`detached` or `non_detached`).
    Raises ValueError or TypeError. `init` refuses `jvm_options` and `code_search_path`, which are for calls
    into other languages.
    """

    def __init__(
        self,
        jvm_options: list[str] | None = None,
        code_search_path: list[str] | tuple[str, ...] | None = None,
        runtime_env: Mapping[str, Any] | None = None,
        _client_job: bool = False,
        metadata: dict[str, str] | None = None,
        ray_namespace: str | None = None,
        default_actor_lifetime: str = "non_detached",
        _disable_job_level_lineage_reconstruction: bool = False,
        _py_driver_sys_path: list[str] | None = None,
    ) -> None:
        if not isinstance(code_search_path or [], list | tuple):
            raise TypeError(f"The type of code search path is incorrect: {type(code_search_path)}")
        self.jvm_options = jvm_options or []
        self.code_search_path = code_search_path or []
        self._client_job = _client_job
        self.metadata = metadata or {}
        self.ray_namespace = ray_namespace
        self.set_runtime_env(runtime_env)
        self.set_default_actor_lifetime(default_actor_lifetime)
        self._disable_job_level_lineage_reconstruction = _disable_job_level_lineage_reconstruction
        self._py_driver_sys_path = _py_driver_sys_path or []
        self.py_logging_config: LoggingConfig | None = None

    def set_metadata(self, key: str, value: str) -> None:
        self.metadata[key] = value

    def set_runtime_env(
        self, runtime_env: Mapping[str, Any] | None, validate: bool = False
    ) -> None:
        self.runtime_env: Mapping[str, Any] = runtime_env if runtime_env is not None else {}
        if validate:
            from raysim.api.runtime_env import RuntimeEnv

            self.runtime_env = RuntimeEnv(**self.runtime_env)

    def set_py_logging_config(self, logging_config: LoggingConfig | None = None) -> None:
        self.py_logging_config = logging_config

    def ensure_logging_config(
        self, logging_config: Mapping[str, Any] | LoggingConfig | None = None
    ) -> None:
        """Only where none was set before. Raises TypeError."""
        if logging_config is None or self.py_logging_config is not None:
            return
        if isinstance(logging_config, Mapping):
            logging_config = LoggingConfig.from_dict(logging_config)
        elif not isinstance(logging_config, LoggingConfig):
            raise TypeError(
                f"logging_config must be a dict or LoggingConfig, got {type(logging_config)}"
            )
        self.set_py_logging_config(logging_config)

    def set_ray_namespace(self, ray_namespace: str) -> None:
        self.ray_namespace = ray_namespace

    def set_default_actor_lifetime(self, default_actor_lifetime: str) -> None:
        if default_actor_lifetime not in LIFETIMES:
            raise ValueError(
                "Default actor lifetime must be one of `detached`, `non_detached`, but it is "
                f"{default_actor_lifetime!r}"
            )
        self._default_actor_lifetime = default_actor_lifetime

    @property
    def makes_detached(self) -> bool:
        return self._default_actor_lifetime == "detached"

    @classmethod
    def from_json(cls, job_config_json: Mapping[str, Any]) -> "JobConfig":
        """Of a dict with these fields; others are ignored."""
        given = job_config_json.get
        return cls(
            jvm_options=given("jvm_options"),
            code_search_path=given("code_search_path"),
            runtime_env=given("runtime_env"),
            metadata=given("metadata"),
            ray_namespace=given("ray_namespace"),
            _disable_job_level_lineage_reconstruction=given(
                "disable_job_level_lineage_reconstruction", False
            ),
            _client_job=given("client_job", False),
            _py_driver_sys_path=given("py_driver_sys_path"),
        )

"""The fields of a `runtime_env`, and what each may be. Never what becomes of them: see runtime_env.

The checks, and what they raise, are Ray's (`ray/_private/runtime_env/validation.py`).
"""

import difflib
import os
from collections.abc import Callable
from typing import Any

from raysim.api.env_packages import conda, container, image_uri, installer, is_list_of_strings
from raysim.spec.runtime_env import FILE_SCHEME, LOCAL_SCHEME, PACKAGE_SCHEME, WEB_SCHEMES

UNSUPPORTED = {
    "java_jars": "raysim runs Python only.",
    "nsight": "Start the workers under the profiler with py_executable instead.",
    "_nsight": "Start the workers under the profiler with py_executable instead.",
    "rocprof_sys": "Start the workers under the profiler with py_executable instead.",
    "_rocprof_sys": "Start the workers under the profiler with py_executable instead.",
}
"""Ray's fields that raysim refuses, and what to do instead."""

ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar.xz")
"""How the URIs and files of packages end."""

WHEEL = ".whl"

IGNORED = ("_ray_commit", "_ray_release", "_inject_current_ray")
"""Ray's fields for its own tests."""


class RuntimeEnvConfig(dict[str, Any]):
    """How a runtime environment is set up. Ray: `ray.runtime_env.RuntimeEnvConfig`.

    `setup_timeout_seconds` (-1: as long as it takes), `eager_install` (set up when the job begins).
    """

    known_fields = frozenset({"setup_timeout_seconds", "eager_install", "log_files"})

    def __init__(
        self,
        setup_timeout_seconds: int = 600,
        eager_install: bool = True,
        log_files: list[str] | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(setup_timeout_seconds, int):
            raise TypeError(
                f"setup_timeout_seconds must be of type int, got: {type(setup_timeout_seconds)}"
            )
        if setup_timeout_seconds <= 0 and setup_timeout_seconds != -1:
            raise ValueError(
                "setup_timeout_seconds must be greater than zero or equals to -1, got: "
                f"{setup_timeout_seconds}"
            )
        if not isinstance(eager_install, bool):
            raise TypeError(f"eager_install must be a boolean. got {type(eager_install)}")
        if log_files is not None and not is_list_of_strings(log_files):
            raise TypeError(f"log_files must be a list of strings or None, got {log_files!r}.")
        self["setup_timeout_seconds"] = setup_timeout_seconds
        self["eager_install"] = eager_install
        self["log_files"] = log_files or []

    def to_dict(self) -> dict[str, Any]:
        return dict(self)


def is_uri(path: str) -> bool:
    return path.startswith((PACKAGE_SCHEME, FILE_SCHEME, LOCAL_SCHEME, *WEB_SCHEMES))


def refusal(name: str) -> str:
    if name in UNSUPPORTED:
        return f"runtime_env[{name!r}] is not supported by raysim. {UNSUPPORTED[name]}"
    near = difflib.get_close_matches(name, CHECKS, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    known = ", ".join(sorted(CHECKS))
    return f"runtime_env has no field {name!r}. {hint}Its fields are {known}."


def _env_vars(value: Any) -> dict[str, str] | None:
    if not isinstance(value, dict):
        raise TypeError(
            f"runtime_env['env_vars'] must be of type Dict[str, str], got {type(value)}"
        )
    for key, one in value.items():
        for what, text in (("key", key), ("value", one)):
            if not isinstance(text, str):
                raise TypeError(
                    f"runtime_env['env_vars'] must be of type Dict[str, str], but the {what} {text} is of "
                    f"type {type(text)}"
                )
    return dict(value) or None


def _excludes(value: Any) -> list[str] | None:
    if not is_list_of_strings(value):
        raise TypeError(f"runtime_env['excludes'] must be of type List[str], got {type(value)}")
    return list(value) or None


def _working_dir(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`working_dir` must be a string, got {type(value)}.")
    _check_source("working_dir", value)
    return value


def _py_modules(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"`py_modules` must be a list of strings, got {type(value)}.")
    for one in value:
        if not isinstance(one, str):
            raise TypeError(f"`py_module` must be a string, got {type(one)}.")
        _check_source("py_modules", one)
    return list(value)


def _check_source(field: str, source: str) -> None:
    """A path, or the URI of an archive or of a folder."""
    scheme, separator, _ = source.partition("://")
    if not separator:
        if not os.path.exists(source):
            raise ValueError(f"{source} is not a valid path.")
        return
    if not is_uri(source):
        raise ValueError(
            f"runtime_env: {scheme}:// is not supported by raysim. Give a local path to init(), an https:// "
            f"URI, or a {FILE_SCHEME} URI of what lies on every node."
        )
    if source.startswith(LOCAL_SCHEME):
        if not os.path.isabs(source.removeprefix(LOCAL_SCHEME)):
            raise ValueError(
                f"{source} must name a folder from the root: {LOCAL_SCHEME}/some/folder."
            )
        return
    path = source.partition("?")[0]
    suffixes = [*ARCHIVES, *([WHEEL] if field == "py_modules" else [])]
    if not path.endswith(tuple(suffixes)):
        raise ValueError(f"{field}: {path} must end in one of {', '.join(suffixes)}.")


def _py_executable(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise TypeError(
            f"runtime_env['py_executable'] must be a command that starts Python, got {value!r}."
        )
    return value


def _hook(value: Any) -> Any:
    if isinstance(value, str) and "." not in value.strip("."):
        raise ValueError(
            f"worker_process_setup_hook {value!r} is not a path to import from, such as 'package.module.hook'."
        )
    if not isinstance(value, str) and not callable(value):
        raise TypeError(f"worker_process_setup_hook must be a function, got {type(value)}.")
    return value


def _config(value: Any) -> RuntimeEnvConfig:
    if isinstance(value, RuntimeEnvConfig):
        return value
    if not isinstance(value, dict):
        raise TypeError(
            f"runtime_env['config'] must be of type dict or RuntimeEnvConfig, got: {type(value)}"
        )
    unknown = [name for name in value if name not in RuntimeEnvConfig.known_fields]
    if unknown:
        raise ValueError(
            f"runtime_env['config'] has no {unknown[0]!r}. It has "
            f"{', '.join(sorted(RuntimeEnvConfig.known_fields))}."
        )
    return RuntimeEnvConfig(**value)


CHECKS: dict[str, Callable[[Any], Any]] = {
    "conda": conda,
    "config": _config,
    "container": container,
    "env_vars": _env_vars,
    "excludes": _excludes,
    "image_uri": image_uri,
    "pip": installer(
        "pip",
        {"pip_check": bool, "pip_version": str, "pip_install_options": list},
        takes_file=True,
        usual={},
    ),
    "py_executable": _py_executable,
    "py_modules": _py_modules,
    "uv": installer(
        "uv",
        {"uv_check": bool, "uv_version": str, "uv_pip_install_options": list},
        takes_file=False,
        usual={"uv_pip_install_options": ["--no-cache"]},
    ),
    "worker_process_setup_hook": _hook,
    "working_dir": _working_dir,
}

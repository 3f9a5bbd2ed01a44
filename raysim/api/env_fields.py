"""The fields of a `runtime_env`, and what each may be. Never what becomes of them: see runtime_env.

The checks, and what they raise, are Ray's (`ray/_private/runtime_env/validation.py`).
"""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from raysim.spec.runtime_env import FILE_SCHEME, PACKAGE_SCHEME

UNSUPPORTED = {
    "conda": "Use pip or uv.",
    "container": "Start the nodes in containers instead.",
    "image_uri": "Start the nodes in containers instead.",
    "java_jars": "raysim runs Python only.",
    "nsight": "Start the nodes under the profiler instead.",
    "_nsight": "Start the nodes under the profiler instead.",
    "rocprof_sys": "Start the nodes under the profiler instead.",
    "_rocprof_sys": "Start the nodes under the profiler instead.",
    "py_executable": "Use pip or uv.",
}
"""Ray's fields that raysim refuses, and what to do instead."""

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
        if log_files is not None and not _is_list_of_strings(log_files):
            raise TypeError(f"log_files must be a list of strings or None, got {log_files!r}.")
        self["setup_timeout_seconds"] = setup_timeout_seconds
        self["eager_install"] = eager_install
        self["log_files"] = log_files or []

    def to_dict(self) -> dict[str, Any]:
        return dict(self)


def is_uri(path: str) -> bool:
    return path.startswith((PACKAGE_SCHEME, FILE_SCHEME))


def refusal(name: str) -> str:
    if name in UNSUPPORTED:
        return f"runtime_env[{name!r}] is not supported by raysim. {UNSUPPORTED[name]}"
    near = difflib.get_close_matches(name, CHECKS, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    known = ", ".join(sorted(CHECKS))
    return f"runtime_env has no field {name!r}. {hint}Its fields are {known}."


def _is_list_of_strings(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


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
    if not _is_list_of_strings(value):
        raise TypeError(f"runtime_env['excludes'] must be of type List[str], got {type(value)}")
    return list(value) or None


def _working_dir(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"`working_dir` must be a string, got {type(value)}.")
    _check_path(value)
    return value


def _py_modules(value: Any) -> list[str]:
    if not isinstance(value, list):
        raise TypeError(f"`py_modules` must be a list of strings, got {type(value)}.")
    for one in value:
        if not isinstance(one, str):
            raise TypeError(f"`py_module` must be a string, got {type(one)}.")
        _check_path(one)
    return list(value)


def _check_path(path: str) -> None:
    scheme, separator, _ = path.partition("://")
    if separator and not is_uri(path):
        raise ValueError(
            f"runtime_env: {scheme}:// is not supported by raysim. Give a local path to init(), or a "
            f"{FILE_SCHEME} URI of what lies on every node."
        )
    if not separator and not os.path.exists(path):
        raise ValueError(f"{path} is not a valid path.")


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


def _packages_check(
    tool: str, options: dict[str, type], takes_file: bool
) -> Callable[[Any], dict[str, Any] | None]:
    """Of `pip` or `uv`: a list, a requirements file, or a dict of both and options."""

    def check(value: Any) -> dict[str, Any] | None:
        if isinstance(value, str):
            value = _requirements(value)
        if _is_list_of_strings(value):
            value = {"packages": value}
        if not isinstance(value, dict):
            raise TypeError(
                f"runtime_env['{tool}'] must be of type str or List[str], got {type(value)}"
            )
        known = ["packages", *options]
        if set(value) - set(known):
            raise ValueError(
                f"runtime_env['{tool}'] can only have these fields: {', '.join(known)}, but got: {list(value)}"
            )
        if "packages" not in value:
            raise ValueError(
                f"runtime_env['{tool}'] must include field 'packages', but got {value}"
            )
        packages = value["packages"]
        if takes_file and isinstance(packages, str):
            packages = _requirements(packages)
        if not isinstance(packages, list):
            raise ValueError(
                f"runtime_env['{tool}']['packages'] must be of type list, got: {type(packages)}"
            )
        if not _is_list_of_strings(packages):
            raise TypeError(f"runtime_env['{tool}']['packages'] must be of type list[str].")
        for name, kind in options.items():
            wrong = name in value and not isinstance(value[name], kind)
            if wrong or (kind is list and name in value and not _is_list_of_strings(value[name])):
                raise TypeError(
                    f"runtime_env['{tool}']['{name}'] must be of type "
                    f"{'list[str]' if kind is list else kind.__name__}, got {type(value[name])}"
                )
        if not packages:
            return None
        return {f"{tool}_check": False, **value, "packages": list(dict.fromkeys(packages))}

    return check


def _requirements(file: str) -> list[str]:
    path = Path(file)
    if not path.is_file():
        raise ValueError(f"{path} is not a valid file")
    lines = [line.strip() for line in path.read_text("utf-8").splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


CHECKS: dict[str, Callable[[Any], Any]] = {
    "config": _config,
    "env_vars": _env_vars,
    "excludes": _excludes,
    "pip": _packages_check(
        "pip", {"pip_check": bool, "pip_version": str, "pip_install_options": list}, takes_file=True
    ),
    "py_modules": _py_modules,
    "uv": _packages_check(
        "uv",
        {"uv_check": bool, "uv_version": str, "uv_pip_install_options": list},
        takes_file=False,
    ),
    "worker_process_setup_hook": _hook,
    "working_dir": _working_dir,
}

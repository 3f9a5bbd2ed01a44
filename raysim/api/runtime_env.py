"""`runtime_env` as users give it: checked, and made into what workers are told apart by. Never sets one up.

The checks, and what they raise, are Ray's (`ray/_private/runtime_env/validation.py`). What Ray has and
raysim has not is refused by name.
"""

import difflib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from raysim.runtime.setup_hook import pickled_hook
from raysim.spec.runtime_env import FILE_SCHEME, PACKAGE_SCHEME, write_env

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

NO_URI = (
    "is not a valid URI. Passing directories or modules to be dynamically uploaded is only supported "
    "at the job level (i.e., passed to `ray.init`)."
)


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


class RuntimeEnv(dict[str, Any]):
    """What the workers of a job, a task or an actor have besides a plain one's. Ray: `ray.runtime_env.RuntimeEnv`.

    `env_vars`, `working_dir` (a folder or a `.zip`), `py_modules` (folders, `.py` files, wheels), `excludes`,
    `pip`, `uv`, `worker_process_setup_hook`, `config`. Raises ValueError or TypeError.
    """

    known_fields = frozenset(
        {
            "config",
            "env_vars",
            "excludes",
            "pip",
            "py_modules",
            "uv",
            "worker_process_setup_hook",
            "working_dir",
        }
    )

    def __init__(self, *, _validate: bool = True, **fields: Any) -> None:
        super().__init__()
        for name, value in fields.items():
            if value is None or name in IGNORED:
                continue
            if _validate:
                self[name] = value
            else:
                super().__setitem__(name, value)
        if "pip" in self and "uv" in self:
            raise ValueError(
                "The 'pip' field, 'uv' field, and 'conda' field of runtime_env cannot be specified at the "
                f"same time.\nspecified pip field: {self['pip']}\nspecified uv field: {self['uv']}"
            )

    def __setitem__(self, name: str, value: Any) -> None:
        check = _CHECKS.get(name)
        if check is None:
            raise ValueError(_refusal(name))
        checked = check(value)
        if checked is not None:
            super().__setitem__(name, checked)

    def set(self, name: str, value: Any) -> None:
        self[name] = value

    def to_dict(self) -> dict[str, Any]:
        return {
            name: value.to_dict() if isinstance(value, RuntimeEnvConfig) else value
            for name, value in self.items()
        }

    def serialize(self) -> str:
        return json.dumps(self, sort_keys=True)

    @classmethod
    def deserialize(cls, serialized_runtime_env: str) -> "RuntimeEnv":
        return cls(_validate=False, **json.loads(serialized_runtime_env))


def job_env(given: Mapping[str, Any]) -> tuple[str, dict[str, bytes]]:
    """Of a job: the text of the environment, and the packages by URI that have to be uploaded.

    Raises ValueError or TypeError.
    """
    packages: dict[str, bytes] = {}
    fields = dict(given)
    modules = fields.pop("py_modules", None)
    env = RuntimeEnv(**fields)
    excludes = env.pop("excludes", [])
    if "working_dir" in env:
        env["working_dir"] = _uploaded_dir(env["working_dir"], excludes, packages)
    if modules is not None:
        if not isinstance(modules, list):
            raise TypeError(f"`py_modules` must be a list of strings, got {type(modules)}.")
        env["py_modules"] = [_uploaded_module(one, excludes, packages) for one in modules]
    return _text(env), packages


def call_env(given: Mapping[str, Any] | None) -> str:
    """Of a task or an actor: the text of what it asks for itself. Raises ValueError or TypeError."""
    if not given:
        return ""
    env = RuntimeEnv(**given)
    env.pop("excludes", None)
    for path in [*env.get("py_modules", []), *filter(None, [env.get("working_dir")])]:
        if not _is_uri(path):
            raise ValueError(f"{path} {NO_URI}")
    if callable(env.get("worker_process_setup_hook")):
        raise TypeError(
            "A function as worker_process_setup_hook is only supported at the job level (i.e., passed to "
            "`ray.init`). Give the path to import it from."
        )
    return _text(env)


def _text(env: RuntimeEnv) -> str:
    fields = env.to_dict()
    hook = fields.get("worker_process_setup_hook")
    if callable(hook):
        fields["worker_process_setup_hook"] = getattr(hook, "__name__", type(hook).__name__)
        fields["_setup_hook"] = pickled_hook(hook)
    return write_env(fields)


# Packages


def _is_uri(path: str) -> bool:
    return path.startswith((PACKAGE_SCHEME, FILE_SCHEME))


def _uploaded_dir(path: str, excludes: list[str], packages: dict[str, bytes]) -> str:
    if _is_uri(path):
        return path
    # Imported here: 20 ms, which only those pay that upload something.
    from raysim.api.packages import pack_archive, pack_folder

    source = Path(path)
    if source.is_dir():
        uri, data = pack_folder(source, excludes)
    elif source.suffix == ".zip" and source.is_file():
        uri, data = pack_archive(source)
    else:
        raise ValueError(f"directory {path} must be an existing directory or a .zip file")
    packages[uri] = data
    return uri


def _uploaded_module(module: object, excludes: list[str], packages: dict[str, bytes]) -> str:
    path = _path_of(module)
    if _is_uri(path):
        return path
    from raysim.api.packages import pack_archive, pack_folder, pack_module_file

    source = Path(path)
    if source.is_dir():
        uri, data = pack_folder(source, excludes, as_module=True)
    elif source.suffix == ".py" and source.is_file():
        uri, data = pack_module_file(source)
    elif source.suffix == ".whl" and source.is_file():
        uri, data = pack_archive(source)
    else:
        raise ValueError(f"py_modules: {path} is no folder, .py file or .whl file.")
    packages[uri] = data
    return uri


def _path_of(module: object) -> str:
    match module:
        case str() | Path():
            return str(module)
        case ModuleType(__path__=[path]):
            return str(path)
        case ModuleType(__file__=str() as file):
            return file
        case ModuleType():
            raise ValueError(
                f"py_modules: {module.__name__} lies in no one place. Give the paths of its folders."
            )
    raise TypeError(
        f"py_modules must be a list of file paths, URIs, or imported modules, got {type(module)}."
    )


# Checks


def _refusal(name: str) -> str:
    if name in UNSUPPORTED:
        return f"runtime_env[{name!r}] is not supported by raysim. {UNSUPPORTED[name]}"
    near = difflib.get_close_matches(name, RuntimeEnv.known_fields, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    known = ", ".join(sorted(RuntimeEnv.known_fields))
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
    if separator and not _is_uri(path):
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


_CHECKS: dict[str, Callable[[Any], Any]] = {
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

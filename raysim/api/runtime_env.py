"""`runtime_env` as users give it: checked, and made into what workers are told apart by. Never sets one up.

What Ray has and raysim has not is refused by name: see env_fields.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

from raysim.api.env_fields import (
    ARCHIVES,
    CHECKS,
    IGNORED,
    WHEEL,
    RuntimeEnvConfig,
    is_uri,
    refusal,
)
from raysim.runtime.setup_hook import pickled_hook
from raysim.spec.runtime_env import conflict, write_env

NO_URI = (
    "is not a valid URI. Passing directories or modules to be dynamically uploaded is only supported "
    "at the job level (i.e., passed to `ray.init`)."
)


class RuntimeEnv(dict[str, Any]):
    """What the workers of a job, a task or an actor have besides a plain one's. Ray: `ray.runtime_env.RuntimeEnv`.

    `env_vars`, `working_dir` (a folder or an archive), `py_modules` (folders, `.py` files, wheels), `excludes`,
    `pip`, `uv`, `conda`, `py_executable`, `image_uri`, `container`, `worker_process_setup_hook`, `config`.
    Raises ValueError or TypeError.
    """

    known_fields = frozenset(CHECKS)

    def __init__(self, *, _validate: bool = True, **fields: Any) -> None:
        super().__init__()
        for name, value in fields.items():
            if value is None or name in IGNORED:
                continue
            if _validate:
                self[name] = value
            else:
                super().__setitem__(name, value)
        if _validate:
            self._check_together()

    def _check_together(self) -> None:
        problem = conflict(self)
        if problem:
            raise ValueError(problem)

    def __setitem__(self, name: str, value: Any) -> None:
        check = CHECKS.get(name)
        if check is None:
            raise ValueError(refusal(name))
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
        if not is_uri(path):
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


def _uploaded_dir(path: str, excludes: list[str], packages: dict[str, bytes]) -> str:
    if is_uri(path):
        return path
    # Imported here: 20 ms, which only those pay that upload something.
    from raysim.api.packages import pack_archive, pack_folder

    source = Path(path)
    if source.is_dir():
        uri, data = pack_folder(source, excludes)
    elif source.name.endswith(ARCHIVES) and source.is_file():
        uri, data = pack_archive(source)
    else:
        raise ValueError(
            f"directory {path} must be an existing directory or a file of one of the kinds "
            f"{', '.join(ARCHIVES)}"
        )
    packages[uri] = data
    return uri


def _uploaded_module(module: object, excludes: list[str], packages: dict[str, bytes]) -> str:
    path = _path_of(module)
    if is_uri(path):
        return path
    from raysim.api.packages import pack_archive, pack_folder, pack_module_file

    source = Path(path)
    if source.is_dir():
        uri, data = pack_folder(source, excludes, as_module=True)
    elif source.suffix == ".py" and source.is_file():
        uri, data = pack_module_file(source)
    elif source.name.endswith((*ARCHIVES, WHEEL)) and source.is_file():
        uri, data = pack_archive(source)
    else:
        kinds = ", ".join((*ARCHIVES, WHEEL))
        raise ValueError(f"py_modules: {path} is no folder, no .py file, and none of {kinds}.")
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

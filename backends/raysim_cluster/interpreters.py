"""Which interpreter a runtime environment has, and the folder it is kept in. Never made here: see build_env."""

import hashlib
import json
import os
import sys
from pathlib import Path
from typing import Any, Final

import msgspec

from raysim.spec.runtime_env import RuntimeEnvSpec

WORKING_DIR: Final = "RAY_RUNTIME_ENV_CREATE_WORKING_DIR"
"""The variable by which a requirement may name the folder of `working_dir`. Ray's."""


class Venv(msgspec.Struct, frozen=True):
    """A virtual environment. `version` and `options` are those of the tool."""

    tool: str
    """`pip` or `uv`."""
    packages: list[str]
    check: bool
    version: str
    options: list[str] | None
    folder: str = ""


class Conda(msgspec.Struct, frozen=True):
    """An environment of conda: one that is there, by its name, or one to be made."""

    folder: str
    """Where it is; of one with a name: a link to where it is."""
    name: str = ""
    spec: dict[str, Any] | None = None


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where environments stay from run to run: env RAYSIM_CACHE_DIR, or the user's cache folder."""
    own = os.environ.get("RAYSIM_CACHE_DIR")
    if own:
        return Path(own, "envs")
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user, "raysim", "envs")


def venv_of(spec: RuntimeEnvSpec) -> Venv | None:
    """The virtual environment, in a folder that is named after all that goes into it."""
    if spec.pip is not None:
        pip = spec.pip
        venv = Venv("pip", pip.packages, pip.pip_check, pip.pip_version, pip.pip_install_options)
    elif spec.uv is not None:
        uv = spec.uv
        venv = Venv("uv", uv.packages, uv.uv_check, uv.uv_version, uv.uv_pip_install_options)
    else:
        return None
    files = [_content(package) for package in venv.packages]
    own = spec.working_dir if any(WORKING_DIR in one for one in venv.packages) else ""
    return msgspec.structs.replace(venv, folder=_kept([msgspec.to_builtins(venv), files, own]))


def conda_of(spec: RuntimeEnvSpec, links: Path) -> Conda | None:
    """`links`: a folder for links to environments with names."""
    match spec.conda:
        case None:
            return None
        case dict() as made:
            return Conda(_kept(["conda", made]), spec=made)
        case str() as name if os.path.isabs(name):
            return Conda(name)
        case name:
            return Conda(str(links / f"conda-{digest(name)}"), name=name)


def _kept(what: list[Any]) -> str:
    key = json.dumps([sys.version, sys.executable, *what], sort_keys=True)
    return str(cache_folder() / digest(key))


def _content(package: str) -> str:
    """Of a requirement that is a file, say a wheel: another content is another environment."""
    path = Path(package)
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()

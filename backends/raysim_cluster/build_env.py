"""The process that makes one runtime environment: fetches and unpacks, makes or finds its Python. Never a worker.

Its output is the environment's log; its exit status says whether all is there. What is installed is
kept between runs, so processes of several nodes and sessions may want the same one: a lock lets one of
them make it, and a folder without its mark is made anew.
"""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from raysim.api.archives import ERRORS, fetch, is_stripped, unpack
from raysim.spec.runtime_env import LOCAL_SCHEME, WEB_SCHEMES, expanded
from raysim_cluster import conda
from raysim_cluster.conda import CondaError
from raysim_cluster.containers import NoRuntimeError, probe_command
from raysim_cluster.envs import Build
from raysim_cluster.interpreters import WORKING_DIR, Venv
from raysim_cluster.linux import die_with_parent

_MARK: Final = "raysim-complete"


class BuildError(Exception):
    """It cannot be made; the text says why."""


def main(build: str) -> NoReturn:
    """`build` in JSON."""
    what = msgspec.json.decode(build, type=Build)
    die_with_parent(what.node_pid)
    try:
        for uri, archive, folder in what.packages:
            bring(uri, Path(archive), Path(folder))
        os.environ.update(expanded(what.variables, os.environ))
        os.environ[WORKING_DIR] = what.working_dir
        make_interpreter(what)
    except (BuildError, CondaError, NoRuntimeError, *ERRORS) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.exit(0)


def bring(uri: str, archive: Path, folder: Path) -> None:
    """The package's folder."""
    if uri.startswith(LOCAL_SCHEME):
        if not folder.is_dir():
            raise BuildError(f"{uri} is a folder that must exist on every node")
        return
    with _alone(folder):  # Two environments may need the same package at the same time.
        if uri.startswith(WEB_SCHEMES) and not folder.exists():
            fetch(uri, archive)
        unpack(archive, folder, is_stripped(uri))
        if uri.startswith(WEB_SCHEMES):
            archive.unlink(missing_ok=True)


def make_interpreter(what: Build) -> None:
    venv, own = what.venv, what.conda
    if venv is not None:
        _make_once(Path(venv.folder), lambda: _INSTALL[venv.tool](venv))
    elif own is not None and own.name:
        link = Path(own.folder)
        link.unlink(missing_ok=True)
        link.symlink_to(conda.prefix_of(own.name))
    elif own is not None and own.spec is not None:
        spec, folder = own.spec, Path(own.folder)
        _make_once(folder, lambda: conda.make(spec, folder, _run))
    if own is not None and not Path(own.folder, "bin", "python").exists():
        raise BuildError(f"the conda environment {own.name or own.folder} has no Python")
    if what.image is not None:
        _run(probe_command(what.image))


def _make_once(folder: Path, make: Callable[[], None]) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if (folder / _MARK).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        try:
            make()
        except BuildError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        (folder / _MARK).touch()


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The only process that makes this folder."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _with_pip(venv: Venv) -> None:
    python = f"{venv.folder}/bin/python"
    _run([sys.executable, "-m", "venv", venv.folder])
    pip = [python, "-m", "pip"]
    if venv.version:
        _run([*pip, "install", f"pip{_pinned(venv.version)}"])
    usual = ["--disable-pip-version-check", "--no-cache-dir"]
    options = usual if venv.options is None else venv.options
    _run([*pip, "install", *options, "-r", _requirements(venv)])
    if venv.check:
        _run([*pip, "check"])


def _with_uv(venv: Venv) -> None:
    python = f"{venv.folder}/bin/python"
    found = shutil.which("uv")
    if found is not None and not venv.version:
        uv = [found]
        _run([*uv, "venv", "--python", sys.executable, venv.folder])
    else:
        _run([sys.executable, "-m", "venv", venv.folder])
        _run([python, "-m", "pip", "install", f"uv{_pinned(venv.version)}"])
        uv = [python, "-m", "uv"]
    options = ["--no-cache"] if venv.options is None else venv.options
    _run([*uv, "pip", "install", "--python", python, *options, "-r", _requirements(venv)])
    if venv.check:
        _run([*uv, "pip", "check", "--python", python])


_INSTALL: Final = {"pip": _with_pip, "uv": _with_uv}


def _requirements(venv: Venv) -> str:
    """In a file, where the tool takes whole lines, options and variables among them."""
    file = Path(venv.folder).with_suffix(".txt")
    file.write_text("\n".join(venv.packages) + "\n")
    return str(file)


def _pinned(version: str) -> str:
    """`==1.2` as it is; `1.2` means that."""
    return f"=={version}" if version[:1].isdigit() else version


def _run(command: Sequence[str]) -> None:
    sys.stdout.write(f"$ {' '.join(command)}\n")
    sys.stdout.flush()
    parent = os.getpid()
    status = subprocess.run(
        command,
        check=False,
        preexec_fn=lambda: die_with_parent(parent),
    ).returncode
    if status:
        raise BuildError(f"{' '.join(command[:4])} ... ended with status {status}")

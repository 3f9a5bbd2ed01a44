"""The process that makes one runtime environment: unpacks archives, makes a virtual environment. Never a worker.

Its output is the environment's log; its exit status says whether all is there. Virtual environments are
kept between runs, so processes of several nodes and sessions may want the same one: a lock lets one of
them make it, and a folder without its mark is made anew.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from raysim_cluster.envs import Build, Venv
from raysim_cluster.linux import die_with_parent

_MARK: Final = "raysim-complete"


class BuildError(Exception):
    """It cannot be made; the text says why."""


def main(build: str) -> NoReturn:
    """`build` in JSON."""
    what = msgspec.json.decode(build, type=Build)
    die_with_parent(what.node_pid)
    try:
        for archive, folder, strip in what.archives:
            unpack(Path(archive), Path(folder), strip)
        if what.venv is not None:
            make_venv(what.venv)
    except (BuildError, OSError, zipfile.BadZipFile) as error:
        sys.exit(f"{type(error).__name__}: {error}")
    sys.exit(0)


def unpack(archive: Path, folder: Path, strip: bool) -> None:
    """The folder is there as a whole, or not at all. `strip`: a single folder at the top is left out."""
    if folder.exists():
        return
    half = folder.with_suffix(".half")
    shutil.rmtree(half, ignore_errors=True)
    with zipfile.ZipFile(archive) as zipped:
        for info in zipped.infolist():
            path = zipped.extract(info, half)
            mode = info.external_attr >> 16 & 0o777
            if mode and not info.is_dir():
                os.chmod(path, mode)
    half.mkdir(exist_ok=True)
    inside = list(half.iterdir())
    if strip and len(inside) == 1 and inside[0].is_dir():
        inside[0].rename(folder)
        half.rmdir()
    else:
        half.rename(folder)


def make_venv(venv: Venv) -> None:
    folder = Path(venv.folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (folder / _MARK).exists():
            return
        shutil.rmtree(folder, ignore_errors=True)
        python = str(folder / "bin" / "python")
        try:
            _INSTALL[venv.tool](venv, python)
        except BuildError:
            shutil.rmtree(folder)
            raise
        (folder / _MARK).touch()


def _with_pip(venv: Venv, python: str) -> None:
    _run([sys.executable, "-m", "venv", venv.folder])
    pip = [python, "-m", "pip"]
    if venv.version:
        _run([*pip, "install", f"pip{_pinned(venv.version)}"])
    usual = ["--disable-pip-version-check", "--no-cache-dir"]
    options = usual if venv.options is None else venv.options
    _run([*pip, "install", *options, *venv.packages])
    if venv.check:
        _run([*pip, "check"])


def _with_uv(venv: Venv, python: str) -> None:
    found = shutil.which("uv")
    if found is not None and not venv.version:
        uv = [found]
        _run([*uv, "venv", "--python", sys.executable, venv.folder])
    else:
        _run([sys.executable, "-m", "venv", venv.folder])
        _run([python, "-m", "pip", "install", f"uv{_pinned(venv.version)}"])
        uv = [python, "-m", "uv"]
    options = ["--no-cache"] if venv.options is None else venv.options
    _run([*uv, "pip", "install", "--python", python, *options, *venv.packages])
    if venv.check:
        _run([*uv, "pip", "check", "--python", python])


_INSTALL: Final = {"pip": _with_pip, "uv": _with_uv}


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

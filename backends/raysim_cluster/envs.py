"""Runtime environments of a real node: folders, and a process that fills them. Never decides who needs which."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from raysim.spec.runtime_env import FILE_SCHEME, PACKAGE_SCHEME, RuntimeEnvSpec, read_env
from raysim_cluster.control import WorkerPlace
from raysim_cluster.linux import watch_process
from raysim_cluster.poller import READ, Poller

_BOOT: Final = (
    "import sys; sys.path[:] = sys.argv[1].split('\\n'); "
    "from raysim_cluster.build_env import main; main(sys.argv[2])"
)

_TOLD_CHARACTERS: Final = 2000
"""Of the end of a log that an error quotes."""

_AT_START: Final = ("PYTHON", "LD_", "MALLOC_", "OMP_", "MKL_", "OPENBLAS_", "NUMEXPR_")
"""How variables begin that count only when an interpreter, or its libraries, start: a fork is too late."""


class Venv(msgspec.Struct, frozen=True):
    """A virtual environment. `version` and `options` are those of the tool."""

    tool: str
    """`pip` or `uv`."""
    packages: list[str]
    check: bool
    version: str
    options: list[str] | None
    folder: str = ""


class Build(msgspec.Struct, frozen=True):
    """What the process has to do. `archives`: zip files, the folders they become, and whether a single
    folder at the top of it is left out (of a zip that lies on the node, as Ray does)."""

    node_pid: int
    archives: list[tuple[str, str, bool]]
    venv: Venv | None


class _Building:
    def __init__(self, process: subprocess.Popen[bytes], pidfd: int, log: Path) -> None:
        self.process = process
        self.pidfd = pidfd
        self.log = log


class NodeEnvironments:
    """The raylet's Environments. `finished(env, problem)` is told of each."""

    def __init__(
        self, folder: Path, poller: Poller, finished: Callable[[str, str | None], None]
    ) -> None:
        self._folder = folder
        self._poller = poller
        self._finished = finished
        self._building: dict[str, _Building] = {}

    def has_package(self, uri: str) -> bool:
        return self._archive(uri).exists()

    def add_package(self, uri: str, data: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._archive(uri).write_bytes(data)

    def set_up(self, env: str) -> None:
        spec = read_env(env)
        build = Build(
            os.getpid(),
            [
                (str(self._archive(uri)), str(self._unpacked(uri)), uri.startswith(FILE_SCHEME))
                for uri in spec.packages
            ],
            _venv(spec),
        )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self._folder / f"env-{_digest(env)}.log"
        with log.open("ab") as out:
            what = msgspec.json.encode(build).decode()
            process = subprocess.Popen(
                # The folder last: a process is told by its command line.
                [sys.executable, "-c", _BOOT, "\n".join(sys.path), what, str(self._folder)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        pidfd = watch_process(process.pid)
        if pidfd is None:
            # Without a descriptor nobody would tell of its end: wait for it here.
            process.wait()
            self._end(env, _Building(process, -1, log))
            return
        self._building[env] = _Building(process, pidfd, log)
        self._poller.watch(pidfd, lambda _: self._ended(env), READ)

    def give_up(self, env: str) -> None:
        building = self._building.pop(env, None)
        if building is not None:
            self._poller.forget(building.pidfd)
            os.close(building.pidfd)
            _kill(building.process)

    def close(self) -> None:
        for env in list(self._building):
            self.give_up(env)

    def place(self, env: str) -> WorkerPlace | None:
        """What a worker of this environment is to be; None: a plain one."""
        if not env:
            return None
        spec = read_env(env)
        folders = [str(self._unpacked(uri)) for uri in spec.packages]
        python = ""
        venv = _venv(spec)
        if venv is not None:
            python = str(Path(venv.folder, "bin", "python"))
        elif any(name.startswith(_AT_START) for name in spec.env_vars):
            python = sys.executable
        folder = folders[-1] if spec.working_dir else ""
        return WorkerPlace(spec.env_vars, folder, folders, python)

    def _ended(self, env: str) -> None:
        building = self._building.pop(env)
        self._poller.forget(building.pidfd)
        os.close(building.pidfd)
        building.process.wait()
        self._end(env, building)

    def _end(self, env: str, building: _Building) -> None:
        problem = None
        if building.process.returncode:
            end = building.log.read_text(errors="replace")[-_TOLD_CHARACTERS:].strip()
            problem = f"its log, {building.log}, ends with:\n{end}"
        self._finished(env, problem)

    def _archive(self, uri: str) -> Path:
        if uri.startswith(FILE_SCHEME):
            return Path(uri.removeprefix(FILE_SCHEME))
        # A name of our own making, but it came from another process: no way out of the folder.
        return self._folder / Path(uri.removeprefix(PACKAGE_SCHEME)).name

    def _unpacked(self, uri: str) -> Path:
        return self._folder / f"package-{_digest(uri)}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With whatever it has started: it leads a session of its own."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait()


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """Where virtual environments stay from run to run: env RAYSIM_CACHE_DIR, or the user's cache folder."""
    own = os.environ.get("RAYSIM_CACHE_DIR")
    if own:
        return Path(own, "envs")
    user = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(user, "raysim", "envs")


def _venv(spec: RuntimeEnvSpec) -> Venv | None:
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
    key = json.dumps([sys.version, sys.executable, msgspec.to_builtins(venv), files])
    return msgspec.structs.replace(venv, folder=str(cache_folder() / _digest(key)))


def _content(package: str) -> str:
    """Of a requirement that is a file, say a wheel: another content is another environment."""
    path = Path(package)
    if not path.is_file():
        return ""
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""Runtime environments of a real node: folders, and a process that fills them. Never decides who needs which."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from raysim.spec.runtime_env import LOCAL_SCHEME, Container, RuntimeEnvSpec, read_env
from raysim_cluster.control import Start, WorkerPlace
from raysim_cluster.interpreters import Conda, Venv, conda_of, digest, venv_of
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


class Build(msgspec.Struct, frozen=True):
    """What the process has to do."""

    node_pid: int
    packages: list[tuple[str, str, str]]
    """URIs, the files they came in (where they came already), the folders they become."""
    variables: dict[str, str]
    """For what is run: those of the environment count while it is made, as in Ray."""
    working_dir: str
    venv: Venv | None
    conda: Conda | None
    image: Container | None


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
        folders = self._folders(spec)
        build = Build(
            os.getpid(),
            [
                (uri, str(self._archive(uri)), folder)
                for uri, folder in zip(spec.packages, folders, strict=True)
            ],
            spec.env_vars,
            folders[-1] if spec.working_dir else "",
            venv_of(spec),
            conda_of(spec, self._folder),
            spec.image,
        )
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        log = self._folder / f"env-{digest(env)}.log"
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
        folders = self._folders(spec)
        folder = folders[-1] if spec.working_dir else ""
        return WorkerPlace(spec.env_vars, folder, folders, self._start(spec))

    def _start(self, spec: RuntimeEnvSpec) -> Start | None:
        """None: a fork will do."""
        if spec.image is not None:
            return Start(image=spec.image, variables=list(spec.env_vars))
        made = conda_of(spec, self._folder) or venv_of(spec)
        if made is not None:
            return Start(spec.py_executable, made.folder, isinstance(made, Conda))
        if spec.py_executable or any(name.startswith(_AT_START) for name in spec.env_vars):
            return Start(spec.py_executable)
        return None

    def _folders(self, spec: RuntimeEnvSpec) -> list[str]:
        """Where its packages are, unpacked."""
        return [str(self._unpacked(uri)) for uri in spec.packages]

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
        from raysim.api.archives import local_path  # With what unpacks them.

        own = local_path(uri)
        if own is not None:
            return own
        # The digest: a name that came from another process is no way out of the folder.
        return self._folder / f"{digest(uri)}-{uri.partition('?')[0].rpartition('/')[2]}"

    def _unpacked(self, uri: str) -> Path:
        if uri.startswith(LOCAL_SCHEME):
            return Path(uri.removeprefix(LOCAL_SCHEME))
        return self._folder / f"package-{digest(uri)}"


def _kill(process: subprocess.Popen[bytes]) -> None:
    """With whatever it has started: it leads a session of its own."""
    try:
        os.killpg(process.pid, 9)
    except ProcessLookupError:
        pass
    process.wait()

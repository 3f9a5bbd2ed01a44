"""Runtime environments of simulated nodes: files are real, interpreters cost time only. Never protocol.

What `pip`, `uv`, `conda` and images would bring has to be importable where the simulation runs.
"""

import importlib
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from raysim.api.archives import ERRORS, fetch, is_stripped, local_path, unpack
from raysim.spec.runtime_env import LOCAL_SCHEME, WEB_SCHEMES, RuntimeEnvSpec, read_env
from raysim_sim.places import Place

if TYPE_CHECKING:
    from raysim_sim.node import SimNode


class Packages:
    """Unpacked packages of a world, which its nodes share. The folder goes with the world."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._unpacked: dict[str, Path] = {}

    def add(self, uri: str, data: bytes) -> None:
        if uri not in self._unpacked:
            archive = self._room() / "archive"
            archive.write_bytes(data)
            self._unpack(uri, archive)

    def folder(self, uri: str) -> Path:
        """Raises one of `archives.ERRORS` for what cannot be had."""
        if uri not in self._unpacked:
            self._bring(uri)
        return self._unpacked[uri]

    def _bring(self, uri: str) -> None:
        path = local_path(uri)
        if uri.startswith(LOCAL_SCHEME) and path is not None:
            if not path.is_dir():
                raise FileNotFoundError(f"{uri} is a folder that must exist on every node")
            self._unpacked[uri] = path
        elif path is not None:
            self._unpack(uri, path)
        else:
            assert uri.startswith(WEB_SCHEMES), f"package {uri} was not added"
            archive = self._room() / "archive"
            fetch(uri, archive)
            self._unpack(uri, archive)

    def _unpack(self, uri: str, archive: Path) -> None:
        target = self._room() / str(len(self._unpacked))
        unpack(archive, target, is_stripped(uri))
        importlib.invalidate_caches()
        self._unpacked[uri] = target

    def _room(self) -> Path:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="raysim-sim-"))
        return self._folder

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


class SimEnvironments:
    """The raylet's Environments of one node."""

    def __init__(self, node: "SimNode") -> None:
        self._node = node
        self._added: dict[str, None] = {}
        self._under_way: dict[str, None] = {}

    def has_package(self, uri: str) -> bool:
        return uri in self._added

    def add_package(self, uri: str, data: bytes) -> None:
        self._added[uri] = None
        self._node.world.packages.add(uri, data)

    def set_up(self, env: str) -> None:
        costs, clock = self._node.world.costs, self._node.world.clock
        self._under_way[env] = None
        clock.expected += 1
        cost_ns = costs.env_install if read_env(env).needs_python else costs.env_files
        clock.call(cost_ns, lambda: self._finished(env))

    def give_up(self, env: str) -> None:
        self._under_way.pop(env, None)

    def _finished(self, env: str) -> None:
        node = self._node
        clock = node.world.clock
        clock.expected -= 1
        clock.active_ns = clock.now_ns
        if env not in self._under_way or not node.host.alive:
            return
        del self._under_way[env]
        problem = None
        try:
            place_of(node, env)
        except ERRORS as error:
            problem = f"{type(error).__name__}: {error}"
        node.raylet.env_finished(env, problem)


def place_of(node: "SimNode", env: str) -> Place | None:
    """What a process of this environment sees; None: as all others do."""
    if not env:
        return None
    spec = read_env(env)
    if spec == RuntimeEnvSpec(job=spec.job):
        return None
    packages = node.world.packages
    folders = [str(packages.folder(uri)) for uri in spec.packages]
    return Place(spec.env_vars, folders[-1] if spec.working_dir else None, folders)

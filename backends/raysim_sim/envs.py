"""Runtime environments of simulated nodes: files are real, virtual environments cost time only. Never protocol.

What `pip` and `uv` would install has to be importable where the simulation runs.
"""

import importlib
import shutil
import tempfile
import zipfile
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from raysim.spec.runtime_env import FILE_SCHEME, read_env
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
            with zipfile.ZipFile(BytesIO(data)) as archive:
                self._unpack(uri, archive)

    def folder(self, uri: str) -> Path:
        """Raises OSError or BadZipFile where a `file://` URI is of no zip file."""
        if uri not in self._unpacked:
            assert uri.startswith(FILE_SCHEME), f"package {uri} was not added"
            with zipfile.ZipFile(uri.removeprefix(FILE_SCHEME)) as archive:
                self._unpack(uri, archive)
        return self._unpacked[uri]

    def _unpack(self, uri: str, archive: zipfile.ZipFile) -> None:
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="raysim-sim-"))
        target = self._folder / str(len(self._unpacked))
        archive.extractall(target)
        inside = list(target.iterdir())
        if uri.startswith(FILE_SCHEME) and len(inside) == 1 and inside[0].is_dir():
            target = inside[0]  # As Ray does with a zip that lies on the node.
        importlib.invalidate_caches()
        self._unpacked[uri] = target

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
        except (OSError, zipfile.BadZipFile) as error:
            problem = f"{type(error).__name__}: {error}"
        node.raylet.env_finished(env, problem)


def place_of(node: "SimNode", env: str) -> Place | None:
    """What a process of this environment sees; None: as all others do."""
    if not env:
        return None
    spec = read_env(env)
    packages = node.world.packages
    folders = [str(packages.folder(uri)) for uri in spec.packages]
    return Place(spec.env_vars, folders[-1] if spec.working_dir else None, folders)

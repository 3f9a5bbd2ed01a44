"""Workers that are no forks: started by the interpreter of a runtime environment. Never a protocol of their own.

The fork-server forks as ever, so that it is the parent, and the child becomes another program. What a
fork would have inherited travels in a memory file.
"""

import os
import sys
from pathlib import Path
from typing import Final, NoReturn

import msgspec

from raysim_cluster.arena import Arena
from raysim_cluster.control import SetUp, StartNode, WorkerPlace

_BOOT: Final = (
    "import sys; paths = sys.argv[2].split('\\n'); sys.path[:] = paths; "
    "from raysim_cluster.spawned import main; main(int(sys.argv[1]))"
)


class _Inherited(msgspec.Struct):
    settings: StartNode
    set_up: SetUp
    token: int
    arena_fd: int


def become(
    place: WorkerPlace, settings: StartNode, set_up: SetUp, token: int, arena: Arena
) -> NoReturn:
    """In the fork, which has entered its place already: end as the worker of another interpreter."""
    data = msgspec.msgpack.encode(_Inherited(settings, set_up, token, arena.fd))
    fd = os.memfd_create("raysim-worker", 0)
    os.write(fd, data)
    os.set_inheritable(fd, True)
    os.set_inheritable(arena.fd, True)
    paths = sys.path
    if place.python != sys.executable:
        venv = Path(place.python).parent.parent
        os.environ["VIRTUAL_ENV"] = str(venv)
        os.environ["PATH"] = f"{venv / 'bin'}:{os.environ.get('PATH', os.defpath)}"
        paths = _before_installed(sys.path, venv)
    # Our own interpreter, or that of an environment that we made.
    # The session last: a process is told by its command line.
    arguments = [str(fd), "\n".join(paths), settings.session.session_id]
    os.execv(place.python, [place.python, "-c", _BOOT, *arguments])  # noqa: S606  (an argument list)


def _before_installed(paths: list[str], venv: Path) -> list[str]:
    """What the environment has comes before what the driver has installed, after the program's own."""
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    own = str(venv / "lib" / version / "site-packages")
    for index, path in enumerate(paths):
        if Path(path).name in ("site-packages", "dist-packages"):
            return [*paths[:index], own, *paths[index:]]
    return [*paths, own]


def main(fd: int) -> NoReturn:
    """The whole life of such a worker."""
    code = 1
    try:
        with open(fd, "rb") as file:
            file.seek(0)
            inherited = msgspec.msgpack.decode(file.read(), type=_Inherited)
        from raysim_cluster import worker

        settings = inherited.settings
        arena = Arena(inherited.arena_fd, settings.store_bytes)
        worker.main(settings, inherited.set_up, inherited.token, arena)
        code = 0
    except BaseException:  # noqa: BLE001  (as a fork ends: see fork_server)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

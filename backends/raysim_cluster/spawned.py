"""Workers that are no forks: started by a command, say another interpreter. Never a protocol of their own.

The fork-server forks as ever, so that it is the parent, and the child becomes another program. What a
fork would have inherited waits at a socket (see inheritance); who starts there begins in boot.
"""

import os
import shlex
import sys
import sysconfig
from pathlib import Path
from typing import Final, NoReturn

from raysim_cluster.containers import run_command
from raysim_cluster.control import Start
from raysim_cluster.inheritance import inherit

_SHELL: Final = "/bin/sh"

_ACTIVATE: Final = 'for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do [ -r "$script" ] && . "$script"; done; '
"""What packages of conda want to be done before their programs run."""

_BOOT: Final = str(Path(__file__).with_name("boot.py"))


def become(start: Start, inheritance: str, session: str, folder: str) -> NoReturn:
    """In the fork, which has entered its place already: end as the worker that this starts.

    `inheritance`: the name of the socket; `folder`: the session's.
    """
    version = "{}.{}".format(*sys.version_info)
    if start.image is not None:
        inside = ["-m", "raysim_cluster.boot", version, inheritance, "", session]
        command = run_command(start.image, start.variables, folder, inside)
    else:
        _enter(start)
        paths = "\n".join(path for path in sys.path if not _is_standard(path))
        command = _command(start, [_BOOT, version, inheritance, paths, session])
    os.execvp(command[0], command)  # noqa: S606  (an argument list)


def _command(start: Start, arguments: list[str]) -> list[str]:
    python = f"{start.prefix}/bin/python" if start.prefix else sys.executable
    if not start.command and not start.is_conda:
        return [python, *arguments]
    line = f'exec {start.command or shlex.quote(python)} "$@"'
    return [_SHELL, "-c", (_ACTIVATE if start.is_conda else "") + line, _SHELL, *arguments]


def _enter(start: Start) -> None:
    """What activating the environment would do."""
    if start.prefix:
        os.environ["CONDA_PREFIX" if start.is_conda else "VIRTUAL_ENV"] = start.prefix
        os.environ["PATH"] = f"{start.prefix}/bin:{os.environ.get('PATH', os.defpath)}"


def _is_standard(path: str) -> bool:
    """Whether it is of Python's own library: another interpreter has one of its own."""
    if Path(path).name in ("site-packages", "dist-packages"):
        return False
    library = sysconfig.get_path("stdlib")
    version = "{}{}".format(*sys.version_info)
    return path in (library, f"{library}/lib-dynload") or path.endswith(f"python{version}.zip")


def main(inheritance: str) -> NoReturn:
    """The whole life of such a worker."""
    code = 1
    try:
        settings, set_up, token, arena = inherit(inheritance)
        from raysim_cluster import worker

        worker.main(settings, set_up, token, arena)
        code = 0
    except BaseException:  # noqa: BLE001  (as a fork ends: see fork_server)
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

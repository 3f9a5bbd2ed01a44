"""What simulated code does beyond the simulation: real threads, processes and sockets. Never prevents it.

Python tells of each such act (`sys.addaudithook`), whoever does it and from which language. The first one
of a place in a program is noted in the journal and warned of: from there on, runs of one seed may differ.
Not seen: what a library reads in C, such as the clock of `numpy.datetime64("now")`.
"""

import logging
import os
import sys
from collections.abc import Callable
from types import FrameType
from typing import Final

from raysim.journal import Escaped
from raysim_sim.virtual_time import is_program, running_world

_ACTS: Final = {
    "_thread.start_new_thread": "starts a real thread",
    "_thread.start_joinable_thread": "starts a real thread",
    "ctypes.dlopen": "loads a C library",
    "os.exec": "becomes another program",
    "os.fork": "starts a real process",
    "os.forkpty": "starts a real process",
    "os.posix_spawn": "starts a real process",
    "os.spawn": "starts a real process",
    "os.system": "starts a real process",
    "signal.pthread_kill": "sends a real signal",
    "socket.bind": "uses a real socket",
    "socket.connect": "uses a real socket",
    "socket.getaddrinfo": "asks a real name server",
    "socket.gethostbyname": "asks a real name server",
    "socket.sendmsg": "uses a real socket",
    "socket.sendto": "uses a real socket",
    "sqlite3.connect": "opens a real database",
    "subprocess.Popen": "starts a real process",
    "urllib.Request": "uses a real socket",
}
"""Events of Python's audit table, and what they mean here."""

_watching = False


def watch() -> None:
    """From the first world on: Python has no way to take such a hook away. It looks only while one runs."""
    global _watching
    if not _watching:
        _watching = True
        sys.addaudithook(hook(_heard, sys.is_finalizing))


def hook(
    heard: Callable[[str, FrameType], None], ending: Callable[[], bool]
) -> Callable[[str, object], None]:
    """Calls `heard` with what an act means and with its frame; never when the interpreter is ending."""
    acts = _ACTS  # Python goes on calling hooks when it has taken this module apart.

    def told(event: str, arguments: object) -> None:
        what = acts.get(event)
        if what is not None and not ending():
            heard(what, sys._getframe(1))

    return told


def _heard(what: str, frame: FrameType) -> None:
    world = running_world()
    host = None if world is None else world.users.running
    if world is None or host is None:
        return
    place = _place(frame)
    if place is None or (what, place) in world.escapes:
        return
    world.escapes.add((what, place))
    world.journal_note(host.name, Escaped(what, place))
    logging.getLogger("raysim").warning(
        "%s: %s %s, which is not simulated: runs of one seed may differ from here on",
        place,
        host.name,
        what,
    )


def _place(frame: FrameType | None) -> str | None:
    """Where the program did it, or had a library do it; None if this project itself did."""
    while frame is not None:
        name = frame.f_globals.get("__name__") or ""
        if is_program(frame):
            return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno}"
        if name.startswith(("raysim.", "raysim_sim.")):
            return None
        if name.startswith("importlib.") or name == "importlib":
            return None  # A module that is imported does what it has to.
        frame = frame.f_back
    return None


def _short(file: str) -> str:
    """From the working folder, if it is in there: the same in every copy of a project."""
    folder = os.path.join(os.getcwd(), "")
    return file.removeprefix(folder)

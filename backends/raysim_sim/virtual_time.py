"""The clock, sleep and chance of simulated programs: virtual and seeded. Never touched for other threads.

While a world runs, the functions of `time`, the global ones of `random`, `os.urandom` (and with it `uuid`
and `secrets`) answer for the simulated process whose code calls them. Names that a program imported from
these modules beforehand (`from time import sleep`) are exchanged too. All is put back at the end.
"""

import atexit
import os
import random
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache, partial
from threading import get_ident
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

from raysim_sim import chance
from raysim_sim.chance import DRAWS

if TYPE_CHECKING:
    from raysim_sim.hosts import UserHost
    from raysim_sim.world import SimWorld

EPOCH_NS: Final = 1_704_067_200 * 1_000_000_000
"""What `time.time_ns()` starts at: 2024-01-01 00:00 UTC. Fixed, so that runs are alike."""

READS_AT_ONCE: Final = 1_000
"""Readings of the clock at one instant, after which each takes as long as a poll: a loop that waits for
the clock would never end otherwise."""

_REAL_CALLERS: Final = frozenset(
    {"asyncio", "concurrent", "multiprocessing", "socketserver", "ssl"}
    | {"_pytest", "hypothesis", "pytest_timeout", "raysim", "rich"}
)
"""Libraries that wait for the operating system, which would wait for ever by a clock that stands still;
and what measures or shows the run itself."""

_CALLS_FOR_PROGRAMS: Final = ("raysim.util.", "raysim.testing.")
"""Calls a program's functions, which may be `time.sleep` itself, or has programs of its own."""

_NOT_PROGRAMS: Final = tuple(
    {path for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")) if path}
    | {os.path.dirname(__file__)}
)
_INSTALLED: Final = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")

_world: "SimWorld | None" = None
_thread = 0


def running_host() -> "UserHost | None":
    """The simulated process whose code calls, or None outside a world."""
    world = running_world()
    return None if world is None else world.users.running


def running_world() -> "SimWorld | None":
    """The world whose simulated code calls, or None outside one."""
    return _world if _thread == get_ident() else None


class VirtualTime:
    """Puts the virtual functions in place for one world, and the real ones back."""

    def __init__(self, world: "SimWorld") -> None:
        self._world = world
        self._changed: list[tuple[ModuleType, str, object]] = []
        self._numpy = chance.SeededNumpy(world.streams)

    def install(self) -> None:
        """Raises RuntimeError while another world runs in this process."""
        global _world, _thread
        from raysim_sim import virtual_locks  # It asks this module who runs.

        if _world is not None:
            raise RuntimeError(
                "a simulated cluster runs in this process already; stop it first with raysim.shutdown()"
            )
        _world, _thread = self._world, get_ident()
        exchanged: dict[int, object] = {}
        for module, name, virtual in _virtual():
            real = getattr(module, name)
            exchanged[id(real)] = virtual
            self._set(module, name, virtual)
        for name, make in virtual_locks.virtual():
            exchanged[id(getattr(threading, name))] = make
            self._set(threading, name, make)
        for module, name, value in _names_of_programs():
            if (virtual := exchanged.get(id(value))) is not None:
                self._set(module, name, virtual)
        self._numpy.seed()

    def _set(self, module: ModuleType, name: str, value: object) -> None:
        self._changed.append((module, name, getattr(module, name)))
        setattr(module, name, value)

    def restore(self) -> None:
        global _world, _thread
        if _world is not self._world:
            return
        for module, name, value in reversed(self._changed):
            setattr(module, name, value)
        self._changed.clear()
        self._numpy.restore()
        _world, _thread = None, 0


@cache
def _is_program(name: str, file: str) -> bool:
    return name == "__main__" or (
        file != "" and name.partition(".")[0] not in _REAL_CALLERS and not is_installed(file)
    )


def _names_of_programs() -> Iterator[tuple[ModuleType, str, object]]:
    """The global names of modules that are neither the library's nor installed ones."""
    for module in list(sys.modules.values()):
        file = getattr(module, "__file__", None)
        name = getattr(module, "__name__", "")
        if _is_program(str(name), str(file or "")) and isinstance(module, ModuleType):
            for variable, value in list(vars(module).items()):
                yield module, variable, value


def _virtual() -> Iterator[tuple[ModuleType, str, object]]:
    for name, make in _CLOCKS.items():
        yield time, name, _like(time, name, make(getattr(time, name)))
    yield time, "sleep", _like(time, "sleep", _sleep_instead(time.sleep))
    for name in DRAWS:
        draw = chance.draw_instead(name, getattr(random, name), running_host)
        yield random, name, _like(random, name, draw)
    urandom = _like(os, "urandom", chance.urandom_instead(os.urandom, running_host))
    yield os, "urandom", urandom
    yield random, "_urandom", urandom
    yield atexit, "register", _like(atexit, "register", _register_instead(atexit.register))
    yield os, "_exit", _like(os, "_exit", _exit_instead(os._exit))


def _like(module: ModuleType, name: str, virtual: Any) -> Any:
    """Under the name of the real one, so that it is pickled as that."""
    virtual.__name__ = virtual.__qualname__ = name
    virtual.__module__ = module.__name__
    virtual.__doc__ = getattr(module, name).__doc__
    return virtual


def _calls_the_real_one() -> bool:
    """Whether the code that called the virtual function waits for the operating system."""
    name = sys._getframe(2).f_globals.get("__name__")
    return (
        type(name) is str
        and name.partition(".")[0] in _REAL_CALLERS
        and not name.startswith(_CALLS_FOR_PROGRAMS)
    )


def _read(world: "SimWorld") -> int:
    """Virtual nanoseconds since the start; lets time go on for a loop that only reads the clock."""
    now = world.clock.now_ns
    if world.read_at == now:
        world.reads += 1
        if world.reads > READS_AT_ONCE and world.users.running is not None:
            world.users.sleep(world.costs.poll)
            world.read_at = now = world.clock.now_ns
            world.reads = READS_AT_ONCE
    else:
        world.read_at = now
        world.reads = 0
    return now


def _shown(world: "SimWorld", offset_ns: int) -> int:
    """By a clock that began with this offset; wall clocks may be set wrong by a fault, others never."""
    now = offset_ns + _read(world)
    host = world.users.running
    return now if host is None or offset_ns != EPOCH_NS else now + host.node.skew_ns


def _ns_clock(offset_ns: int) -> Callable[[Callable[[], int]], Callable[[], int]]:
    def make(real: Callable[[], int]) -> Callable[[], int]:
        def virtual() -> int:
            world = running_world()
            if world is None or _calls_the_real_one():
                return real()
            return _shown(world, offset_ns)

        return virtual

    return make


def _s_clock(offset_ns: int) -> Callable[[Callable[[], float]], Callable[[], float]]:
    def make(real: Callable[[], float]) -> Callable[[], float]:
        def virtual() -> float:
            world = running_world()
            if world is None or _calls_the_real_one():
                return real()
            return _shown(world, offset_ns) / 1e9

        return virtual

    return make


_CLOCKS: Final[dict[str, Callable[[Any], Any]]] = {
    "time": _s_clock(EPOCH_NS),
    "time_ns": _ns_clock(EPOCH_NS),
    "monotonic": _s_clock(0),
    "monotonic_ns": _ns_clock(0),
    "perf_counter": _s_clock(0),
    "perf_counter_ns": _ns_clock(0),
}


def _sleep_instead(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        world = running_world()
        if world is None or _calls_the_real_one():
            return real(seconds)
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        return world.users.sleep(round(seconds * 1e9))

    return sleep


def _register_instead(real: Callable[..., Any]) -> Callable[..., Any]:
    def register(func: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Of a simulated worker: called at the end of that one. Modules that it imports stay in the real one."""
        world = running_world()
        host = None if world is None else world.users.running
        file = sys._getframe(1).f_code.co_filename
        if world is None or host is None or host is world.users.driver or is_installed(file):
            return real(func, *args, **kwargs)
        host.at_exit.append(partial(func, *args, **kwargs))
        return func

    return register


def is_installed(file: str) -> bool:
    return file.startswith(_NOT_PROGRAMS) or any(part in file for part in _INSTALLED)


def _exit_instead(real: Callable[[int], None]) -> Callable[[int], None]:
    def _exit(status: int) -> None:
        """Of a worker: its simulated process ends. Of the driver, or outside: the real one."""
        world = running_world()
        if world is None or world.users.running in (None, world.users.driver):
            return real(status)
        return world.users.leave(f"os._exit({status})")

    return _exit

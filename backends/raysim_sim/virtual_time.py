"""The clock, sleep and chance of simulated programs: virtual and seeded. Never touched for other threads.

While a world runs, the functions of `time`, `datetime.now`, the global functions of `random` and of
`numpy.random`, `os.urandom` (and with it `uuid` and `secrets`), and threads and their locks answer for the
simulated process whose code calls them. Names that a program imported from these modules beforehand
(`from time import sleep`) are exchanged too. All is put back at the end.
"""

import atexit
import os
import random
import sys
import sysconfig
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import cache, partial
from threading import get_ident
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from raysim_sim import chance, virtual_dates
from raysim_sim.builtin_types import method_of, set_method
from raysim_sim.chance import DRAWS

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost
    from raysim_sim.world import SimWorld

EPOCH_NS: Final = 1_704_067_200 * 1_000_000_000
"""What `time.time_ns()` starts at: 2024-01-01 00:00 UTC. Fixed, so that runs are alike."""

READS_AT_ONCE: Final = 1_000
"""Readings of the clock at one instant, after which each takes as long as a poll: a loop that waits for
the clock would never end otherwise."""

_REAL_CALLERS: Final = frozenset(
    {"asyncio", "multiprocessing", "socketserver", "ssl"}
    | {"_pytest", "hypothesis", "pytest_timeout", "raysim", "rich"}
)
"""Libraries that wait for the operating system, which would wait for ever by a clock that stands still;
and what measures or shows the run itself."""

_CALLS_FOR_PROGRAMS: Final = ("raysim.util.", "raysim.testing.", "raysim.fidelity.probes")
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
        self._changed: list[tuple[Any, str, object]] = []
        self._methods: list[tuple[type, str, object]] = []
        self._numpy = chance.SeededNumpy(world.streams, running_host)

    def install(self) -> None:
        """Raises RuntimeError while another world runs in this process."""
        global _world, _thread
        # These ask this module who runs.
        from raysim_sim import escapes, virtual_locks, virtual_threads

        if _world is not None:
            raise RuntimeError(
                "a simulated cluster runs in this process already; stop it first with raysim.shutdown()"
            )
        _world, _thread = self._world, get_ident()
        exchanged = self._numpy.install()
        changes = [*_virtual(), *virtual_locks.virtual(), *virtual_threads.virtual()]
        for holder, name, virtual in changes:
            exchanged[id(getattr(holder, name))] = virtual
            self._set(holder, name, virtual)
        for kind, name, virtual in [*_virtual_methods(), *virtual_locks.virtual_methods()]:
            self._methods.append((kind, name, method_of(kind, name)))
            set_method(kind, name, virtual)
        for module, name, value in _names_of_programs():
            if (virtual := exchanged.get(id(value))) is not None:
                self._set(module, name, virtual)
        for module, name in _MEMORIES:
            self._set(module, name, None)
        escapes.watch()

    def _set(self, holder: Any, name: str, value: object) -> None:
        self._changed.append((holder, name, getattr(holder, name)))
        setattr(holder, name, value)

    def restore(self) -> None:
        global _world, _thread
        if _world is not self._world:
            return
        for kind, name, method in reversed(self._methods):
            set_method(kind, name, method)
        for holder, name, value in reversed(self._changed):
            setattr(holder, name, value)
        self._methods.clear()
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
    loaded = list(sys.modules.values())
    if (
        loaded != _loaded
    ):  # A campaign makes sixty worlds a second, and there are a thousand modules.
        _loaded[:] = loaded
        _programs[:] = filter(_is_of_program, loaded)
    for module in _programs:
        for variable, value in list(vars(module).items()):
            yield module, variable, value


_loaded: list[ModuleType] = []
_programs: list[ModuleType] = []


def _is_of_program(module: ModuleType) -> bool:
    file = getattr(module, "__file__", None)
    name = getattr(module, "__name__", "")
    return _is_program(str(name), str(file or "")) and isinstance(module, ModuleType)


def _virtual() -> Iterator[tuple[Any, str, object]]:
    for name, make in _CLOCKS.items():
        yield time, name, _like(time, name, make(getattr(time, name)))
    for name, function in virtual_dates.of_time(_wall_ns):
        yield time, name, _like(time, name, function)
    yield time, "sleep", _like(time, "sleep", _sleep_instead(time.sleep))
    for name in DRAWS:
        draw = chance.draw_instead(name, getattr(random, name), running_host)
        yield random, name, _like(random, name, draw)
    yield random.Random, "seed", chance.seed_instead(random.Random.seed, running_host)
    urandom = _like(os, "urandom", chance.urandom_instead(os.urandom, running_host))
    yield os, "urandom", urandom
    yield random, "_urandom", urandom
    if hasattr(os, "getrandom"):
        getrandom = chance.urandom_instead(os.getrandom, running_host)
        yield os, "getrandom", _like(os, "getrandom", getrandom)
    yield uuid, "uuid1", _like(uuid, "uuid1", chance.uuid1_instead(uuid.uuid1, running_host))
    yield atexit, "register", _like(atexit, "register", _register_instead(atexit.register))
    yield os, "_exit", _like(os, "_exit", _exit_instead(os._exit))


def _virtual_methods() -> Iterator[tuple[type, str, object]]:
    for name, method in virtual_dates.of_datetime(_wall_ns):
        yield datetime, name, method


_MEMORIES: Final = [
    (module, name)
    for module, name in (
        (uuid, "_last_timestamp"),
        (uuid, "_last_timestamp_v6"),
        (uuid, "_last_timestamp_v7"),
        (tempfile, "_name_sequence"),
    )
    if hasattr(module, name)
]
"""What modules remember of earlier draws and readings: nothing, at the begin of a world."""


def _like(module: ModuleType, name: str, virtual: Any) -> Any:
    """Under the name of the real one, so that it is pickled as that."""
    virtual.__name__ = virtual.__qualname__ = name
    virtual.__module__ = module.__name__
    virtual.__doc__ = getattr(module, name).__doc__
    return virtual


def _calls_the_real_one(frames: int = 2) -> bool:
    """Whether the code that called the virtual function, so many frames up, waits for the operating system."""
    name = sys._getframe(frames).f_globals.get("__name__")
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
        host = world.users.running
        if world.reads > READS_AT_ONCE and host is not None:
            world.users.sleep(world.costs.poll)
            host.cpu_ns += world.costs.poll
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


def _wall_ns() -> int | None:
    """For the code that called the function which asks; None: it sees the real clock."""
    world = running_world()
    if world is None or _calls_the_real_one(3):
        return None
    return _shown(world, EPOCH_NS)


def _cpu_ns(world: "SimWorld") -> int:
    """Of the process: what it spent in loops that read a clock. All other code takes no time."""
    _read(world)
    host = world.users.running
    return 0 if host is None else host.cpu_ns


def _cpu_clock(unit: float | int) -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def make(real: Callable[[], Any]) -> Callable[[], Any]:
        def virtual() -> Any:
            world = running_world()
            if world is None or _calls_the_real_one():
                return real()
            return _cpu_ns(world) * unit

        return virtual

    return make


def _any_clock(unit: float | int) -> Callable[[Callable[[int], Any]], Callable[[int], Any]]:
    def make(real: Callable[[int], Any]) -> Callable[[int], Any]:
        def virtual(clk_id: int, /) -> Any:
            world = running_world()
            if world is None or _calls_the_real_one():
                return real(clk_id)
            if clk_id in _CPU_CLOCKS:
                return _cpu_ns(world) * unit
            return _shown(world, EPOCH_NS if clk_id == time.CLOCK_REALTIME else 0) * unit

        return virtual

    return make


_CPU_CLOCKS: Final = (time.CLOCK_PROCESS_CPUTIME_ID, time.CLOCK_THREAD_CPUTIME_ID)


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
    "process_time": _cpu_clock(1e-9),
    "process_time_ns": _cpu_clock(1),
    "thread_time": _cpu_clock(1e-9),
    "thread_time_ns": _cpu_clock(1),
    "clock_gettime": _any_clock(1e-9),
    "clock_gettime_ns": _any_clock(1),
}


def _sleep_instead(real: Callable[[float], None]) -> Callable[[float], None]:
    def sleep(seconds: float, /) -> None:
        world = running_world()
        if world is None or _calls_the_real_one():
            return real(seconds)
        if seconds < 0:
            raise ValueError("sleep length must be non-negative")
        return world.users.sleep(round(seconds * 1e9) + (world.costs.sleep if seconds else 0))

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


def is_program(frame: FrameType) -> bool:
    """Whether this is code of a program: neither Python's, nor an installed library's, nor ours."""
    name = frame.f_globals.get("__name__") or ""
    ours = name.partition(".")[0] == "raysim" and not name.startswith(_CALLS_FOR_PROGRAMS)
    file = frame.f_code.co_filename
    return not ours and not file.startswith("<frozen ") and not is_installed(file)


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

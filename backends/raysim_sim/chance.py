"""What simulated programs draw from instead of the operating system's chance. Never puts itself in place.

A task draws from streams of its own, so that one more draw in one task shifts none in another, wherever
they run. A driver and an actor have one set of streams for their life: a program may seed them.
"""

import importlib.machinery
import sys
import uuid
from collections.abc import Callable, Iterator
from random import Random
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from raysim_sim.streams import Streams

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost

Running: TypeAlias = Callable[[], "UserHost | None"]
"""Tells the simulated process whose code calls, if any."""

DRAWS: Final = (
    "betavariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getrandbits", "getstate",
    "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "random", "randrange",
    "sample", "seed", "setstate", "shuffle", "triangular", "uniform", "vonmisesvariate", "weibullvariate",
)  # fmt: skip
"""The functions of `random` that share one hidden generator."""

_NUMPY: Final = "numpy.random"
_NUMPY_NAMES: Final = {"seed": "seed", "ranf": "random_sample", "sample": "random_sample"}
"""Functions of numpy.random that are no methods of its hidden generator, and the methods that they are like."""


class Chance:
    """The streams of one task, or of one process. A stream is made when somebody draws from it."""

    __slots__ = ("_entropy", "_label", "_numpy", "_random", "_streams")

    def __init__(self, streams: Streams, label: str) -> None:
        self._streams = streams
        self._label = label
        self._random: Random | None = None
        self._entropy: Random | None = None
        self._numpy: Any = None

    @property
    def random(self) -> Random:
        """What the global functions of `random` draw from; a program may seed it."""
        if self._random is None:
            self._random = self._streams.own(f"{self._label}: user code")
        return self._random

    @property
    def entropy(self) -> Random:
        """What `os.urandom`, `uuid` and `secrets` draw from; nobody can seed it."""
        if self._entropy is None:
            self._entropy = self._streams.own(f"{self._label}: entropy")
        return self._entropy

    @property
    def numpy(self) -> Any:
        """What the global functions of `numpy.random` draw from."""
        if self._numpy is None:
            seed = self._streams.number(f"{self._label}: numpy") % 2**32
            self._numpy = sys.modules[_NUMPY].RandomState(seed)
        return self._numpy


def draw_instead(name: str, real: Callable[..., Any], running: Running) -> Callable[..., Any]:
    """The function `name` of `random`, on the stream of the code that calls."""

    def draw(*args: Any, **kwargs: Any) -> Any:
        host = running()
        function = real if host is None else getattr(host.chance.random, name)
        return function(*args, **kwargs)

    return draw


def _numpy_instead(name: str, real: Callable[..., Any], running: Running) -> Callable[..., Any]:
    def draw(*args: Any, **kwargs: Any) -> Any:
        host = running()
        function = real if host is None else getattr(host.chance.numpy, name)
        return function(*args, **kwargs)

    return draw


def urandom_instead(real: Callable[..., bytes], running: Running) -> Callable[..., bytes]:
    """`os.urandom`, and with it `uuid.uuid4`, `secrets` and what numpy seeds itself with; `os.getrandom`."""

    def urandom(size: int, /, *flags: int) -> bytes:
        host = running()
        if host is None or _imports_numpy or _draws_for_cloudpickle():
            return real(size, *flags)
        return host.chance.entropy.randbytes(size)

    return urandom


def _draws_for_cloudpickle() -> bool:
    """It knows classes by a `uuid4` for as long as the process lives: a second world of the same seed would
    draw the first one's again, and get its classes."""
    caller = sys._getframe(3)
    return caller.f_globals.get("__name__") == "cloudpickle.cloudpickle"


def seed_instead(real: Callable[..., None], running: Running) -> Callable[..., None]:
    """`random.Random.seed`: a generator that is given no seed asks the operating system, in C."""

    def seed(self: Random, a: Any = None, version: int = 2) -> None:
        host = running() if a is None else None
        if host is not None:
            a = host.chance.entropy.getrandbits(128)
        real(self, a, version)

    return seed


def uuid1_instead(real: Callable[..., uuid.UUID], running: Running) -> Callable[..., uuid.UUID]:
    """Of a node's own number, and never made by the system's library, which reads the clock itself."""

    def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:
        host = running()
        if host is not None:
            if node is None:
                node = (
                    int.from_bytes(host.address.node_id[-6:]) | 1 << 40
                )  # No number of real hardware.
            clock_seq = host.chance.entropy.getrandbits(14) if clock_seq is None else clock_seq
        return real(node, clock_seq)

    return uuid1


_imports_numpy = False
"""Whether it seeds its generators for the first time. That happens in the first world of a process only, and
must shift nothing there."""


class SeededNumpy:
    """numpy's functions that share a hidden generator, also where numpy is imported only meanwhile.

    The hidden generator itself is seeded as well: libraries reach for it.
    """

    def __init__(self, streams: Streams, running: Running) -> None:
        self._streams = streams
        self._running = running
        self._before: Any = None
        self._functions: dict[str, Any] = {}
        """Real ones that were exchanged."""

    def install(self) -> dict[int, object]:
        """By the identity of each function that was exchanged, what stands in its place."""
        found = sys.modules.get(_NUMPY)
        if found is not None:
            return self._exchange(found)
        sys.meta_path.insert(0, self)
        return {}

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        """Of Python's finders of modules: as the usual one, and then the exchange."""
        if name != _NUMPY:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None and spec.loader is not None:
            loader: Any = spec.loader
            execute = loader.exec_module

            def exec_module(module: ModuleType) -> None:
                global _imports_numpy
                _imports_numpy = True
                try:
                    execute(module)
                finally:
                    _imports_numpy = False
                if self in sys.meta_path:
                    self._exchange(module)

            loader.exec_module = exec_module
        return spec

    def _exchange(self, module: Any) -> dict[int, object]:
        exchanged: dict[int, object] = {}
        self._before = module.get_state()
        for name, method in _draws_of(module):
            real = getattr(module, name)
            virtual: Any = _numpy_instead(method, real, self._running)
            virtual.__name__ = virtual.__qualname__ = name
            virtual.__module__, virtual.__doc__ = _NUMPY, real.__doc__
            self._functions[name] = real
            exchanged[id(real)] = virtual
            setattr(module, name, virtual)
        self._functions["seed"](self._streams.number("numpy") % 2**32)
        return exchanged

    def restore(self) -> None:
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        if self._functions:
            module = sys.modules[_NUMPY]
            for name, real in self._functions.items():
                setattr(module, name, real)
            self._functions["set_state"](self._before)
            self._functions.clear()


def _draws_of(module: Any) -> Iterator[tuple[str, str]]:
    """Names of functions of numpy.random, and of the methods of a RandomState that they are."""
    hidden = module.mtrand._rand
    for name, value in list(vars(module).items()):
        if name in _NUMPY_NAMES:
            yield name, _NUMPY_NAMES[name]
        elif getattr(value, "__self__", None) is hidden:
            yield name, name

"""What simulated programs draw from instead of the operating system's chance. Never puts itself in place."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from raysim_sim.streams import Streams

if TYPE_CHECKING:
    from raysim_sim.hosts import UserHost

Running: TypeAlias = Callable[[], "UserHost | None"]
"""Tells the simulated process whose code calls, if any."""

DRAWS: Final = (
    "betavariate", "choice", "choices", "expovariate", "gammavariate", "gauss", "getrandbits", "getstate",
    "lognormvariate", "normalvariate", "paretovariate", "randbytes", "randint", "random", "randrange",
    "sample", "seed", "setstate", "shuffle", "triangular", "uniform", "vonmisesvariate", "weibullvariate",
)  # fmt: skip
"""The functions of `random` that share one hidden generator."""


def draw_instead(name: str, real: Callable[..., Any], running: Running) -> Callable[..., Any]:
    """The function `name` of `random`, on the stream of the process that calls."""

    def draw(*args: Any, **kwargs: Any) -> Any:
        host = running()
        function = real if host is None else getattr(host.user_random, name)
        return function(*args, **kwargs)

    return draw


def urandom_instead(real: Callable[[int], bytes], running: Running) -> Callable[[int], bytes]:
    """`os.urandom`, and with it `uuid.uuid4`, `secrets` and what numpy seeds itself with."""

    def urandom(size: int, /) -> bytes:
        host = running()
        if host is None or _draws_for_cloudpickle():
            return real(size)
        return host.user_entropy.randbytes(size)

    return urandom


def _draws_for_cloudpickle() -> bool:
    """It knows classes by a `uuid4` for as long as the process lives: a second world of the same seed would
    draw the first one's again, and get its classes."""
    caller = sys._getframe(3)
    return caller.f_globals.get("__name__") == "cloudpickle.cloudpickle"


class SeededNumpy:
    """numpy's hidden generator, where numpy is there already: one for all processes, as they run in turn."""

    def __init__(self, streams: Streams) -> None:
        self._streams = streams
        self._before: Any = None

    def seed(self) -> None:
        numpy = sys.modules.get("numpy")
        if numpy is not None:
            self._before = numpy.random.get_state()
            numpy.random.seed(self._streams.number("numpy") % 2**32)

    def restore(self) -> None:
        if self._before is not None:
            sys.modules["numpy"].random.set_state(self._before)
            self._before = None

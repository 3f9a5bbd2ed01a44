"""Remote functions: what `@remote` makes of a function. Never runs one."""

import functools
import inspect
from collections.abc import Callable
from typing import Any, NoReturn

from raysim.api.binding import binder
from raysim.api.resolve import refuse_decorators, task_options
from raysim.api.session import auto_init
from raysim.api.signature import Signature
from raysim.backend import RemoteTarget
from raysim.runtime.current import current

MAX_VARIANTS = 64
"""Sets of options that one function remembers: `f.options(...).remote()` in a loop checks them once."""


def option_key(given: dict[str, Any]) -> tuple[Any, ...] | None:
    """What tells options apart, types included (1 is not 1.0 here); None for what cannot be hashed."""
    key = tuple(
        (name, type(value), tuple(value.items()) if isinstance(value, dict) else value)
        for name, value in given.items()
    )
    try:
        hash(key)
    except TypeError:
        return None
    return key


class RemoteFunction:
    """A function that runs as a task: `f.remote(...)` gives a reference to its result at once.

    Ray: `ray.remote_function.RemoteFunction`. The function is pickled once per session, at the
    first call.
    """

    def __init__(self, function: Callable[..., Any], given: dict[str, Any]) -> None:
        self._function = function
        self._default_options = given
        self._look_at_function()

    def _look_at_function(self) -> None:
        function, given = self._function, self._default_options
        functools.update_wrapper(self, function)
        self._target = RemoteTarget(function, function.__qualname__)
        self._check = Signature.of(function).check
        self._variants: dict[tuple[Any, ...], RemoteFunction] = {}
        if given.get("num_gpus") and given.get("max_calls") is None:
            given = {**given, "max_calls": 1}  # Ray: so that the process does not keep GPU memory.
        self._apply(given)

    def _apply(self, given: dict[str, Any]) -> None:
        function = self._function
        self._default_options = given
        self._options = task_options(
            given, function.__name__, inspect.isgeneratorfunction(function)
        )
        self._num_returns = self._options.num_returns

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit one task. A reference; a list of them for num_returns > 1; None for 0; an
        ObjectRefGenerator for a generator.

        Arguments are serialised now; references among them are waited for and replaced by their
        values where the task runs. Raises TypeError when they do not fit the function.
        """
        self._check(args, kwargs)
        count = self._num_returns
        backend = current() or auto_init()
        refs = backend.submit_task(self._target, self._options, args, kwargs)
        if count == 1 or count < 0:
            return refs[0]
        return refs if count else None

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """A node of a graph (`raysim.dag`), for a call with these arguments; nodes may be among them."""
        return binder().function(self, args, kwargs)

    def options(self, **given: Any) -> "RemoteFunction":
        """The same function with these options on top of its own; it stays as it is."""
        key = option_key(given)
        known = self._variants.get(key) if key is not None else None
        if known is not None:
            return known
        refuse_decorators(given, self._options.per_yield)
        other = object.__new__(RemoteFunction)
        other.__dict__.update(self.__dict__)
        other._variants = {}
        other._apply({**self._default_options, **given})
        if key is not None and len(self._variants) < MAX_VARIANTS:
            self._variants[key] = other
        return other

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        name = f"{self._function.__module__}.{self._function.__name__}"
        raise TypeError(
            "Remote functions cannot be called directly. Instead of running "
            f"'{name}()', try '{name}.remote()'."
        )

    def __getattr__(self, name: str) -> Any:
        # `_num_returns` comes last: another thread may be half-way, and what it does may be done twice.
        if "_num_returns" in self.__dict__ or "_function" not in self.__dict__:
            raise AttributeError(f"'RemoteFunction' object has no attribute {name!r}")
        self._look_at_function()
        return getattr(self, name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._function, self._default_options)

    def __repr__(self) -> str:
        return f"RemoteFunction({self._function.__module__}.{self._function.__qualname__})"


def _unpickled(function: Callable[..., Any], given: dict[str, Any]) -> RemoteFunction:
    """Looks at the function when it is first used: where that refers to itself, it has no defaults yet."""
    made = object.__new__(RemoteFunction)
    made._function = function
    made._default_options = given
    return made

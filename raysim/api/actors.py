"""Actor classes: what `@remote` makes of a class. Never runs a method: see handles."""

from collections.abc import Callable
from typing import Any, NoReturn

from raysim.api.binding import binder
from raysim.api.ending import exit_actor
from raysim.api.handles import ActorHandle
from raysim.api.methods import constructor, encode_methods, groups_of, is_async, with_limits
from raysim.api.options import ACTOR_OPTIONS, validate
from raysim.api.resolve import actor_options
from raysim.api.session import auto_init
from raysim.backend import RemoteTarget
from raysim.runtime.current import current


class ActorClassInheritanceException(TypeError):
    """An actor class cannot be a base class: derive from the plain class instead."""


class ActorClass:
    """A class whose instances live in processes of their own: `A.remote(...)` gives a handle.

    Ray: `ray.actor.ActorClass`. Attributes, static methods and class methods of the plain class
    are reachable on it.
    """

    def __init__(self, cls: type, given: dict[str, Any]) -> None:
        self._cls = cls
        self._default_options = given
        self._look_at_class()

    def _look_at_class(self) -> None:
        cls = self._cls
        own = _with_own_methods(cls)
        self._target = RemoteTarget(own, cls.__name__)
        self._meta = encode_methods(own)
        self._is_async = is_async(cls)
        self._groups = groups_of(self._meta)
        self._check = constructor(cls).check
        self._apply(self._default_options)

    def _apply(self, given: dict[str, Any]) -> None:
        self._default_options = given
        calls = given.get("max_pending_calls")
        items = given.get("_actor_generator_backpressure_num_objects")
        meta = self._meta
        if isinstance(calls, int) or isinstance(items, int):
            meta = with_limits(meta, calls or 0, items or 0)
        self._options = actor_options(given, meta, self._is_async)

    def remote(self, *args: Any, **kwargs: Any) -> ActorHandle:
        """Begin to create an actor; its constructor's error shows at its first method's result.

        Raises TypeError when the arguments do not fit the constructor, ActorAlreadyExistsError
        when the name is taken.
        """
        self._check(args, kwargs)
        options = self._options
        assert self._groups <= options.concurrency_groups.keys(), (
            f"Methods of {self._cls.__name__} are in concurrency groups that it does not have: "
            f"{', '.join(sorted(self._groups - options.concurrency_groups.keys()))}. Name them in "
            "@remote(concurrency_groups={...})."
        )
        if (
            self._default_options.get("allow_out_of_order_execution") is False
            and options.out_of_order
        ):
            raise ValueError(
                "allow_out_of_order_execution=False is for actors that run one call at a time, but "
                f"{self._cls.__name__} is {'asynchronous' if options.is_async else 'threaded'}: "
                "its calls run out of order in any case. Leave the option out."
            )
        backend = current() or auto_init()
        return ActorHandle(backend.create_actor(self._target, options, args, kwargs))

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """A node of a graph (`raysim.dag`) that creates an actor when the graph is executed."""
        return binder().actor_class(self, args, kwargs)

    def options(self, **given: Any) -> "ActorClass":
        """The same class with these options on top of its own; it stays as it is."""
        validate(given, ACTOR_OPTIONS, "actors")
        if "concurrency_groups" in given:
            raise ValueError("Setting 'concurrency_groups' is not supported in '.options()'.")
        other = object.__new__(ActorClass)
        other.__dict__.update(self.__dict__)
        other._apply({**self._default_options, **given})
        return other

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        name = self._cls.__name__
        raise TypeError(
            f"Actors cannot be instantiated directly. Instead of '{name}()', use '{name}.remote()'."
        )

    def __mro_entries__(self, bases: tuple[Any, ...]) -> NoReturn:
        raise ActorClassInheritanceException(
            f"Attempted to derive from actor class {self._cls.__name__!r}. Derive from a plain "
            "class, and make the derived class an actor class with @remote."
        )

    def __getattr__(self, name: str) -> Any:
        if name not in _OWN_ATTRIBUTES:
            return getattr(self._cls, name)
        if name in _ALWAYS_THERE:
            raise AttributeError(name)  # While unpickling, before there is a class to ask.
        self._look_at_class()
        return self.__dict__[name]

    def __reduce__(self) -> tuple[Any, ...]:
        return _unpickled, (self._cls, self._default_options)

    def __repr__(self) -> str:
        return f"ActorClass({self._cls.__name__})"


_OWN_ATTRIBUTES = (
    "_cls",
    "_target",
    "_meta",
    "_is_async",
    "_groups",
    "_check",
    "_default_options",
    "_options",
)


_ALWAYS_THERE = ("_cls", "_default_options")


def _unpickled(cls: type, given: dict[str, Any]) -> ActorClass:
    """Looks at the class when it is first used: it has no methods yet where one of them refers to it."""
    made = object.__new__(ActorClass)
    made._cls = cls
    made._default_options = given
    return made


def _ray_ready(self: object) -> bool:
    return True


def _ray_call(self: object, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return function(self, *args, **kwargs)


def _ray_terminate(self: object) -> None:
    exit_actor()


def _with_own_methods(cls: type) -> type:
    """The class with the methods that Ray gives every actor; to its user it looks the same."""
    members = {
        "__module__": cls.__module__,
        "__qualname__": cls.__qualname__,
        "__doc__": cls.__doc__,
        "__ray_ready__": _ray_ready,
        "__ray_call__": _ray_call,
        "__ray_terminate__": _ray_terminate,
    }
    return type(cls)(cls.__name__, (cls,), members)

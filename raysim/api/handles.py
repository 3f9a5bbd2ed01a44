"""Actor handles and their methods: calls on an actor from any process. Never the actor itself."""

from typing import Any, NoReturn

import msgspec

from raysim.api import session
from raysim.api.binding import binder
from raysim.api.methods import Method, decode_methods
from raysim.api.options import METHOD_OPTIONS, unknown_name
from raysim.api.resolve import call_options
from raysim.api.session import auto_init
from raysim.backend import ActorRecord, CallOptions
from raysim.exceptions import ActorHandleNotFoundError
from raysim.runtime.current import current
from raysim.spec.ids import ActorId


class ActorMethod(msgspec.Struct, gc=False, eq=False):
    """A method of one actor: `handle.m.remote(...)`. Holds what a handle holds, so that a temporary one lives,
    and not the handle, which keeps its methods: that would be a circle."""

    _record: ActorRecord
    _session: int
    _method: Method
    _options: CallOptions

    @property
    def _handle(self) -> "ActorHandle":
        return _rebuild(self._record, self._session)

    def remote(self, *args: Any, **kwargs: Any) -> Any:
        """Submit one call. A reference; a list of them for num_returns > 1; None for 0; an
        ObjectRefGenerator for a generator.

        Calls from one process on one actor run in the order in which they were submitted.
        """
        method, options = self._method, self._options
        method.signature.check(args, kwargs)
        if self._session != session.number and session.is_over(self._session):
            raise _stale(self._handle)
        backend = current() or auto_init()
        refs = backend.call_actor(self._record.actor_id, method.name, options, args, kwargs)
        count = options.num_returns
        if count == 1 or count < 0:
            return refs[0]
        return refs if count else None

    def bind(self, *args: Any, **kwargs: Any) -> Any:
        """A node of a graph (`raysim.dag`), for a call with these arguments; nodes may be among them.

        One that returns several values gives a node for each. Raises TypeError as `.remote()`.
        """
        self._method.signature.check(args, kwargs)
        return binder().method(self, args, kwargs)

    def options(self, **given: Any) -> "ActorMethod":
        """The same method with these options on top of its own, as `@method` takes them."""
        for name in given:
            if name not in METHOD_OPTIONS:
                raise TypeError(unknown_name(name, METHOD_OPTIONS, "actor methods"))
        if "_num_objects_per_yield" in given:
            raise ValueError(
                "_num_objects_per_yield cannot be overridden per actor method call. "
                "Use @ray.method(_num_objects_per_yield=...) instead."
            )
        new = call_options(given, self._method.is_generator)
        old = self._options
        merged = CallOptions(
            num_returns=new.num_returns if "num_returns" in given else old.num_returns,
            item_limit=(
                new.item_limit if "_generator_backpressure_num_objects" in given else old.item_limit
            ),
            max_task_retries=(
                old.max_task_retries if new.max_task_retries is None else new.max_task_retries
            ),
            retry_exceptions=(
                old.retry_exceptions
                if given.get("retry_exceptions") is None
                else new.retry_exceptions
            ),
            retry_only=(
                old.retry_only if given.get("retry_exceptions") is None else new.retry_only
            ),
            concurrency_group=new.concurrency_group or old.concurrency_group,
            max_pending_calls=old.max_pending_calls,
            name=new.name or old.name,
        )
        return ActorMethod(self._record, self._session, self._method, merged)

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError(
            "Actor methods cannot be called directly. Instead of running "
            f"'object.{self._method.name}()', try 'object.{self._method.name}.remote()'."
        )

    def __repr__(self) -> str:
        return f"ActorMethod({self._record.class_name}.{self._method.name})"


class ActorHandle:
    """A reference to an actor. Equal to, and hashed as, any other handle of it.

    Counted: when the last handle in the cluster is gone the actor ends, after the calls submitted
    before. Handles from `get_actor` and of detached actors do not count.

    A method that was asked for once is an attribute from then on: that costs a fifth of asking again.
    """

    def __init__(self, record: ActorRecord) -> None:
        self._ray_record = record
        self._ray_actor_id: ActorId = record.actor_id
        self._ray_methods = decode_methods(record.method_meta)
        self._ray_session = session.number

    def __getattr__(self, name: str) -> ActorMethod:
        if name == "_ray_methods":
            raise AttributeError(name)  # Of a handle that is not made yet: there is nothing to ask.
        method = self._ray_methods.get(name)
        if method is None:
            raise AttributeError(
                f"'ActorHandle' object has no attribute {name!r}: actor class "
                f"{self._ray_record.class_name} has {', '.join(self._ray_methods)}."
            )
        found = ActorMethod(self._ray_record, self._ray_session, method, method.options)
        self.__dict__[name] = found
        return found

    def __dir__(self) -> list[str]:
        return list(self._ray_methods)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorHandle) and self._ray_actor_id == other._ray_actor_id

    def __hash__(self) -> int:
        return hash(self._ray_actor_id)

    def __repr__(self) -> str:
        return f"Actor({self._ray_record.class_name}, {self._ray_actor_id.hex()})"

    def __reduce__(self) -> tuple[Any, ...]:
        record = self._ray_record
        return _load, (record.actor_id, record.class_name, record.method_meta, record.ref)


def _load(actor_id: ActorId, class_name: str, meta: bytes, ref: Any) -> ActorHandle:
    return ActorHandle(ActorRecord(actor_id, class_name, meta, ref))


def _rebuild(record: ActorRecord, session_number: int) -> ActorHandle:
    """Of the session in which it was made."""
    handle = ActorHandle(record)
    handle._ray_session = session_number
    return handle


def _stale(handle: ActorHandle) -> ActorHandleNotFoundError:
    return ActorHandleNotFoundError(
        f"{handle!r} belongs to a session that has ended: handles are not valid after shutdown(). "
        "Create the actor again, or look it up with get_actor()."
    )


def kill(actor: ActorHandle, *, no_restart: bool = True) -> None:
    """End an actor's process at once. Its pending and future calls fail with ActorDiedError.

    `no_restart=False` lets it start again if `max_restarts` allows. Raises ValueError for what is
    no handle, ActorHandleNotFoundError for a handle of an earlier session.
    """
    if not isinstance(actor, ActorHandle):
        raise ValueError(
            f"kill() is for actors only; for tasks there is cancel(). Got: {type(actor).__name__}."
        )
    backend = current() or auto_init()
    if session.is_over(actor._ray_session):
        raise _stale(actor)
    backend.kill_actor(actor._ray_actor_id, no_restart)


def get_actor(name: str, namespace: str | None = None) -> ActorHandle:
    """A handle of the live actor of this name. It does not keep the actor alive.

    Raises ValueError when there is none, or when the name or the namespace is empty.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, but it is {type(name).__name__}.")
    if not name:
        raise ValueError("Please supply a non-empty value to get_actor.")
    if namespace is not None and not isinstance(namespace, str):
        raise TypeError("namespace must be None or a string.")
    if namespace == "":
        raise ValueError('"" is not a valid namespace. Pass None to not specify a namespace.')
    backend = current() or auto_init()
    return ActorHandle(backend.get_actor(name, namespace or ""))

"""What user code raised, as it travels and as `get` raises it. Never what the system found: see exceptions.

`RayTaskError.of` makes it where it happened, `as_instanceof_cause` gives what `get` raises.
"""

import traceback
import types
from collections.abc import Callable
from typing import Any

import cloudpickle

_OWN_FRAMES = (
    __file__.removesuffix("task_error.py"),
    "/raysim_sim/",
    "/raysim_cluster/",
    "/raysim_ray/",
)
"""Parts of paths whose frames a user need not see in a remote traceback."""

_SlotTypes = (types.MemberDescriptorType, types.GetSetDescriptorType)


class RayError(Exception):
    """The root of all errors of raysim. Ray: `RayError`."""

    __module__ = "raysim.exceptions"


class UnserializableException(RayError):
    """An exception of user code that could not be unpickled: its text and traceback instead."""

    __module__ = "raysim.exceptions"

    def __str__(self) -> str:
        return f"The exception cannot be unpickled. It was:\n{super().__str__()}"


class RayTaskError(RayError):
    """User code raised in a task or an actor method. Ray: `RayTaskError`.

    `cause` is the exception itself, or a stand-in with its text when it cannot be pickled.
    """

    __module__ = "raysim.exceptions"

    def __init__(
        self,
        function_name: str,
        traceback_str: str,
        cause: BaseException,
        proctitle: str | None = None,
        pid: int | None = None,
        ip: str | None = None,
        actor_repr: str | None = None,
        actor_id: str | None = None,
    ) -> None:
        super().__init__(
            function_name, traceback_str, cause, proctitle, pid, ip, actor_repr, actor_id
        )
        self.function_name = function_name
        self.traceback_str = traceback_str
        self.cause = cause
        self.proctitle = proctitle or f"ray::{function_name}"
        self.pid = pid or 0
        self.ip = ip or ""
        self.actor_repr = actor_repr
        self._actor_id = actor_id

    @classmethod
    def of(
        cls,
        error: BaseException,
        function_name: str,
        pid: int | None = None,
        ip: str | None = None,
        actor_repr: str | None = None,
        actor_id: str | None = None,
    ) -> "RayTaskError":
        """Of what user code just raised; call it while the exception has its traceback.

        A `RayTaskError` of a task inside is not wrapped again: its innermost cause is kept.
        """
        text = "".join(traceback.format_exception(error))
        cause = error.cause if isinstance(error, RayTaskError) else portable(error, text)
        return cls(function_name, text, cause, None, pid, ip, actor_repr, actor_id)

    def as_instanceof_cause(self) -> "RayTaskError":
        """The same error as an instance of the cause's class too, for `except ValueError`.

        The plain error where the cause's class cannot be a base class.
        """
        cause = self.cause
        if issubclass(RayTaskError, type(cause)):
            return self
        try:
            return dual_class(type(cause))(cause, str(self))
        except Exception:  # noqa: BLE001  (whatever a user's metaclass or constructor may raise)
            return self

    def __str__(self) -> str:
        where = f"pid={self.pid}, ip={self.ip}"
        if self.actor_repr:
            where += f", actor_id={self._actor_id}, repr={self.actor_repr}"
        return readable(self.traceback_str, f"{self.proctitle}() ({where})")


def dual_class(cause_class: type[BaseException]) -> Callable[[BaseException, str], RayTaskError]:
    """Makes errors of class `RayTaskError(X)`: both a RayTaskError and an X.

    Raises TypeError where X forbids subclasses.
    """

    def make(cause: BaseException, text: str) -> RayTaskError:
        error: RayTaskError
        if isinstance(cause, BaseExceptionGroup):
            error = dual.__new__(dual, cause.message, cause.exceptions)
        else:
            error = dual.__new__(dual)
        error.__dict__.update(vars(cause), _cause=cause, _text=text)
        return error

    # `args`, `__str__` and attribute access go to the cause without calling its constructor,
    # whose parameters nobody knows.
    members: dict[str, Any] = {
        "__module__": "raysim.exceptions",
        "__init__": lambda self, *_: None,
        "cause": property(lambda self: self.__dict__["_cause"]),
        "args": property(lambda self: (self.__dict__["_cause"],)),
        "__str__": lambda self: self.__dict__["_text"],
        "__reduce__": lambda self: (_rebuild_dual, (self.__dict__["_cause"], str(self))),
        "__getattr__": lambda self, name: getattr(self.__dict__["_cause"], name),
    }
    for name, slot in _slots(cause_class):
        members.setdefault(name, slot)
    dual: Any = type(f"RayTaskError({cause_class.__name__})", (RayTaskError, cause_class), members)
    return make


def _slots(cause_class: type) -> list[tuple[str, property]]:
    """Attributes such as `OSError.errno`, which live in the object and not in its `__dict__`."""

    def delegate(name: str) -> property:
        return property(lambda self: getattr(self.__dict__["_cause"], name))

    return [
        (name, delegate(name))
        for cls in cause_class.__mro__
        if cls not in BaseException.__mro__
        for name, value in vars(cls).items()
        if isinstance(value, _SlotTypes) and not name.startswith("__")
    ]


def _rebuild_dual(cause: BaseException, text: str) -> RayTaskError:
    return dual_class(type(cause))(cause, text)


def portable(error: BaseException, text: str) -> BaseException:
    """The exception if it survives pickling, else a stand-in with its type and text."""
    kind = f"{type(error).__module__}.{type(error).__qualname__}"
    try:
        pickled = cloudpickle.dumps(error)
    except Exception as refusal:  # noqa: BLE001  (a user's __reduce__ may raise anything)
        return RayError(f"Exception {kind} isn't serializable: {refusal}.\nOriginal:\n{text}")
    try:
        cloudpickle.loads(pickled)
    except Exception:  # noqa: BLE001  (a user's __init__ that does not fit its args, typically)
        return UnserializableException(text)
    return error


def readable(text: str, title: str) -> str:
    """A remote traceback without our own frames, its header naming the process."""
    kept: list[str] = []
    hidden = False
    for line in text.strip().split("\n"):
        if line.startswith("Traceback "):
            hidden = False
            kept.append(title)
        elif line.startswith("  File "):
            hidden = any(part in line for part in _OWN_FRAMES)
            if not hidden:
                kept.append(line)
        elif not (hidden and line.startswith("    ")):
            hidden = False
            kept.append(line)
    return "\n".join(kept)

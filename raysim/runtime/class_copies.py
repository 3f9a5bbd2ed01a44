"""Actor classes as they were made, before this process unpickled copies of them. Never what a program changed.

Simulated workers unpickle in the process that pickled. cloudpickle knows the class there, and gives it the copies
of its functions and strings that came with the pickle. They are equal, but no longer the same objects that other
parts refer to: pickled again in a later session, the class would have another size, and the run other times.
"""

from __future__ import annotations

from types import FunctionType
from typing import Any, Final
from weakref import WeakKeyDictionary

_as_made: Final[WeakKeyDictionary[type, dict[str, Any]]] = WeakKeyDictionary()


def restore(target: object) -> None:
    """Before a class is pickled: remember what it is made of, or put that back in place of copies."""
    if not isinstance(target, type) or "<locals>" in target.__qualname__:
        return  # One that is made in a function is another class each time.
    # The class with Ray's own methods, and the user's class under it.
    for cls in target.__mro__[:2]:
        made = _as_made.get(cls)
        if made is None:
            _as_made[cls] = dict(vars(cls))
            continue
        for name, value in made.items():
            now = vars(cls).get(name)
            if now is not value and _is_copy(now, value):
                setattr(cls, name, value)


def _is_copy(now: Any, made: Any) -> bool:
    """Whether it says the same; what a program has put there itself stays."""
    now, made = getattr(now, "__func__", now), getattr(made, "__func__", made)
    if isinstance(now, FunctionType) and isinstance(made, FunctionType):
        return now.__code__ == made.__code__
    return isinstance(now, str) and isinstance(made, str) and now == made

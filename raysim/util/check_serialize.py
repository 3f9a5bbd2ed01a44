"""`inspect_serializability`: which variable inside a value cannot be pickled. Never changes it."""

import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any, TextIO

import cloudpickle

DEPTH = 3
"""Levels of variables looked into. Ray: `inspect_serializability`."""


class FailureTuple:
    """One variable that cannot be serialised: itself, the names that lead to it, what holds it."""

    def __init__(self, obj: Any, path: tuple[str, ...], parent: Any) -> None:
        self.obj = obj
        self.path = path
        self.parent = parent

    @property
    def name(self) -> str:
        return self.path[-1] if self.path else "unknown"

    def __repr__(self) -> str:
        path = " -> ".join(self.path)
        return f"FailTuple({self.name} [path={path}, obj={self.obj!r}, parent={self.parent!r}])"


def inspect_serializability(
    base_obj: Any,
    name: str | None = None,
    depth: int = DEPTH,
    print_file: TextIO | None = None,
) -> tuple[bool, set[FailureTuple]]:
    """Whether the value can be serialised, and which variables inside it cannot.

    Looks into closures and globals of functions, members of objects, elements of containers,
    `depth` levels down, and writes what it finds to `print_file` (default: standard output).
    """
    out = print_file if print_file is not None else sys.stdout
    search = _Search(out)
    title = f"Checking Serializability of {base_obj!r}"
    line = "=" * min(len(title), 80)
    out.write(f"{line}\n{title}\n{line}\n")
    fine = search.check(base_obj, (name,) if name else (), None, depth, 0)
    if not fine:
        out.write(f"{line}\nCannot be serialised:\n")
        for failure in search.failures:
            out.write(f"\t{failure}\n")
        out.write(
            "There may be others. Make these variables inside the function or class that is "
            f"sent, instead of outside of it, or leave them out with __getstate__.\n{line}\n"
        )
    return fine, set(search.failures)


class _Search:
    def __init__(self, out: TextIO) -> None:
        self._out = out
        self.failures: list[FailureTuple] = []
        self._seen: set[int] = set()

    def check(self, obj: Any, path: tuple[str, ...], parent: Any, depth: int, level: int) -> bool:
        """Whether it can be pickled; if not, the innermost reasons found are noted."""
        refusal = _refusal(obj)
        if refusal is None:
            return True
        self._say(level, f"!!! FAIL serialization: {refusal}")
        self._seen.add(id(obj))
        found = False
        if depth > 0:
            for name, inner in _parts(obj):
                if id(inner) in self._seen or _refusal(inner) is None:
                    continue
                found = True
                self._say(level + 1, f"Serializing {name!r} {inner!r}...")
                self.check(inner, (*path, name), obj, depth - 1, level + 1)
        if not found:
            self.failures.append(FailureTuple(obj, path, parent))
        return False

    def _say(self, level: int, text: str) -> None:
        self._out.write("    " * level + text + "\n")


def _refusal(obj: Any) -> str | None:
    try:
        cloudpickle.dumps(obj)
    except Exception as error:  # noqa: BLE001  (a user's __reduce__ may raise anything)
        return str(error) or type(error).__name__
    return None


def _parts(obj: Any) -> Iterator[tuple[str, Any]]:
    """What is inside, by name."""
    if inspect.ismethod(obj):
        yield "__self__", obj.__self__
        obj = obj.__func__
    if inspect.isfunction(obj):
        closure = inspect.getclosurevars(obj)
        yield from closure.globals.items()
        yield from closure.nonlocals.items()
    elif isinstance(obj, Mapping):
        for key, value in obj.items():
            yield str(key), value
    elif isinstance(obj, list | tuple | set | frozenset):
        for index, value in enumerate(obj):
            yield str(index), value
    elif inspect.isclass(obj) or hasattr(obj, "__dict__"):
        yield from (
            (name, value)
            for name, value in vars(obj).items()
            if not (name.startswith("__") and name.endswith("__"))
        )

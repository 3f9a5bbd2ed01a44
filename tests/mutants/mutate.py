"""Takes one safeguard out of a class of the protocol, or watches it, and puts it back. Never touches a file."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

_DECIDES = re.compile(r"(if |elif |return |\w+ = )(.*?)(:?)")


class Need(NamedTuple):
    """When a run comes to need a safeguard: at this text of a method, which is in its source once, if this holds."""

    place: str
    text: str
    when: str


class Mutant(NamedTuple):
    """`place`: module:Class.method, below raysim.protocol. `old` is in its source once, and becomes `new`."""

    name: str
    place: str
    old: str
    new: str
    why: str
    """What the safeguard is for; the thread of Ray's where one tells of it."""
    need: Need | None = None
    """None: where `old` and `new`, which change nothing, are different."""

    def watching(self) -> tuple[str, str, str]:
        """Where a run is watched: a place, what is in its source, and the same that tells where it needs this."""
        if self.need is not None:
            text = self.need.text
            asked = f"_asked({self.name!r}, False, {self.need.when})"
            is_if = text.startswith("if ")
            changed = text.replace("if ", f"if {asked} or ", 1) if is_if else f"{asked}; {text}"
            return self.need.place, text, changed
        return self.place, self.old, self._watching()

    def _watching(self) -> str:
        one, other = _DECIDES.fullmatch(self.old), _DECIDES.fullmatch(self.new)
        if one is None or other is None or one[1] != other[1]:
            return f"_arose({self.name!r}); {self.old}"
        return f"{one[1]}_asked({self.name!r}, {one[2]}, {other[2]}){one[3]}"


class Patch:
    """A method, as it is and as it shall be. Raises AssertionError where a text is not in its source once."""

    def __init__(
        self, place: str, changes: Iterable[tuple[str, str]], names: dict[str, Any] | None = None
    ) -> None:
        module_name, _, path = place.partition(":")
        class_name, _, self._method = path.partition(".")
        module = importlib.import_module(f"raysim.protocol.{module_name}")
        self._cls = getattr(module, class_name)
        self._original = self._cls.__dict__[self._method]
        source = original = textwrap.dedent(inspect.getsource(self._original))
        for old, new in changes:
            assert original.count(old) == 1, f"{place}: {old!r} is not once in\n{original}"
            assert source.count(old) == 1, f"{place}: {old!r} is changed twice"
            source = source.replace(old, new)
        made: dict[str, Any] = {}
        known = module.__dict__ if names is None else {**module.__dict__, **names}
        # The source is this repository's own.
        exec(compile(source, f"<{place}>", "exec"), known, made)
        self._changed = made[self._method]

    def __enter__(self) -> None:
        setattr(self._cls, self._method, self._changed)

    def __exit__(self, *_: object) -> None:
        setattr(self._cls, self._method, self._original)


def without(mutant: Mutant) -> Patch:
    """The safeguard is gone while it is entered; made while no other patch is."""
    return Patch(mutant.place, [(mutant.old, mutant.new)])


class Watch:
    """Which safeguards a run came to need: in a run that needs none of them, nobody notices that it is gone."""

    def __init__(self, mutants: Iterable[Mutant]) -> None:
        self.arose: set[str] = set()
        changes: dict[str, list[tuple[str, str]]] = {}
        for mutant in mutants:
            place, text, changed = mutant.watching()
            changes.setdefault(place, []).append((text, changed))
        names: dict[str, Callable[..., Any]] = {"_arose": self.arose.add, "_asked": self._asked}
        self._patches = [Patch(place, pairs, names) for place, pairs in changes.items()]

    def _asked(self, name: str, as_it_is: Any, as_mutated: Any) -> Any:
        if bool(as_it_is) != bool(as_mutated):
            self.arose.add(name)
        return as_it_is

    @contextmanager
    def over(self) -> Iterator[set[str]]:
        """One run."""
        self.arose.clear()
        for patch in self._patches:
            patch.__enter__()
        try:
            yield self.arose
        finally:
            for patch in self._patches:
                patch.__exit__()

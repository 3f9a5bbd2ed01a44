"""What people may name with arguments: `power_of_d(d=3)`, `module:Class`, `mine.py:Mine`. Never decides anything."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

from raysim.spec.call_text import hint, parse_call

_Made = TypeVar("_Made")

Configured: TypeAlias = tuple[Callable[..., _Made], Mapping[str, object]]
"""A class, and arguments that it is given where the text says nothing of them."""

DOCS: Final = "docs/policies.md"


class Catalogue(msgspec.Struct, Generic[_Made], frozen=True):
    """Classes of one kind: those of raysim, those of installed packages, and those that are named by their place."""

    kind: str
    """As errors say it: `policy`."""
    group: str
    """Of entry points: a name, and the class."""
    example: str
    """One well written."""
    methods: tuple[str, ...]
    """One of these makes a class one of the kind."""
    own: Mapping[str, Callable[..., _Made]]

    def names(self) -> list[str]:
        """Those that can be given by name alone: raysim's, then those that others have installed."""
        return list(dict.fromkeys([*self.own, *sorted(self._installed())]))

    def knows(self, text: str) -> bool:
        """Whether what the text names is one of these, whatever its arguments."""
        try:
            self._found(parse_call(text, self.kind, self.example).name)
        except ValueError:
            return False
        return True

    def create(self, text: str, configured: Mapping[str, Configured[_Made]] = {}) -> _Made:
        """A new one, as written. `configured`: those that have other defaults here, by name.

        Raises ValueError that says what is wrong and what was probably meant.
        """
        call = parse_call(text, self.kind, self.example)
        make, preset = configured.get(call.name) or (self._found(call.name), {})
        arguments = self._arguments(call.name, make, call.arguments, preset)
        try:
            return make(**arguments)
        except ValueError as error:
            raise ValueError(f"{self.kind} {text!r}: {error}") from error

    def _found(self, name: str) -> Callable[..., _Made]:
        own = self.own.get(name)
        if own is not None:
            return own
        place, colon, attribute = name.rpartition(":")
        if colon:
            return self._class(name, self._module(name, place), attribute)
        value = self._installed().get(name)
        if value is not None:
            module, _, attribute = value.partition(":")
            return self._class(f"{name} = {value}", self._module(name, module), attribute)
        raise ValueError(f"unknown {self.kind} {name!r}{hint(name, self.names())}")

    def _installed(self) -> dict[str, str]:
        """Name to `module:Class`, of other packages."""
        from importlib.metadata import (
            entry_points,
        )  # Every start would pay for it, and few need it.

        return {entry.name: entry.value for entry in entry_points(group=self.group)}

    def _module(self, name: str, place: str) -> object:
        try:
            return _imported(place)
        except (ImportError, OSError, SyntaxError) as error:
            raise ValueError(f"{self.kind} {name!r} cannot be loaded: {error}") from error

    def _class(self, name: str, module: object, attribute: str) -> Callable[..., _Made]:
        found = getattr(module, attribute, None)
        if found is None:
            there = [one for one, value in vars(module).items() if self._is_one(value)]
            raise ValueError(
                f"{self.kind} {name!r}: there is no {attribute!r}{hint(attribute, there)}"
            )
        if not (isinstance(found, type) and self._is_one(found)):
            wanted = " or ".join(f"`{one}`" for one in self.methods)
            raise ValueError(f"{self.kind} {name!r} is no class with a method {wanted}: see {DOCS}")
        return found

    def _is_one(self, value: object) -> bool:
        return any(callable(getattr(value, one, None)) for one in self.methods)

    def _arguments(
        self,
        name: str,
        make: Callable[..., _Made],
        given: Mapping[str, str],
        preset: Mapping[str, object],
    ) -> dict[str, object]:
        """As its constructor declares them: whole numbers, numbers, texts, true or false."""
        known = _parameters(make)
        for word in given:
            if word not in known:
                raise ValueError(f"{self.kind} {name} has no argument {word!r}{hint(word, known)}")
        for word, parameter in known.items():
            if word not in given and word not in preset and parameter.default is parameter.empty:
                what = f"{self.kind} {name} needs {word!r}; write it as {name}({word}=...)"
                raise ValueError(what)
        said = {word: self._value(name, known[word], text) for word, text in given.items()}
        return {**preset, **said}

    def _value(self, name: str, parameter: inspect.Parameter, text: str) -> object:
        form = parameter.annotation
        try:
            if form is bool:
                return {"true": True, "false": False}[text.lower()]
            return form(text) if form in (int, float) else text
        except (KeyError, ValueError):
            wants = {bool: "true or false", int: "a whole number", float: "a number"}[form]
            what = f"{self.kind} {name}: {parameter.name} must be {wants}, not {text!r}"
            raise ValueError(what) from None


def located(text: str, folder: Path) -> str:
    """The same one for who runs elsewhere: the path of its file, if it has one, is absolute."""
    file, colon, rest = text.partition(":")
    if not colon or not file.endswith(".py"):
        return text
    return f"{(folder / file).resolve()}:{rest}"


@cache
def _parameters(make: Callable[..., object]) -> Mapping[str, inspect.Parameter]:
    """Once, however many nodes and worlds there are."""
    if getattr(make, "__init__", None) is object.__init__:
        return {}  # To find that out takes a parser of Python: 2 MB of every raylet.
    return inspect.signature(make, eval_str=True).parameters


@cache
def _imported(place: str) -> object:
    """Once, however many nodes a simulated cluster has."""
    if not place.endswith(".py"):
        return import_module(place)
    spec = spec_from_file_location(Path(place).stem, place)
    assert spec is not None, f"{place} is no Python file"
    assert spec.loader is not None, f"{place} is no Python file"
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

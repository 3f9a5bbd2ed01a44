"""A parsed text that still knows where each of its values stands. Never says what they mean."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from raysim.scenario.problems import Place, Problem

Path: TypeAlias = tuple[str | int, ...]
"""The keys and indices that lead from the top of a document to a value."""


@dataclass(frozen=True)
class Places:
    """Where each value of a document stands, and where the key in front of it stands."""

    values: Mapping[Path, Place]
    keys: Mapping[Path, Place]
    files: Mapping[Path, str] = field(default_factory=dict)
    """Of values that stand in another file than the document's own."""


@dataclass(frozen=True)
class Document:
    """Plain data (dict, list, str, int, float, bool, None) with the places of its parts.

    The places are found when the first problem asks for them, so a right file does not pay.
    """

    file: str
    data: Any
    find_places: Callable[[], Places]

    @cached_property
    def places(self) -> Places:
        """Of all its values."""
        return self.find_places()

    def place(self, path: Path) -> Place:
        """Where the value at this path stands, or else the nearest value around it."""
        return self.places.values[self._known(path)]

    def key_place(self, path: Path) -> Place:
        """Where the key of the value at this path stands."""
        return self.places.keys.get(path) or self.place(path)

    def file_of(self, path: Path) -> str:
        """The file in which the value at this path stands."""
        return self.places.files.get(self._known(path), self.file)

    def _known(self, path: Path) -> Path:
        while path and path not in self.places.values:
            path = path[:-1]
        return path

    def problem(self, path: Path, what: str, meant: str | None = None) -> Problem:
        """A problem with the value at this path."""
        return Problem(self.file_of(path), self.place(path), what, meant)

    def key_problem(self, path: Path, what: str, meant: str | None = None) -> Problem:
        """A problem with the key of the value at this path."""
        return Problem(self.file_of(path), self.key_place(path), what, meant)

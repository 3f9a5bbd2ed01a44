"""Documents put together from parts of others, each of which keeps its place. Never reads a file."""

from __future__ import annotations

from typing import Any

from raysim.scenario.document import Document, Path, Places
from raysim.scenario.problems import Place


class Patchwork:
    """A document in the making. What is laid later covers what lies below."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._data: Any = None
        self._values: dict[Path, Place] = {(): Place(1, 1)}
        self._keys: dict[Path, Place] = {}
        self._files: dict[Path, str] = {}

    def lay(self, source: Document) -> None:
        """All of it: mappings are merged key by key, anything else takes the place of what is there."""
        self._data = self._merged(self._data, source.data, source, ())

    def put(self, at: Path, source: Document, part: Path, key: Path) -> None:
        """One part of another document, in this place; its last key stands where `key` stands there.

        Raises LookupError(path) where there is something else on the way than a mapping, or an item of a list.
        """
        self._data = self._with(self._data, at, (), source, part, key)

    def document(self) -> Document:
        places = Places(self._values, self._keys, self._files)
        return Document(self._file, self._data, lambda: places)

    def _with(
        self, data: Any, rest: Path, path: Path, source: Document, part: Path, key: Path
    ) -> Any:
        if not rest:
            self._forget(path)
            return self._taken(value_at(source.data, part), source, part, path)
        step: Any = rest[0]
        if isinstance(data, list):
            if not step.isdecimal() or int(step) >= len(data):
                raise LookupError(path)
            step = int(step)
        elif data is not None and not isinstance(data, dict):
            raise LookupError(path)
        inner = (*path, step)
        within = data[step] if isinstance(data, list) else (data or {}).get(step)
        filled = self._with(within, rest[1:], inner, source, part, key)
        if isinstance(data, list):
            return [filled if at == step else value for at, value in enumerate(data)]
        if within is None or len(rest) == 1:
            self._keys[inner] = source.key_place(key)
            self._values.setdefault(inner, source.key_place(key))
            self._say_file(inner, source.file_of(key))
        return {**(data or {}), step: filled}

    def _merged(self, below: Any, above: Any, source: Document, path: Path) -> Any:
        if not _merge(below, above):
            self._forget(path)
            return self._taken(above, source, path, path)
        self._set(path, source, path)
        found = dict(below)
        for key, value in above.items():
            inner = (*path, key)
            self._keys[inner] = source.key_place(inner)
            found[key] = self._merged(found.get(key), value, source, inner)
        return found

    def _taken(self, data: Any, source: Document, at: Path, path: Path) -> Any:
        """A part as it is, with the places of all that is in it."""
        self._set(path, source, at)
        if isinstance(data, dict):
            for key, value in data.items():
                self._keys[(*path, key)] = source.key_place((*at, key))
                self._taken(value, source, (*at, key), (*path, key))
        elif isinstance(data, list):
            for index, value in enumerate(data):
                self._taken(value, source, (*at, index), (*path, index))
        return data

    def _set(self, path: Path, source: Document, at: Path) -> None:
        self._values[path] = source.place(at)
        self._say_file(path, source.file_of(at))

    def _say_file(self, path: Path, file: str) -> None:
        self._files[path] = file

    def _forget(self, path: Path) -> None:
        """What lies at this path and in it is covered."""
        for places in (self._values, self._keys, self._files):
            for inner in [one for one in places if one[: len(path)] == path and one != path]:
                del places[inner]


def value_at(data: Any, path: Path) -> Any:
    """What lies there."""
    for step in path:
        data = data[step]
    return data


def _merge(below: Any, above: Any) -> bool:
    """Whether both are mappings of one kind: a workload of another kind has nothing of the one that it covers."""
    if not isinstance(below, dict) or not isinstance(above, dict):
        return False
    kinds = {part["kind"] for part in (below, above) if isinstance(part.get("kind"), str)}
    return len(kinds) < 2

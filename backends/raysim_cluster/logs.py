"""The log files of a session on this machine. Never writes one: see node.py."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

from raysim.spec.log import LogPart
from raysim.spec.sample import FOLDER
from raysim_cluster.files_of_workers import worker_logs
from raysim_cluster.rotated import read

_SHOWN: Final = (".log", ".out", ".err")


class FilesOfNode:
    """Those of one node. `is_head`: what is of no node in particular, such as the GCS's, is its, too."""

    def __init__(self, folder: str | Path, node_id: str, is_head: bool = False) -> None:
        self._folder = Path(folder)
        self._mark = node_id[:12]
        self._own = worker_logs(folder, node_id).name
        self._is_head = is_head

    def names(self) -> list[str]:
        return sorted(self._found())

    def read(self, name: str, offset: int, limit: int) -> LogPart | None:
        if not self._has(PurePosixPath(name)):
            return None
        path = self._folder / name
        # A link may lead anywhere.
        if not path.resolve().is_relative_to(self._folder.resolve()) or not path.is_file():
            return None
        try:
            return read(path, offset, limit)
        except FileNotFoundError:  # Removed just now.
            return None

    def _found(self) -> Iterator[str]:
        """Not what is deeper: environments have files of users' there."""
        folders = [self._own, FOLDER] if self._is_head else [self._own]
        for folder in ("", *folders):
            place = self._folder / folder
            if place.is_dir():
                for entry in os.scandir(place):
                    name = f"{folder}/{entry.name}" if folder else entry.name
                    if self._has(PurePosixPath(name)) and entry.is_file():
                        yield name

    def _has(self, name: PurePosixPath) -> bool:
        if name.suffix not in _SHOWN or ".." in name.parts:
            return False
        match name.parts:
            case [file]:
                return self._mark in file or (self._is_head and not file.startswith("node-"))
            case [folder, _]:
                return folder == self._own or (self._is_head and folder == FOLDER)
        return False


class SessionLogs:
    """Of nodes on this machine, for those that are gone: what they wrote may still be there."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def names(self, node_id: str) -> list[str]:
        return sorted({name for one in self._places(node_id) for name in one.names()})

    def read(self, node_id: str, name: str, offset: int, limit: int) -> LogPart | None:
        parts = (one.read(name, offset, limit) for one in self._places(node_id))
        return next((part for part in parts if part is not None), None)

    def _places(self, node_id: str) -> Iterator[FilesOfNode]:
        """This node's folder first. Those that have joined a head on the same machine have one each."""
        head = "-".join(self._folder.name.split("-")[:2])
        others = (self._folder.with_name(head), *self._folder.parent.glob(f"{head}-*"))
        for folder in (self._folder, *others):
            if folder.is_dir():
                yield FilesOfNode(folder, node_id)

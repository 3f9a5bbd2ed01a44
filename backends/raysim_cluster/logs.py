"""The log files of a session on this machine. Never writes one: see node.py."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from raysim_cluster.files_of_workers import worker_log

_SHOWN: Final = (".log", ".out", ".err")


class SessionLogs:
    """Those of `raysim.backend.Logs`. Of nodes on this machine: what others write is there."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def names(self, node_id: str) -> list[str]:
        return sorted(self._files(node_id))

    def read(self, node_id: str, name: str, offset: int) -> bytes:
        path = self._files(node_id).get(name)
        if path is None:
            raise FileNotFoundError(
                f"Node {node_id[:12]} has no log file {name!r}; it has: {', '.join(self.names(node_id))}."
            )
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()

    def of_worker(self, node_id: str, worker_id: str, pid: int, suffix: str) -> str:
        for folder in self._folders():
            path = worker_log(folder, node_id, worker_id, pid, suffix)
            if path.is_file():
                return str(path.relative_to(folder))
        raise FileNotFoundError(
            f"Worker {worker_id[:12]} (pid {pid}) has no log file {path.name}: it has printed nothing."
        )

    def _files(self, node_id: str) -> dict[str, Path]:
        """By name."""
        return {
            name: file
            for folder in self._folders()
            for file in folder.rglob("*")
            if file.suffix in _SHOWN
            and node_id[:12] in (name := str(file.relative_to(folder)))
            and file.is_file()
        }

    def _folders(self) -> Iterator[Path]:
        """This node's first. Those that have joined a head on the same machine have a folder each."""
        yield self._folder
        head = "-".join(self._folder.name.split("-")[:2])
        for folder in (self._folder.with_name(head), *self._folder.parent.glob(f"{head}-*")):
            if folder != self._folder and folder.is_dir():
                yield folder

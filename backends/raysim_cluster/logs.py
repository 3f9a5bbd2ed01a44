"""The log files of a session on this machine. Never writes one: see node.py."""

from pathlib import Path
from typing import Final

from raysim_cluster.outputs import worker_log

_SHOWN: Final = (".log", ".out", ".err")


class SessionLogs:
    """Those of `raysim.backend.Logs`. Every node of the session is on this machine."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)

    def names(self, node_id: str) -> list[str]:
        files = (file for file in self._folder.rglob("*") if file.suffix in _SHOWN)
        found = sorted(str(file.relative_to(self._folder)) for file in files if file.is_file())
        return [name for name in found if node_id[:12] in name]

    def read(self, node_id: str, name: str, offset: int) -> bytes:
        if name not in self.names(node_id):
            raise FileNotFoundError(
                f"Node {node_id[:12]} has no log file {name!r}; it has: {', '.join(self.names(node_id))}."
            )
        with Path(self._folder, name).open("rb") as file:
            file.seek(offset)
            return file.read()

    def of_worker(self, node_id: str, worker_id: str, pid: int, suffix: str) -> str:
        path = worker_log(self._folder, node_id, worker_id, pid, suffix)
        if not path.is_file():
            raise FileNotFoundError(
                f"Worker {worker_id[:12]} (pid {pid}) has no log file {path.name}: it has printed nothing."
            )
        return str(path.relative_to(self._folder))

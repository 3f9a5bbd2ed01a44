"""What the code of simulated processes printed, as log files of their nodes. Never what the driver prints itself."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raysim_sim.user_host import UserHost

KEPT_BYTES = 1 << 20
"""Of what one process printed, the latest. Ours: a simulation may print for days."""

SUFFIXES = ("out", "err")


class _Log:
    def __init__(self) -> None:
        self.content = bytearray()
        self.dropped = 0

    def add(self, data: bytes) -> None:
        self.content += data
        more = len(self.content) - KEPT_BYTES
        if more > 0:
            del self.content[:more]
            self.dropped += more


class SimLogs:
    """Those of `raysim.backend.Logs`: named as real workers' are, and kept in memory."""

    def __init__(self) -> None:
        self._logs: dict[str, dict[str, _Log]] = {}
        """By node, in hex, and name."""

    def add(self, host: "UserHost", number: int, text: str) -> None:
        """`number`: 0 for standard output, 1 for standard error."""
        address = host.address
        name = _name(address.worker_id.hex(), host.pid, SUFFIXES[number])
        of_node = self._logs.setdefault(address.node_id.hex(), {})
        log = of_node.get(name)
        if log is None:
            log = of_node[name] = _Log()
        log.add(text.encode("utf-8", "replace"))

    def names(self, node_id: str) -> list[str]:
        return sorted(self._logs.get(node_id, ()))

    def read(self, node_id: str, name: str, offset: int) -> bytes:
        log = self._logs.get(node_id, {}).get(name)
        if log is None:
            known = ", ".join(self.names(node_id)) or "none"
            raise FileNotFoundError(
                f"Node {node_id[:12]} has no log file {name!r}; it has: {known}."
            )
        return bytes(log.content[max(0, offset - log.dropped) :])

    def of_worker(self, node_id: str, worker_id: str, pid: int, suffix: str) -> str:
        name = _name(worker_id, pid, suffix)
        if name not in self._logs.get(node_id, {}):
            raise FileNotFoundError(
                f"Worker {worker_id[:12]} (pid {pid}) has no log file {name}: it has printed nothing."
            )
        return name


def _name(worker_id: str, pid: int, suffix: str) -> str:
    return f"worker-{worker_id}-{pid}.{suffix}"

"""What the code of simulated processes printed, as log files of their nodes. Never what the driver prints itself."""

from typing import TYPE_CHECKING

from raysim.spec.log import LogPart, start_of, worker_file

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
    """Of all nodes: named as real workers' are, and kept in memory, after the end of a node as well."""

    def __init__(self) -> None:
        self._logs: dict[str, dict[str, _Log]] = {}
        """By node, in hex, and name."""

    def add(self, host: "UserHost", number: int, text: str) -> None:
        """`number`: 0 for standard output, 1 for standard error."""
        address = host.address
        name = worker_file(address.worker_id.hex(), host.pid, SUFFIXES[number])
        of_node = self._logs.setdefault(address.node_id.hex(), {})
        log = of_node.get(name)
        if log is None:
            log = of_node[name] = _Log()
        log.add(text.encode("utf-8", "replace"))

    def names(self, node_id: str) -> list[str]:
        return sorted(self._logs.get(node_id, ()))

    def read(self, node_id: str, name: str, offset: int, limit: int) -> LogPart | None:
        log = self._logs.get(node_id, {}).get(name)
        if log is None:
            return None
        size = log.dropped + len(log.content)
        start = max(log.dropped, start_of(offset, size))
        begin = start - log.dropped
        return LogPart(bytes(log.content[begin : begin + limit]), start, size)


class LogsOfNode:
    """The raylet's, of one node."""

    def __init__(self, logs: SimLogs, node_id: str) -> None:
        self._logs = logs
        self._node_id = node_id

    def names(self) -> list[str]:
        return self._logs.names(self._node_id)

    def read(self, name: str, offset: int, limit: int) -> LogPart | None:
        return self._logs.read(self._node_id, name, offset, limit)

"""Log files of any node of the cluster, as their raylets show them. Never which file is whose."""

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from raysim.protocol.host import Waiter
from raysim.protocol.inspecting.survey import Make
from raysim.protocol.messages import ListLogs, LogRead, LogsListed, ReadLog
from raysim.spec.address import Address
from raysim.spec.ids import UNIQUE_ID_BYTES, NodeId
from raysim.spec.log import LogPart, worker_file

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

TIMEOUT_S = 15
"""Until a node is taken for one that does not answer. Ours, half of what a question of state may take."""

PIECE_BYTES = 256 << 10
"""Of a file of a node that is gone, at once."""

_SOME = 10
"""Names that an error lists."""

Answered = TypeVar("Answered", LogsListed, LogRead)


class LeftLogs(Protocol):
    """Files that can be read without their node, which may be gone. For the rest as NodeLogs."""

    def names(self, node_id: str) -> list[str]: ...

    def read(self, node_id: str, name: str, offset: int, limit: int) -> LogPart | None: ...


class LogFiles:
    """Those of `raysim.backend.Logs`. `left`: what is at hand here of nodes that are gone."""

    def __init__(self, worker: "CoreWorker", left: LeftLogs) -> None:
        self._worker = worker
        self._left = left
        self._raylets: dict[str, Address] = {}

    def names(self, node_id: str) -> list[str]:
        answer = self._ask(node_id, ListLogs, LogsListed)
        return self._left.names(node_id) if answer is None else answer.names

    def read(self, node_id: str, name: str, offset: int) -> LogPart:
        answer = self._ask(node_id, lambda number: ReadLog(number, name, offset), LogRead)
        if answer is not None and not answer.missing:
            return LogPart(answer.data, answer.offset, answer.size)
        part = None if answer else self._left.read(node_id, name, offset, PIECE_BYTES)
        if part is not None:
            return part
        names = self.names(node_id)
        some = ", ".join(names[:_SOME]) or "none"
        gone = "" if answer else " is gone, and as far as its files are on this machine, it"
        raise FileNotFoundError(
            f"Node {node_id[:12]}{gone} has no log file {name!r}; it has {len(names)}: {some}"
            f"{', ...' if len(names) > _SOME else '.'}"
        )

    def of_worker(self, node_id: str, worker_id: str, pid: int, suffix: str) -> str:
        file = worker_file(worker_id, pid, suffix)
        for name in self.names(node_id):
            if name.rpartition("/")[2] == file:
                return name
        raise FileNotFoundError(
            f"Worker {worker_id[:12]} (pid {pid}) has no log file {file} on node {node_id[:12]}: "
            "it has printed nothing."
        )

    def _ask(self, node_id: str, make: Make, _kind: type[Answered]) -> Answered | None:
        """None: the node has ended. Raises FileNotFoundError for one that never was, TimeoutError."""
        raylet = self._raylet(node_id)
        if raylet is None:
            return None
        worker, waiter = self._worker, Waiter()
        found: list[tuple[Any, bool]] = []

        def answered(what: Any, ended: bool) -> None:
            found.append((what, ended))
            waiter.finish()

        with worker.host.lock:
            worker.inspecting.ask(raylet, make, TIMEOUT_S * 1_000_000_000, answered)
        worker.block(waiter, None)
        [(answer, ended)] = found
        if answer is None:
            self._raylets.pop(node_id, None)
            if not ended:
                raise TimeoutError(
                    f"Node {node_id[:12]} at {raylet.endpoint or 'its place'} has not shown its log files within "
                    f"{TIMEOUT_S} s: is it overloaded, or cut off? See `raysim status`."
                )
        shown: Answered | None = answer
        return shown

    def _raylet(self, node_id: str) -> Address | None:
        """None: the node has ended."""
        known = self._raylets.get(node_id)
        if known is not None:
            return known
        wanted = _bytes_of(node_id)
        for state in self._worker.node_states():
            if state.info.address.node_id == wanted:
                if not state.alive:
                    return None
                return self._raylets.setdefault(node_id, state.info.address)
        raise FileNotFoundError(f"There is no node {node_id!r}: `raysim list nodes` shows all.")


def _bytes_of(node_id: str) -> NodeId | None:
    try:
        found = bytes.fromhex(node_id)
    except ValueError:
        return None
    return NodeId(found) if len(found) == UNIQUE_ID_BYTES else None

"""Shows the log files of a raylet's node to whoever asks, a piece at a time. Never of another node, never a change."""

from typing import Final

from raysim.protocol.host import RayletHost
from raysim.protocol.messages import ListLogs, LogRead, LogsListed, ReadLog
from raysim.spec.address import Address

PIECE_BYTES: Final = 256 << 10
"""Of a file that one answer has. Ours: read in less than a ms, during which the raylet does nothing else."""


class Logs:
    def __init__(self, host: RayletHost) -> None:
        self._host = host

    def on_list(self, sender: Address, asked: ListLogs) -> None:
        self._host.send(sender, LogsListed(asked.number, self._host.logs.names()))

    def on_read(self, sender: Address, asked: ReadLog) -> None:
        part = self._host.logs.read(asked.name, asked.offset, PIECE_BYTES)
        answer = LogRead(asked.number, missing=True)
        if part is not None:
            answer = LogRead(asked.number, part.data, part.offset, part.size)
        self._host.send(sender, answer)

"""Log files of a node, for people who ask: their names, and what is in one. Never a change of one."""

from raysim.protocol.messages.base import Message


class ListLogs(Message):
    """Anyone to raylet: which log files has your node?

    Reply: LogsListed. Lost: asked again until the asker's time is up.
    """

    number: int


class LogsListed(Message):
    """Raylet to whoever asked ListLogs.

    Lost: asked again.
    """

    number: int
    names: list[str]


class ReadLog(Message):
    """Anyone to raylet: a part of this log file of your node.

    `offset`: bytes from its beginning; negative: from its end, as far as it goes. Reply: LogRead. Lost: asked again
    until the asker's time is up.
    """

    number: int
    name: str
    offset: int


class LogRead(Message):
    """Raylet to whoever asked ReadLog: bytes from `offset` on, as many as one message shall carry.

    Lost: asked again.
    """

    number: int
    data: bytes = b""
    offset: int = 0
    size: int = 0
    """Of the file."""
    missing: bool = False
    """There is no log file of this name."""

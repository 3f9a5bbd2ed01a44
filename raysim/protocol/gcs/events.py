"""What happened to the cluster lately: nodes, jobs, crashed workers, dead actors. For people; nothing depends on it."""

from collections import deque

from raysim.protocol.host import Host
from raysim.protocol.messages.state import EventSeen

INFO, WARNING, ERROR = "INFO", "WARNING", "ERROR"


class Events:
    def __init__(self, host: Host) -> None:
        self._host = host
        self._number = 0
        self._events: deque[EventSeen] = deque(maxlen=host.config.gcs_history)

    def add(self, severity: str, source: str, text: str, **fields: str) -> None:
        self._number += 1
        now = self._host.now_ns()
        self._events.append(EventSeen(self._number, severity, source, now, text, fields))

    def rows(self) -> list[EventSeen]:
        return list(self._events)

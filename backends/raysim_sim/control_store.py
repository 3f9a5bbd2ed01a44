"""The GCS's durable tables in memory: what was committed outlives the GCS, the rest does not. Never a file."""


class CommitBrokenError(Exception):
    """The process of the GCS ends in a commit. Never leaves the simulator."""


class MemoryControlStore:
    """Implements ControlStore."""

    def __init__(self) -> None:
        self.breaks_at: int | None = None
        """A fault: of the next commit that has more rows than this, so many are durable, and the process ends."""
        self._tables: dict[str, dict[bytes, bytes]] = {}
        self._batch: list[tuple[str, bytes, bytes | None]] = []

    def load(self, table: str) -> dict[bytes, bytes]:
        return dict(self._tables.get(table, {}))

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._batch.append((table, key, value))

    def delete(self, table: str, key: bytes) -> None:
        self._batch.append((table, key, None))

    def commit(self) -> None:
        broken = self.breaks_at is not None and len(self._batch) > self.breaks_at
        durable = self._batch[: self.breaks_at] if broken else self._batch
        for table, key, value in durable:
            rows = self._tables.setdefault(table, {})
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        self._batch.clear()
        if broken:
            self.breaks_at = None
            raise CommitBrokenError

    def crash(self) -> None:
        """What was not committed is lost."""
        self._batch.clear()

"""The GCS's durable tables in memory: what was committed outlives the GCS, the rest does not. Never a file."""


class MemoryControlStore:
    """Implements ControlStore."""

    def __init__(self) -> None:
        self._tables: dict[str, dict[bytes, bytes]] = {}
        self._batch: list[tuple[str, bytes, bytes | None]] = []

    def load(self, table: str) -> dict[bytes, bytes]:
        return dict(self._tables.get(table, {}))

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._batch.append((table, key, value))

    def delete(self, table: str, key: bytes) -> None:
        self._batch.append((table, key, None))

    def commit(self) -> None:
        for table, key, value in self._batch:
            rows = self._tables.setdefault(table, {})
            if value is None:
                rows.pop(key, None)
            else:
                rows[key] = value
        self._batch.clear()

    def crash(self) -> None:
        """What was not committed is lost."""
        self._batch.clear()

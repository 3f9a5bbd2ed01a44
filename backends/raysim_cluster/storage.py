"""The GCS's tables in SQLite. Never a decision about what belongs in them."""

import sqlite3
from pathlib import Path


class SqliteControlStore:
    """A ControlStore in one file. A committed batch survives the end of the process, though not of
    the machine: the session ends with that anyway."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS entries"
            " (name TEXT, key BLOB, value BLOB, PRIMARY KEY (name, key)) WITHOUT ROWID"
        )
        self._batch: dict[tuple[str, bytes], bytes | None] = {}

    def load(self, table: str) -> dict[bytes, bytes]:
        rows = self._db.execute(
            "SELECT key, value FROM entries WHERE name = ? ORDER BY key", (table,)
        )
        return dict(rows)

    def put(self, table: str, key: bytes, value: bytes) -> None:
        self._batch[table, key] = value

    def delete(self, table: str, key: bytes) -> None:
        self._batch[table, key] = None

    def commit(self) -> None:
        batch, self._batch = self._batch, {}
        if not batch:
            return
        db = self._db
        db.execute("BEGIN")
        for (table, key), value in batch.items():
            if value is None:
                db.execute("DELETE FROM entries WHERE name = ? AND key = ?", (table, key))
            else:
                db.execute("INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (table, key, value))
        db.execute("COMMIT")

    def close(self) -> None:
        self._db.close()

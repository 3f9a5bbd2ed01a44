"""The GCS's tables in SQLite. Never a decision about what belongs in them."""

import os
import signal
import sqlite3
from pathlib import Path


def tables(folder: str) -> Path:
    """Where the GCS of a session has what it wrote down."""
    return Path(folder, "gcs.sqlite")


class SqliteControlStore:
    """A ControlStore in one file. A committed batch survives the end of the process, though not of
    the machine, with which a session ends. `outlives_machine`: then what is there is whole, without the last ones."""

    def __init__(self, path: Path, outlives_machine: bool = False) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        # One process has the file, for its life, and need not ask others; nor wait for the disk: see above.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'NORMAL' if outlives_machine else 'OFF'}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS entries"
            " (name TEXT, key BLOB, value BLOB, PRIMARY KEY (name, key)) WITHOUT ROWID"
        )
        self._batch: dict[tuple[str, bytes], bytes | None] = {}
        self.breaks = False
        """A fault: the process ends in the next commit, before anything of it is written."""

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
        if self.breaks:
            os.kill(os.getpid(), signal.SIGKILL)
        if len(batch) == 1:  # Most have one row, and a statement is a batch of its own.
            self._write(batch)
            return
        self._db.execute("BEGIN")
        self._write(batch)
        self._db.execute("COMMIT")

    def _write(self, batch: dict[tuple[str, bytes], bytes | None]) -> None:
        for (table, key), value in batch.items():
            if value is None:
                self._db.execute("DELETE FROM entries WHERE name = ? AND key = ?", (table, key))
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (table, key, value)
                )

    def close(self) -> None:
        self._db.close()

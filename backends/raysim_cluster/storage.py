"""The GCS's tables, committed in batches: in SQLite here. Never a decision about what belongs in them."""

import os
import signal
import sqlite3
from abc import ABC, abstractmethod
from pathlib import Path

Batch = dict[tuple[str, bytes], bytes | None]
"""By table and key: the row; None: there is none any more."""


def tables(folder: str) -> Path:
    """Where the GCS of a session has what it wrote down."""
    return Path(folder, "gcs.sqlite")


class DisplacedError(Exception):
    """Another head has these tables, or they are nobody's any more."""


class BatchedStore(ABC):
    """A ControlStore, but for where rows are."""

    def __init__(self) -> None:
        self._batch: Batch = {}
        self.breaks = False
        """A fault: the process ends in the next commit, before anything of it is written."""

    @abstractmethod
    def load(self, table: str) -> dict[bytes, bytes]: ...

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
        self._write(batch)

    @abstractmethod
    def _write(self, batch: Batch) -> None:
        """Returns when all of it is there."""


class SqliteControlStore(BatchedStore):
    """In one file. A committed batch survives the end of the process, though not of
    the machine, with which a session ends. `outlives_machine`: then what is there is whole, without the last ones."""

    def __init__(self, path: Path, outlives_machine: bool = False) -> None:
        super().__init__()
        self._db = sqlite3.connect(path, isolation_level=None)
        # One process has the file, for its life, and need not ask others; nor wait for the disk: see above.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute(f"PRAGMA synchronous = {'NORMAL' if outlives_machine else 'OFF'}")
        self._db.execute(
            "CREATE TABLE IF NOT EXISTS entries"
            " (name TEXT, key BLOB, value BLOB, PRIMARY KEY (name, key)) WITHOUT ROWID"
        )

    def load(self, table: str) -> dict[bytes, bytes]:
        rows = self._db.execute(
            "SELECT key, value FROM entries WHERE name = ? ORDER BY key", (table,)
        )
        return dict(rows)

    def _write(self, batch: Batch) -> None:
        if len(batch) == 1:  # Most have one row, and a statement is a batch of its own.
            self._write_rows(batch)
            return
        self._db.execute("BEGIN")
        self._write_rows(batch)
        self._db.execute("COMMIT")

    def _write_rows(self, batch: Batch) -> None:
        for (table, key), value in batch.items():
            if value is None:
                self._db.execute("DELETE FROM entries WHERE name = ? AND key = ?", (table, key))
            else:
                self._db.execute(
                    "INSERT OR REPLACE INTO entries VALUES (?, ?, ?)", (table, key, value)
                )

    def close(self) -> None:
        self._db.close()

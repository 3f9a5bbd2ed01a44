"""The tasks of a run as `tasks.parquet`, for pandas and its kin. Never needed by anything else here."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from raysim.scenario.task_records import Records

PARQUET: Final = "tasks.parquet"


class MissingPyarrowError(ImportError):
    """Its text says what to install."""


def write_parquet(records: Records, folder: Path) -> Path:
    """The columns of `tasks.csv`, typed; what is not known is null. Raises MissingPyarrowError, OSError."""
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        text = (
            "needs pyarrow, which is not installed: pip install 'raysim-core[parquet]'. "
            "tasks.csv holds the same."
        )
        raise MissingPyarrowError(text) from error
    stages = records.stages
    count = len(records)
    columns = {
        "id": list(records.ids),
        "name": list(records.names),
        "stage": [stages[stage] for stage in records.stage],
        "node": list(records.nodes()),
        "cores": records.cores,
        "gpus": [0.0] * count if records.gpus is None else records.gpus,
        "attempts": records.attempts,
        "submitted_s": _known(records.submitted_s),
        "ready_s": _known(records.ready_s),
        "pushed_s": _known(records.pushed_s),
        "start_s": _known(records.start_s),
        "end_s": _known(records.end_s),
        "error": list(records.errors()),
    }
    path = folder / PARQUET
    parquet.write_table(pyarrow.table(columns), path)
    return path


def _known(times: Iterable[float]) -> list[float | None]:
    return [at_s if at_s == at_s else None for at_s in times]

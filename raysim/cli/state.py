"""`raysim list`, `get` and `summary`: what a cluster is doing, asked and shown. Never known here: see util/state."""

from __future__ import annotations

import gc
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import click

from raysim.cli.connection import BadInputError, CommandFailedError, connected_to
from raysim.cli.rows import DOCUMENTS, as_table, shown
from raysim.spec.call_text import hint
from raysim.util.state.client import SCHEMAS, Page, StateApiClient
from raysim.util.state.exception import RayStateApiException
from raysim.util.state.filters import do_filter
from raysim.util.state.options import (
    RAY_MAX_LIMIT_FROM_API_SERVER,
    RAY_MAX_LIMIT_FROM_DATA_SOURCE,
    Filter,
    ListApiOptions,
    StateResource,
    SummaryApiOptions,
    SummaryResource,
)
from raysim.util.state.states import DriverInfo

IDS: Final = {
    StateResource.ACTORS: "actor_id",
    StateResource.JOBS: "job_id",
    StateResource.NODES: "node_id",
    StateResource.OBJECTS: "object_id",
    StateResource.PLACEMENT_GROUPS: "placement_group_id",
    StateResource.TASKS: "task_id",
    StateResource.WORKERS: "worker_id",
}
_CLEAR: Final = "\x1b[2J\x1b[H"
"""Of a terminal: nothing is shown, and what follows begins above."""


@dataclass(frozen=True)
class Asked:
    """What `raysim list` was asked for."""

    resource: StateResource
    filters: Sequence[str] = ()
    limit: int = 100
    offset: int = 0
    detail: bool = False
    columns: str = ""
    output: str = "table"


def list_command(asked: Asked, address: str, watch_s: float | None) -> int:
    if asked.offset + asked.limit > RAY_MAX_LIMIT_FROM_DATA_SOURCE:
        raise BadInputError(
            f"--offset {asked.offset} with --limit {asked.limit}: the first "
            f"{RAY_MAX_LIMIT_FROM_DATA_SOURCE:,} rows can be had. Use --filter."
        )
    filters = filters_of(asked.resource, asked.filters)
    columns = _columns(asked)
    with connected_to(address):
        repeatedly(lambda: _list(asked, filters, columns), watch_s)
    return 0


def get_command(
    resource: StateResource, identity: str, address: str, output: str, watch_s: float | None
) -> int:
    """`identity`: an id, or what only one begins with."""
    check_id(resource, identity)
    with connected_to(address):
        repeatedly(lambda: _get(resource, identity, output), watch_s)
    return 0


def _get(resource: StateResource, identity: str, output: str) -> None:
    found = find(resource, identity)
    every = SCHEMAS[resource].list_columns(detail=True)
    rows = [_humane(resource, row, output, every) for row in found]
    if output == "table" or len(rows) > 1:  # Attempts of a task, references to an object.
        click.echo(shown(rows, every, output))
    else:
        click.echo(DOCUMENTS[output](rows[0]))


def summary_command(
    resource: SummaryResource, address: str, output: str, watch_s: float | None
) -> int:
    with connected_to(address):
        repeatedly(lambda: _summary(resource, output), watch_s)
    return 0


def repeatedly(show: Callable[[], None], every_s: float | None) -> None:
    """Once, or until Ctrl-C."""
    gc.freeze()  # What is imported stays: thousands of rows would have it looked through ever again.
    while True:
        if every_s is not None and sys.stdout.isatty():
            click.echo(_CLEAR, nl=False)
        show()
        if every_s is None:
            return
        sys.stdout.flush()
        time.sleep(every_s)


def filters_of(resource: StateResource, texts: Sequence[str]) -> list[Filter]:
    """Raises CommandFailedError for what is no filter of this resource, before anybody is asked."""
    filters: list[Filter] = []
    for text in texts:
        key, sign, value = text.partition("=")
        predicate = "!=" if key.endswith("!") else "="
        if not sign or not key.rstrip("!").strip():
            raise BadInputError(
                f"--filter {text!r} is no filter; write it as KEY=VALUE or KEY!=VALUE"
            )
        filters.append((key.rstrip("!").strip(), predicate, value.strip()))
    try:
        do_filter([], filters, SCHEMAS[resource])
    except RayStateApiException as error:
        raise BadInputError(str(error)) from error
    return filters


def _list(asked: Asked, filters: list[Filter], columns: Sequence[str]) -> None:
    options = ListApiOptions(limit=asked.limit, detail=True, filters=filters)
    page = StateApiClient().page(asked.resource, options, asked.offset)
    rows = [_humane(asked.resource, row, asked.output, columns) for row in page.rows]
    click.echo(shown(rows, columns, asked.output))
    _tell_what_is_left(page, asked)


def _tell_what_is_left(page: Page, asked: Asked) -> None:
    """On standard error: rows are for programs, too."""
    if page.missing:
        click.echo(page.missing, err=True)
    until = asked.offset + len(page.rows)
    if not page.rows:
        what = f"Row {asked.offset} is past the last of {page.total}." if page.total else "None."
        click.echo(what, err=True)
    elif until < page.total:
        click.echo(
            f"Rows {asked.offset + 1} to {until} of {page.total}. The next: --offset {until}",
            err=True,
        )


def _columns(asked: Asked) -> list[str]:
    schema = SCHEMAS[asked.resource]
    if not asked.columns:
        return schema.list_columns(detail=asked.detail)
    known = schema.list_columns(detail=True)
    columns = [name.strip().lower() for name in asked.columns.split(",")]
    for name in columns:
        if name not in known:
            raise BadInputError(
                f"{_word(asked.resource)} have no column {name!r}{hint(name, known)}"
            )
    return columns


def check_id(resource: StateResource, identity: str) -> None:
    if not identity or identity.lower().strip("0123456789abcdef"):
        raise BadInputError(
            f"{identity!r} is no id: those are hexadecimal. `raysim list {_word(resource)}` shows them."
        )


def find(resource: StateResource, identity: str) -> list[Any]:
    """All rows of the one id that begins so. Raises CommandFailedError for none, and for several."""
    check_id(resource, identity)
    column, wanted = IDS[resource], identity.lower()
    options = ListApiOptions(limit=RAY_MAX_LIMIT_FROM_API_SERVER, detail=True)
    page = StateApiClient().page(resource, options)
    found = [row for row in page.rows if row[column] and row[column].startswith(wanted)]
    ids = list(dict.fromkeys(row[column] for row in found))
    if not ids:
        reason = f" {page.missing}" if page.missing else ""
        raise CommandFailedError(
            f"None of the {_word(resource)} has an id that begins with {wanted}: "
            f"`raysim list {_word(resource)}` shows them.{reason}"
        )
    if len(ids) > 1:
        raise BadInputError(
            f"{len(ids)} of the {_word(resource)} have ids that begin with {wanted}: "
            f"{', '.join(ids[:3])}{' ...' if len(ids) > 3 else ''}. Give more of it."
        )
    return found


def _humane(
    resource: StateResource, row: Any, output: str, columns: Sequence[str]
) -> dict[str, Any]:
    """Of these columns. JSON is for programs: numbers stay numbers there."""
    picked = {column: row[column] for column in columns}
    for column, value in picked.items():
        if isinstance(value, DriverInfo):
            picked[column] = asdict(value)
    return picked if output == "json" else SCHEMAS[resource].humanify(picked)


def _word(resource: StateResource) -> str:
    return resource.value.replace("_", "-")


def _summary(resource: SummaryResource, output: str) -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = StateApiClient().summary(
            resource,
            options=SummaryApiOptions(),
            raise_on_missing_output=False,
            _explain=True,
        )["cluster"]
    for one in said:
        click.echo(str(one.message), err=True)
    if output != "table":
        click.echo(DOCUMENTS[output](found))
        return
    rows = [_flat(key, group) for key, group in found["summary"].items()]
    totals = [f"{key}: {value:g}" for key, value in found.items() if key.startswith("total")]
    click.echo(as_table(rows, list(rows[0]) if rows else ["name"]))
    click.echo(", ".join(totals))


def _flat(key: str, group: dict[str, Any]) -> dict[str, Any]:
    """Counts as `FINISHED: 3, RUNNING: 1`."""
    cells = {
        name: ", ".join(f"{word}: {count}" for word, count in sorted(value.items()))
        if isinstance(value, dict)
        else value
        for name, value in group.items()
    }
    return cells if key in cells.values() else {"name": key, **cells}

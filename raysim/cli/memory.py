"""`raysim memory`: what refers to objects and so keeps them, and what stores hold. Never a change of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import click

import raysim
from raysim.cli.connection import connected_to
from raysim.cli.rows import DOCUMENTS, WIDEST, as_table
from raysim.cli.state import repeatedly
from raysim.util.state.client import StateApiClient
from raysim.util.state.options import (
    RAY_MAX_LIMIT_FROM_API_SERVER,
    ListApiOptions,
    StateResource,
)
from raysim.util.state.schema import Humanify

Row = dict[str, Any]

GROUPS: Final = {
    "owner": ("node_id", "pid", "type"),
    "node": ("node_id",),
    "call-site": ("call_site",),
    "reference": ("reference_type",),
}
SORTS: Final[dict[str, Callable[[Row], Any]]] = {
    "size": lambda row: -row["object_size"],
    "pid": lambda row: (row["node_id"], row["pid"]),
    "reference": lambda row: row["reference_type"],
}
_REFERENCE: Final = (
    *("object_size", "reference_type", "task_status"),
    *("type", "pid", "node_id", "object_id", "call_site"),
)
_STORE: Final = ("used_bytes", "capacity", "objects", "bytes_on_disk")


@dataclass(frozen=True)
class MemoryAsked:
    """What `raysim memory` was asked for."""

    group_by: str = "owner"
    sort_by: str = "size"
    limit: int = 20
    output: str = "table"


def memory_command(asked: MemoryAsked, address: str, watch_s: float | None) -> int:
    with connected_to(address):
        repeatedly(lambda: _show(asked), watch_s)
    return 0


def _show(asked: MemoryAsked) -> None:
    group_by, sort_by, limit, output = asked.group_by, asked.sort_by, asked.limit, asked.output
    references, missing = _references()
    stores = [
        {"node_id": node["NodeID"], **{name: node["ObjectStore"][name] for name in _STORE}}
        for node in raysim.nodes()
        if node["Alive"]
    ]
    groups = grouped(references, GROUPS[group_by])
    references.sort(key=SORTS[sort_by])
    if missing:
        click.echo(missing, err=True)
    if output != "table":
        found = {"references": references[:limit], "groups": groups, "stores": stores}
        click.echo(DOCUMENTS[output](found))
        return
    tables = (
        (
            f"References to objects, by {group_by}",
            groups,
            (*GROUPS[group_by], "references", "size"),
        ),
        ("The largest" if sort_by == "size" else f"By {sort_by}", references[:limit], _REFERENCE),
        ("Stores", stores, ("node_id", *_STORE)),
    )
    click.echo("\n\n".join(f"{title}\n{_table(rows, names)}" for title, rows, names in tables))
    if limit < len(references):
        click.echo(f"{limit} of {len(references)} references. More: --limit N", err=True)


def grouped(references: Sequence[Row], by: Sequence[str]) -> list[Row]:
    """How many there are, and the bytes of their objects, each object once in its group; the largest first."""
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in references:
        groups.setdefault(tuple(row[name] for name in by), []).append(row)
    counted = []
    for key, rows in groups.items():
        sizes: dict[str, int] = {}
        for row in rows:  # Not every process knows the size.
            known = sizes.get(row["object_id"], 0)
            sizes[row["object_id"]] = max(known, row["object_size"])
        names = dict(zip(by, key, strict=True))
        counted.append({**names, "references": len(rows), "size": sum(sizes.values())})
    return sorted(counted, key=lambda group: (-group["size"], -group["references"]))


def _references() -> tuple[list[Row], str]:
    """With the node of the process that has each of them."""
    client = StateApiClient()
    options = ListApiOptions(limit=RAY_MAX_LIMIT_FROM_API_SERVER, detail=True)
    page = client.page(StateResource.OBJECTS, options)
    workers = client.page(StateResource.WORKERS, options).rows
    nodes = {(one.ip, one.pid): one.node_id for one in workers if one.is_alive}
    rows = [{**row.asdict(), "node_id": nodes.get((row.ip, row.pid), row.ip)} for row in page.rows]
    return rows, page.missing


_BYTES: Final = ("object_size", "size", "used_bytes", "capacity", "bytes_on_disk")


def _table(rows: Sequence[Row], columns: Sequence[str]) -> str:
    return as_table([{name: _cell(name, row[name]) for name in row} for row in rows], columns)


def _cell(name: str, value: Any) -> Any:
    if name in _BYTES:
        return "" if value < 0 else Humanify.memory(value)
    if name == "call_site" and len(value) > WIDEST:
        how, _, where = value.partition(" | ")
        return f"{how} | ...{where[len(how) + len(' | ...') - WIDEST :]}"  # The line is at its end.
    return value

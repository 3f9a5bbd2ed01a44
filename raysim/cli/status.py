"""What a cluster has, what of it is used, and what waits for some. Never a change of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click

import raysim
from raysim.cli.connection import connected_to
from raysim.cli.state import repeatedly
from raysim.util.state import api

_BYTES: Final = ("memory", "object_store_memory")
_HIDDEN: Final = "node:"
"""Resources that only say which node this is."""

_MOST: Final = 10_000
"""Of each kind that waits."""


def status_command(address: str, as_json: bool, watch_s: float | None) -> int:
    def show() -> None:
        found = _status()
        click.echo(json.dumps(found) if as_json else _text(found))

    with connected_to(address):
        repeatedly(show, watch_s)
    return 0


def _status() -> dict[str, Any]:
    total, free = raysim.cluster_resources(), raysim.available_resources()
    return {
        "address": raysim.get_runtime_context().gcs_address,
        "nodes": [
            {
                "node_id": node.node_id,
                "name": node.node_name,
                "state": node.state,
                "why": node.state_message or "",
                "is_head": node.is_head_node,
                "ip": node.node_ip,
                "resources": _shown(node.resources_total or {}),
            }
            for node in api.list_nodes(detail=True, limit=_MOST)
        ],
        "resources": {
            name: {"used": quantity - free.get(name, 0), "total": quantity}
            for name, quantity in _shown(total).items()
        },
        "demands": _demands(),
    }


def _demands() -> list[dict[str, Any]]:
    """What waits for resources: each shape once, with how many there are."""
    tasks = api.list_tasks(
        filters=[("state", "=", "PENDING_NODE_ASSIGNMENT")],
        detail=True,
        limit=_MOST,
        raise_on_missing_output=False,
    )
    actors = [
        actor
        for state in ("PENDING_CREATION", "RESTARTING")
        for actor in api.list_actors(filters=[("state", "=", state)], detail=True, limit=_MOST)
    ]
    groups = [
        group
        for state in ("PENDING", "RESCHEDULING")
        for group in api.list_placement_groups(
            filters=[("state", "=", state)], detail=True, limit=_MOST
        )
    ]
    return [
        *_counted("task", (task.required_resources for task in tasks)),
        *_counted("actor", (actor.required_resources for actor in actors)),
        *_counted(
            "placement group",
            (
                [bundle.get("unit_resources", bundle) for bundle in group.bundles or []]
                for group in groups
            ),
        ),
    ]


def _counted(kind: str, needs: Iterable[Any]) -> list[dict[str, Any]]:
    counts = Counter(json.dumps(need or {}, sort_keys=True) for need in needs)
    return [
        {"kind": kind, "needs": json.loads(need), "count": count}
        for need, count in counts.most_common()
    ]


def _shown(resources: Mapping[str, float]) -> dict[str, float]:
    return {name: resources[name] for name in sorted(resources) if not name.startswith(_HIDDEN)}


def _text(found: dict[str, Any]) -> str:
    lines = [f"Cluster at {found['address']}", "", "Nodes"]
    for node in found["nodes"]:
        word = "head, " if node["is_head"] else ""
        has = ", ".join(f"{name} {_amount(name, n)}" for name, n in node["resources"].items())
        about = has or node["why"]
        lines.append(
            f"  {node['name']} ({node['node_id'][:12]}): {word}{node['state'].lower()}. {about}"
        )
    lines += ["", "Used"]
    for name, one in found["resources"].items():
        lines.append(f"  {name}: {_amount(name, one['used'])} of {_amount(name, one['total'])}")
    lines += ["", "Waiting"]
    for demand in found["demands"]:
        needs = json.dumps(demand["needs"])
        lines.append(f"  {demand['count']} x {demand['kind']} {needs}")
    if not found["demands"]:
        lines.append("  nothing")
    return "\n".join(lines)


def _amount(name: str, quantity: float) -> str:
    if name in _BYTES:
        return f"{quantity / (1 << 30):.2f} GiB"
    return f"{quantity:g}"

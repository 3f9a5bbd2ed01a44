"""Placement groups, made and told of by Ray. Never placed here."""

from typing import Any

import ray
from ray.util.placement_group import (
    PlacementGroup,
    PlacementGroupID,
    get_placement_group,
    placement_group,
    placement_group_table,
    remove_placement_group,
)

from raysim.backend import PlacementGroupOptions
from raysim.spec.ids import NIL_NODE, NodeId, PlacementGroupId
from raysim.spec.placement_group import GroupInfo, GroupState, GroupStrategy
from raysim.spec.resources import fixed
from raysim_ray.options import label_selector


def of(group_id: PlacementGroupId) -> PlacementGroup:
    """Ray's handle of a group, which counts nothing."""
    return PlacementGroup(PlacementGroupID(group_id))


def create(options: PlacementGroupOptions) -> PlacementGroupId:
    selectors = [label_selector(selector) for selector in options.selectors]
    made = placement_group(
        [dict(bundle) for bundle in options.bundles],
        strategy=options.strategy,
        name=options.name,
        lifetime="detached" if options.detached else None,
        _soft_target_node_id=options.soft_target_node_id,
        bundle_label_selector=selectors or None,
    )
    return PlacementGroupId(made.id.binary())


def remove(group_id: PlacementGroupId) -> None:
    remove_placement_group(of(group_id))


def ready(group_id: PlacementGroupId, value: Any) -> Any:
    """Ray's reference to the value; as Ray's own `ready()`, which gives Ray's handle instead."""
    worker = ray._private.worker.global_worker
    serialized = worker.get_serialization_context().serialize(value)
    return worker.core_worker.async_wait_placement_group_ready(of(group_id).id, serialized)


def wait(group_id: PlacementGroupId, timeout: float) -> bool:
    return bool(of(group_id).wait(timeout))


def table(group_id: PlacementGroupId | None, name: str) -> list[GroupInfo]:
    """All groups, or the one of the id, or the one of the name in this namespace."""
    if name:
        try:
            found = get_placement_group(name)
        except ValueError:
            return []
        group_id = PlacementGroupId(found.id.binary())
    if group_id is None:
        return [_info(row) for row in placement_group_table().values()]
    row = placement_group_table(of(group_id))
    return [_info(row)] if row else []


def _info(row: dict[str, Any]) -> GroupInfo:
    stats = row["stats"]
    places: dict[int, str] = row["bundles_to_node_id"]
    return GroupInfo(
        PlacementGroupId(bytes.fromhex(row["placement_group_id"])),
        GroupState(row["state"]),
        0,
        [fixed(row["bundles"][index]) for index in sorted(row["bundles"])],
        [NodeId(bytes.fromhex(places[index])) or NIL_NODE for index in sorted(places)],
        GroupStrategy(row["strategy"]),
        row["name"],
        attempts=stats["scheduling_attempt"],
        progress=str(stats["scheduling_state"]),
        waited_ns=round(stats["end_to_end_creation_latency_ms"] * 1_000_000),
    )

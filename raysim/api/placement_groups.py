"""Placement groups: resources reserved together, on one node or several. Never reserves: see `raysim.protocol`."""

from collections.abc import Sequence
from typing import Any

from raysim.api.ids import PlacementGroupID
from raysim.api.session import auto_init
from raysim.backend import Backend, PlacementGroupOptions
from raysim.runtime.current import current
from raysim.runtime.object_ref import ObjectRef
from raysim.spec.ids import NIL_NODE, UNIQUE_ID_BYTES
from raysim.spec.labels import parse_selector
from raysim.spec.placement_group import GroupInfo, GroupStrategy
from raysim.spec.resources import floats, to_units

EXAMPLE = '[{"CPU": 1.0}, {"GPU": 1.0}]'


class PlacementGroup:
    """A handle of a placement group. Equal to, and hashed as, any other handle of it; may be passed on.

    Ray: `ray.util.placement_group.PlacementGroup`.
    """

    def __init__(
        self, id: PlacementGroupID, bundle_cache: list[dict[str, float]] | None = None
    ) -> None:
        self.id = id
        self.bundle_cache = bundle_cache

    @staticmethod
    def empty() -> "PlacementGroup":
        """Stands for no group."""
        return PlacementGroup(PlacementGroupID.nil(), [])

    @property
    def is_empty(self) -> bool:
        return self.id.is_nil()

    @property
    def bundle_specs(self) -> list[dict[str, float]]:
        """What each bundle reserves. Raises ValueError for a group that nobody created."""
        if self.bundle_cache is None:
            found = _backend().placement_groups(self.id.binary())
            if not found:
                raise ValueError(f"There is no placement group {self.id.hex()}.")
            self.bundle_cache = [floats(bundle) for bundle in found[0].bundles]
        return self.bundle_cache

    @property
    def bundle_count(self) -> int:
        return len(self.bundle_specs)

    def ready(self) -> ObjectRef:
        """A reference to this group that is there once all bundles are reserved.

        `get` of it raises TaskPlacementGroupRemoved when the group is removed instead.
        """
        return _backend().placement_group_ready(self.id.binary(), self)

    def wait(self, timeout_seconds: float = 30) -> bool:
        """Whether all bundles are reserved within the time. Raises RaySystemError when it is removed."""
        return _backend().wait_placement_group(self.id.binary(), timeout_seconds)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlacementGroup) and self.id == other.id

    def __hash__(self) -> int:
        return hash(self.id)

    def __repr__(self) -> str:
        return f"PlacementGroup({self.id.hex()})"


def placement_group(
    bundles: list[dict[str, float]],
    strategy: str | None = None,
    name: str = "",
    lifetime: str | None = None,
    _soft_target_node_id: str | None = None,
    bundle_label_selector: list[dict[str, str]] | None = None,
    topology_strategy: object = None,
) -> PlacementGroup:
    """Have resources reserved: one dict for each bundle, all of them or none. Does not wait for that.

    `strategy`: PACK (the default: as few nodes as can be), SPREAD, STRICT_PACK (one node),
    STRICT_SPREAD (a node for each bundle). A group lasts until it is removed, or until its job has
    ended, unless `lifetime="detached"`. Raises ValueError for bad arguments, RaySystemError when
    another group of the namespace has the name, TaskUnschedulableError when it is more than its job's quota.
    """
    _check_bundles(bundles)
    wanted = GroupStrategy.PACK if strategy is None else strategy
    if wanted not in GroupStrategy.__members__:
        raise ValueError(
            f"Invalid placement group strategy {strategy}. "
            f"Supported strategies are: {', '.join(GroupStrategy.__members__)}."
        )
    if lifetime not in (None, "detached"):
        raise ValueError(
            f"Placement group `lifetime` argument must be either `None` or 'detached'. Got {lifetime}."
        )
    _check_target(_soft_target_node_id, wanted)
    if topology_strategy is not None:
        raise ValueError("topology_strategy is not supported by raysim. Leave it out.")
    options = PlacementGroupOptions(
        [dict(bundle) for bundle in bundles],
        wanted,
        name,
        lifetime == "detached",
        _soft_target_node_id,
        _selectors(bundles, bundle_label_selector),
    )
    made = PlacementGroupID(_backend().create_placement_group(options))
    return PlacementGroup(made, [{k: float(v) for k, v in bundle.items()} for bundle in bundles])


def _check_bundles(bundles: Any) -> None:
    if not isinstance(bundles, list):
        raise ValueError(f"Placement group bundles must be a list, got {type(bundles)}.")
    if not bundles:
        raise ValueError(
            "Bundles must be a non-empty list of resource dictionaries. "
            f"For example: `{EXAMPLE}`. Got empty list instead."
        )
    for bundle in bundles:
        if not isinstance(bundle, dict) or not all(
            isinstance(name, str) and isinstance(quantity, int | float)
            for name, quantity in bundle.items()
        ):
            raise ValueError(
                "Bundles must be a non-empty list of resource dictionaries. "
                f"For example: `{EXAMPLE}`."
            )
        if not any(bundle.values()):
            raise ValueError(
                "Bundles cannot be an empty dictionary or resources with only 0 values. "
                f"Bundles: {bundles}"
            )
        for name, quantity in bundle.items():
            if quantity < 0 or (quantity and not to_units(quantity)):
                raise ValueError(
                    f"A bundle cannot reserve {name}={quantity}: quantities are at least 0, and no "
                    "finer than 0.0001."
                )


def _check_target(target: Any, strategy: str) -> None:
    if target is None:
        return
    if strategy != GroupStrategy.STRICT_PACK:
        raise ValueError(
            f"_soft_target_node_id currently only works with STRICT_PACK but got {strategy}"
        )
    if not isinstance(target, str):
        raise TypeError(f"_soft_target_node_id must be a str, not {type(target).__name__}.")
    try:
        raw = bytes.fromhex(target)
    except ValueError:
        raw = b""
    if len(raw) != UNIQUE_ID_BYTES or raw == NIL_NODE:
        raise ValueError(f"Invalid hex ID of _soft_target_node_id, got {target}")


def _selectors(bundles: Sequence[Any], given: Any) -> tuple[tuple[Any, ...], ...]:
    if given is None:
        return ()
    if not isinstance(given, list) or len(given) != len(bundles):
        raise ValueError(
            f"Invalid bundle label selector {given}. The length of `bundle_label_selector` should "
            "equal the length of `bundles`."
        )
    return tuple(parse_selector(selector) for selector in given)


def remove_placement_group(placement_group: PlacementGroup) -> None:
    """Give its resources back, and end the tasks and actors that use them. Harmless a second time.

    What waits to run in it fails with TaskPlacementGroupRemoved or ActorPlacementGroupRemoved.
    """
    assert placement_group is not None, "remove_placement_group() needs a placement group."
    if not placement_group.is_empty:
        _backend().remove_placement_group(placement_group.id.binary())


def get_placement_group(placement_group_name: str) -> PlacementGroup:
    """The living group of this name in the namespace. Raises ValueError when there is none."""
    if not placement_group_name:
        raise ValueError("Please supply a non-empty value to get_placement_group")
    found = _backend().placement_groups(None, placement_group_name)
    if not found:
        raise ValueError(f"Failed to look up placement group with name: {placement_group_name}")
    return _handle(found[0])


def placement_group_table(placement_group: PlacementGroup | None = None) -> dict[str, Any]:
    """The state of one group ({} when nobody created it), or of all, by id in hex."""
    if placement_group is not None:
        found = _backend().placement_groups(placement_group.id.binary())
        return _table(found[0]) if found else {}
    return {info.group_id.hex(): _table(info) for info in _backend().placement_groups()}


def get_current_placement_group() -> PlacementGroup | None:
    """The group that this task or actor runs in. None outside of one, and on the driver."""
    group_id = _backend().context_info().placement_group_id
    return None if group_id is None else PlacementGroup(PlacementGroupID.from_hex(group_id))


def _backend() -> Backend:
    return current() or auto_init()


def _handle(info: GroupInfo) -> PlacementGroup:
    return PlacementGroup(PlacementGroupID(info.group_id), [floats(one) for one in info.bundles])


def _table(info: GroupInfo) -> dict[str, Any]:
    nodes = ["" if node == NIL_NODE else node.hex() for node in info.nodes]
    milliseconds = info.waited_ns / 1e6
    return {
        "placement_group_id": info.group_id.hex(),
        "name": info.name,
        "bundles": {index: floats(bundle) for index, bundle in enumerate(info.bundles)},
        "bundles_to_node_id": dict(enumerate(nodes)),
        "strategy": str(info.strategy),
        "state": str(info.state),
        "stats": {
            "end_to_end_creation_latency_ms": milliseconds,
            "scheduling_latency_ms": milliseconds,
            "scheduling_attempt": info.attempts,
            "highest_retry_delay_ms": 0.0,
            "scheduling_state": info.progress,
        },
    }

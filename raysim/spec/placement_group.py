"""What a placement group is: bundles of resources reserved together. Never where they go: see policies.

What a node reserves for a bundle it offers again under names of the group's own, as Ray does: bundle 1
with `CPU: 2` of group `ab..` becomes `CPU_group_1_ab..: 2` and counts into `CPU_group_ab..`, beside
1000 of `bundle_group_1_ab..` and `bundle_group_ab..`. Whoever runs in a bundle asks for these names
instead of the plain ones, and a thousandth of a `bundle`, so that a request for nothing lands there too.
"""

import re
from collections.abc import Mapping, Sequence
from enum import StrEnum

import msgspec

from raysim.spec.address import Address
from raysim.spec.ids import NIL_NODE, ActorId, NodeId, PlacementGroupId
from raysim.spec.labels import Selector
from raysim.spec.resources import CPU, UNITS, Resources, Wanted, fits

MARK = "bundle"
"""The resource that every bundle has. Ray: `kBundle_ResourceLabel`."""

MARK_UNITS = 1000 * UNITS
"""Of the mark in one bundle, in units of 1e-4. Ray: 1000."""

MARK_SHARE = UNITS // 1000
"""Of the mark that one task or actor asks for, in units of 1e-4. Ray: 0.001."""

_OF_GROUP = re.compile(r"(.+)_group_(?:(\d+)_)?([0-9a-f]{36})")


class GroupStrategy(StrEnum):
    """Ray's four. PACK and SPREAD do what they can; the strict ones wait rather than give way."""

    PACK = "PACK"
    SPREAD = "SPREAD"
    STRICT_PACK = "STRICT_PACK"
    STRICT_SPREAD = "STRICT_SPREAD"


class GroupState(StrEnum):
    """Ray's `PlacementGroupTableData.PlacementGroupState`."""

    PENDING = "PENDING"
    PREPARED = "PREPARED"
    """Every node has reserved its bundles; not all have said that they offer them."""
    CREATED = "CREATED"
    RESCHEDULING = "RESCHEDULING"
    """Bundles went with their node and look for another; the others stay in use."""
    REMOVED = "REMOVED"


class GroupSpec(msgspec.Struct, frozen=True, gc=False):
    """All that is needed to place a group, again and again."""

    group_id: PlacementGroupId
    bundles: list[Wanted]
    """Units of 1e-4, by bundle index."""
    strategy: GroupStrategy
    creator: Address
    name: str = ""
    namespace: str = ""
    detached: bool = False
    creator_actor: ActorId | None = None
    creator_detached: bool = False
    """The creator is a detached actor: the group outlives the job."""
    selectors: list[Selector] = []
    """Labels of the node, by bundle index; empty: any node."""
    target: NodeId = NIL_NODE
    """Of STRICT_PACK: the node to prefer."""

    def __post_init__(self) -> None:
        if self.selectors and len(self.selectors) != len(self.bundles):
            raise ValueError(
                f"{len(self.bundles)} bundles with selectors for {len(self.selectors)}"
            )


class GroupInfo(msgspec.Struct, frozen=True, gc=False):
    """A group as the GCS publishes it. `version` orders the changes."""

    group_id: PlacementGroupId
    state: GroupState
    version: int
    bundles: list[Resources]
    nodes: list[NodeId]
    """By bundle index; NIL_NODE for one that has no place (any more)."""
    strategy: GroupStrategy = GroupStrategy.PACK
    name: str = ""
    namespace: str = ""
    attempts: int = 0
    """How often places were looked for."""
    progress: str = ""
    """Of the placement: Ray's `scheduling_state`."""
    waited_ns: int = 0
    """From the request to its fulfilment; 0 before."""


def in_group(need: Mapping[str, int], group_id: PlacementGroupId, index: int = -1) -> Resources:
    """What to ask for in a bundle of the group (-1: in any) instead of `need`."""
    group = group_id.hex()
    asked: Resources = {}
    for name, units in [*need.items(), (MARK, MARK_SHARE)]:
        asked[f"{name}_group_{group}"] = units
        if index >= 0:
            asked[f"{name}_group_{index}_{group}"] = units
    return asked


def offered(bundles: Mapping[int, Mapping[str, int]], group_id: PlacementGroupId) -> Resources:
    """What a node offers for these bundles, by index."""
    group = group_id.hex()
    names: Resources = {}
    for index, bundle in bundles.items():
        for name, units in [*bundle.items(), (MARK, MARK_UNITS)]:
            names[f"{name}_group_{index}_{group}"] = units
            whole = f"{name}_group_{group}"
            names[whole] = names.get(whole, 0) + units
    return names


def plain(held: Mapping[str, int]) -> Resources:
    """What is held of the node itself by who holds `held`, whether in a group or not."""
    found: Resources = {}
    for name, units in held.items():
        base, index = base_name(name)
        if index is None and base != MARK:
            found[base] = found.get(base, 0) + units
    return found


def base_name(name: str) -> tuple[str, int | None]:
    """The resource behind a name of a group, and the bundle's index; None for the group as a whole
    (which counts everything once), and for what is in no group."""
    match = _OF_GROUP.fullmatch(name)
    if match is None:
        return name, None
    return match[1], int(match[2]) if match[2] is not None else None


def cpus_of(held: Mapping[str, int]) -> Resources:
    """The part of `held` that is lent on while its holder waits."""
    return {name: units for name, units in held.items() if units and base_name(name)[0] == CPU}


def fits_a_bundle(need: Mapping[str, int], bundles: Sequence[Mapping[str, int]]) -> bool:
    return any(fits(need, bundle) for bundle in bundles)

"""Placement groups: the GCS places them, and has nodes reserve their bundles in two phases."""

from raysim.protocol.messages.base import Message
from raysim.spec.failure import FailureKind
from raysim.spec.ids import PlacementGroupId
from raysim.spec.placement_group import GroupInfo, GroupSpec
from raysim.spec.resources import Wanted


class CreatePlacementGroup(Message):
    """Driver or worker to GCS: make this group.

    Reply: PlacementGroupRegistered or PlacementGroupRefused. Lost: asked again; the group's id makes
    it idempotent.
    """

    spec: GroupSpec


class PlacementGroupRegistered(Message):
    """GCS to creator: places will be looked for, for as long as it takes. It hears of every change, unasked.

    Lost: the creator asks again.
    """

    group_id: PlacementGroupId


class PlacementGroupRefused(Message):
    """GCS to creator: no such group will be (its name is taken, it is more than its job's quota).

    Lost: the creator asks again.
    """

    group_id: PlacementGroupId
    reason: str
    kind: FailureKind | None = None
    """None: a mistake of the program, as a name that is taken."""


class SubscribePlacementGroup(Message):
    """Driver, worker or raylet to GCS: tell me this group's state now and whenever it changes.

    Reply: PlacementGroupChanged; of a group that nobody created, that it is removed.
    Lost: asked again while somebody waits for the group.
    """

    group_id: PlacementGroupId


class PlacementGroupChanged(Message):
    """GCS to subscribers: the group is now so; `info.version` orders the changes.

    Lost: the subscriber asks again.
    """

    info: GroupInfo


class RemovePlacementGroup(Message):
    """Anyone to GCS: give the group's resources back, and end whoever uses them.

    Reply: PlacementGroupChanged. Lost: asked again; a group is removed once.
    """

    group_id: PlacementGroupId


class GetPlacementGroups(Message):
    """Anyone to GCS: which groups are there? One of them by id or by name, or else all.

    Reply: PlacementGroups. Lost: asked again with the same number.
    """

    number: int
    group_id: PlacementGroupId | None = None
    name: str = ""
    namespace: str = ""


class PlacementGroups(Message):
    """GCS to whoever asked: those groups. By name only one that is not removed.

    Lost: asked again.
    """

    number: int
    groups: list[GroupInfo]


class PrepareBundles(Message):
    """GCS to raylet: reserve these bundles (by index), all or none, and keep them from everybody.

    Reply: BundlesPrepared. Lost: asked again; `epoch`, one for each attempt to place a group, makes
    it idempotent. A raylet that loses the GCS gives back what was never committed.
    """

    group_id: PlacementGroupId
    epoch: int
    bundles: dict[int, Wanted]


class BundlesPrepared(Message):
    """Raylet to GCS: they are reserved, or there is no room (`ok` false).

    Lost: the GCS asks again and gets the same answer.
    """

    group_id: PlacementGroupId
    epoch: int
    ok: bool


class CommitBundles(Message):
    """GCS to raylet: every node of this attempt has reserved its bundles; offer them.

    Reply: BundlesCommitted. Lost: asked again.
    """

    group_id: PlacementGroupId
    epoch: int


class BundlesCommitted(Message):
    """Raylet to GCS: they are offered, or this attempt is not known here any more (`ok` false).

    Lost: the GCS asks again and gets the same answer.
    """

    group_id: PlacementGroupId
    epoch: int
    ok: bool


class ReturnBundles(Message):
    """GCS to raylet: give back what this attempt reserved; `removed`: everything of the group, and end
    those who use it.

    Reply: BundlesReturned. Lost: asked again until then, or until the node is dead.
    """

    group_id: PlacementGroupId
    epoch: int
    removed: bool


class BundlesReturned(Message):
    """Raylet to GCS: nothing of that is reserved here any more.

    Lost: the GCS asks again and gets the same answer.
    """

    group_id: PlacementGroupId
    epoch: int


class KeepBundles(Message):
    """GCS to a raylet that registers again: these bundles are yours to keep, give back all others.

    Reply: none. Lost: with the connection, after which the raylet registers again.
    """

    bundles: dict[PlacementGroupId, list[int]]

"""Values of the option `scheduling_strategy`, beside "DEFAULT" and "SPREAD". Never places anything."""

from collections.abc import Mapping
from typing import Any, Protocol, TypeAlias

from raysim.api.placement_groups import PlacementGroup
from raysim.spec.ids import NIL_NODE, UNIQUE_ID_BYTES, NodeId
from raysim.spec.labels import Expression, Operator, Selector
from raysim.spec.task import Default, InBundle, NodeAffinity, NodeLabels


class _HasHex(Protocol):
    def hex(self) -> str: ...


class NodeAffinitySchedulingStrategy:
    """Run on the node with this id (hex, as `nodes()` and `get_runtime_context()` give it).

    `soft=False`: a task fails with TaskUnschedulableError (an actor with ActorUnschedulableError)
    when that node is dead or can never fit it. `soft=True`: it then runs elsewhere. In both cases
    it waits while the node is merely busy, unless `_fail_on_unavailable` (not soft: it fails) or
    `_spill_on_unavailable` (soft: it runs elsewhere) is set. Raises ValueError for what is no node
    id, and for one of these two with the wrong `soft`.
    """

    def __init__(
        self,
        node_id: "str | _HasHex",
        soft: bool,
        _spill_on_unavailable: bool = False,
        _fail_on_unavailable: bool = False,
    ) -> None:
        self.node_id: str = node_id if isinstance(node_id, str) else node_id.hex()
        self.soft = soft
        self._spill_on_unavailable = _spill_on_unavailable
        self._fail_on_unavailable = _fail_on_unavailable
        self._check()

    def _check(self) -> None:
        try:
            raw = bytes.fromhex(self.node_id)
        except ValueError:
            raw = b""
        if len(raw) != UNIQUE_ID_BYTES or raw == NIL_NODE:
            raise ValueError(
                f"Invalid node_id {self.node_id!r}. A node id is {2 * UNIQUE_ID_BYTES} hex digits; "
                "nodes() lists the ids of all nodes under 'NodeID'."
            )
        if self._spill_on_unavailable and not self.soft:
            raise ValueError("_spill_on_unavailable cannot be set when soft is False.")
        if self._fail_on_unavailable and self.soft:
            raise ValueError("_fail_on_unavailable cannot be set when soft is True.")

    def resolve(self) -> NodeAffinity:
        return NodeAffinity(
            NodeId(bytes.fromhex(self.node_id)),
            self.soft,
            self._spill_on_unavailable,
            self._fail_on_unavailable,
        )


class PlacementGroupSchedulingStrategy:
    """Run in a bundle of this placement group; -1: in any of them.

    `placement_group_capture_child_tasks`: what the task or actor submits runs in the group too, unless
    it says otherwise; None: as for the code that submits this. What fits no bundle, and an index that
    is none, is a ValueError at `.remote()`.
    """

    def __init__(
        self,
        placement_group: PlacementGroup,
        placement_group_bundle_index: int = -1,
        placement_group_capture_child_tasks: bool | None = None,
    ) -> None:
        self.placement_group = placement_group
        self.placement_group_bundle_index = placement_group_bundle_index
        self.placement_group_capture_child_tasks = placement_group_capture_child_tasks

    def resolve(self) -> InBundle | Default:
        return in_bundle(self.placement_group, self.placement_group_bundle_index)


def in_bundle(group: Any, index: int) -> InBundle | Default:
    """Raises TypeError for what is no placement group."""
    if not isinstance(group, PlacementGroup):
        raise TypeError(f"placement_group must be a PlacementGroup, but it is {group!r}.")
    return Default() if group.is_empty else InBundle(group.id.binary(), index)


class _Values:
    """What a label is compared with. Raises ValueError without values, or for one that is no text."""

    def __init__(self, *values: str) -> None:
        name = type(self).__name__
        if not values:
            raise ValueError(f'{name}() needs at least one value: {name}("value1", "value2").')
        for value in values:
            if not isinstance(value, str):
                raise ValueError(
                    f"The values of {name} must be str, but one is {type(value).__name__}: {value!r}."
                )
        self.values = list(values)


class In(_Values):
    """The node's label is one of these."""


class NotIn(_Values):
    """The node's label is none of these, or the node does not have it."""


class Exists:
    """The node has the label."""


class DoesNotExist:
    """The node does not have the label."""


LabelMatch: TypeAlias = In | NotIn | Exists | DoesNotExist


class NodeLabelSchedulingStrategy:
    """Run on a node whose labels match all of `hard`; one that matches `soft` too, if it has room.

    Waits while no such node exists. Raises ValueError for what is no `{key: In(...)}`, and when both
    are empty.
    """

    def __init__(
        self,
        hard: Mapping[str, LabelMatch] | None,
        *,
        soft: Mapping[str, LabelMatch] | None = None,
    ) -> None:
        self.hard = _expressions("hard", hard)
        self.soft = _expressions("soft", soft)
        if not self.hard and not self.soft:
            raise ValueError("hard and soft of NodeLabelSchedulingStrategy cannot both be empty.")

    def resolve(self) -> NodeLabels:
        return NodeLabels(self.hard, self.soft)


def _expressions(which: str, given: Mapping[str, LabelMatch] | None) -> Selector:
    if given is None:
        return ()
    if not isinstance(given, Mapping):
        raise ValueError(
            f'{which} must be a map such as {{"zone": In("a")}}, not {type(given).__name__}.'
        )
    return tuple(_expression(which, key, match) for key, match in given.items())


def _expression(which: str, key: str, match: LabelMatch) -> Expression:
    if not isinstance(key, str):
        raise ValueError(f"The keys of {which} must be str, but one is {key!r}.")
    if isinstance(match, _Values):
        operator = Operator.IN if isinstance(match, In) else Operator.NOT_IN
        return Expression(key, operator, tuple(match.values))
    if isinstance(match, Exists):
        return Expression(key, Operator.EXISTS)
    if isinstance(match, DoesNotExist):
        return Expression(key, Operator.DOES_NOT_EXIST)
    raise ValueError(
        f"The value for {key!r} in {which} must be In, NotIn, Exists or DoesNotExist, but it is "
        f"{match!r}."
    )

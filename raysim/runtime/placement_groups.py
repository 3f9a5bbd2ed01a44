"""Placement groups of one process: what the API asks for, and calls that run in a group. Never placing.

A call in a group asks for the group's own resources instead of plain ones (`spec/placement_group.py`);
whether it fits any bundle is checked when it is submitted, as Ray does.
"""

from typing import TYPE_CHECKING, TypeVar

import msgspec

from raysim.backend import ActorOptions, PlacementGroupOptions, TaskOptions
from raysim.exceptions import RaySystemError, from_failure
from raysim.protocol.host import Waiter
from raysim.protocol.messages import PlacementGroupRefused
from raysim.protocol.owner.entries import ObjectState
from raysim.protocol.owner.placement_groups import PlacementGroups
from raysim.runtime.object_ref import ObjectRef
from raysim.runtime.resources import actor_resources, task_resources
from raysim.spec.failure import Failure, FailureKind
from raysim.spec.ids import CURRENT_GROUP, NIL_NODE, NodeId, PlacementGroupId
from raysim.spec.placement_group import (
    GroupInfo,
    GroupSpec,
    GroupState,
    GroupStrategy,
    fits_a_bundle,
)
from raysim.spec.resources import CPU, Resources, fixed, floats
from raysim.spec.task import Default, InBundle

if TYPE_CHECKING:
    from raysim.runtime.core_worker import CoreWorker

NS = 1_000_000_000

_CACHED = 256
"""Sets of options whose fit is remembered."""

_Options = TypeVar("_Options", TaskOptions, ActorOptions)


class Groups:
    def __init__(self, worker: "CoreWorker") -> None:
        self._worker = worker
        self._host = worker.host
        self.role = PlacementGroups(worker.host, worker.gcs)
        self._bundles: dict[PlacementGroupId, list[Resources]] = {}
        self._resolved: dict[
            tuple[int, InBundle | None], tuple[TaskOptions | ActorOptions, object]
        ] = {}

    # Groups

    def create(self, options: PlacementGroupOptions) -> PlacementGroupId:
        """Returns when the GCS knows the group. Raises RaySystemError when its name is taken, TaskUnschedulableError
        when it is more than its job's quota."""
        waiter = Waiter()
        refusals: list[PlacementGroupRefused] = []

        def answer(refusal: PlacementGroupRefused | None) -> None:
            if refusal is not None:
                refusals.append(refusal)
            waiter.finish()

        with self._host.lock:
            spec = self._spec(options)
            self.role.create(spec, answer)
        self._worker.block(waiter, None)
        if refusals:
            refused = refusals[0]
            if refused.kind is None:
                raise RaySystemError(refused.reason)
            raise from_failure(Failure(refused.kind, refused.reason))
        self._bundles[spec.group_id] = spec.bundles
        return spec.group_id

    def _spec(self, options: PlacementGroupOptions) -> GroupSpec:
        worker = self._worker
        task = worker.context.task
        actor = task.actor if task is not None else None
        target = options.soft_target_node_id
        return GroupSpec(
            worker.context.ids.placement_group(),
            [fixed(bundle) for bundle in options.bundles],
            GroupStrategy(options.strategy),
            self._host.address,
            options.name,
            worker.namespace,
            options.detached,
            actor.actor_id if actor is not None else None,
            actor is not None and actor.detached,
            list(options.selectors),
            NodeId(bytes.fromhex(target)) if target else NIL_NODE,
        )

    def remove(self, group_id: PlacementGroupId) -> None:
        """Returns when the GCS has removed it; the processes that use it end a little later."""
        waiter = Waiter()
        with self._host.lock:
            self.role.remove(group_id, waiter.finish)
        self._worker.block(waiter, None)

    def ready(self, group_id: PlacementGroupId, value: object) -> ObjectRef:
        """A reference to `value`, an object of this process, there when the group is created."""
        worker = self._worker
        payload = worker.values.serialize(value, "a placement group").join()
        objects = worker.owner.objects
        with self._host.lock:
            object_id = worker.context.ids.put()
            entry = objects.create(object_id)
            entry.local = 1
            stand_for = worker.owner.testimony.groups
            stand_for[object_id] = group_id

            def settled(info: GroupInfo) -> None:
                del stand_for[object_id]
                if objects.entries.get(object_id) is not entry:
                    return  # Nobody refers to it any more.
                if entry.state is not ObjectState.PENDING:
                    return
                if info.state is GroupState.CREATED:
                    objects.set_inline(entry, payload, is_error=False)
                else:
                    text = f"Placement group {group_id.hex()} was removed, or never created."
                    kind = FailureKind.TASK_PLACEMENT_GROUP_REMOVED
                    objects.set_failed(entry, Failure(kind, text))

            self.role.when_settled(group_id, settled)
        return ObjectRef(object_id, self._host.address, worker.holder)

    def wait(self, group_id: PlacementGroupId, timeout: float) -> bool:
        """Whether the group is created within `timeout` seconds. Raises RaySystemError if it is removed."""
        waiter = Waiter()
        found: list[GroupInfo] = []

        def settled(info: GroupInfo) -> None:
            found.append(info)
            waiter.finish()

        with self._host.lock:
            self.role.when_settled(group_id, settled)
        try:
            self._worker.block(waiter, None if timeout < 0 else int(timeout * NS))
        finally:
            with self._host.lock:
                self.role.forget(group_id, settled)
        if not found:
            return False
        if found[0].state is GroupState.REMOVED:
            raise RaySystemError(
                f"Placement group {group_id.hex()} does not exist: it was removed, or never created."
            )
        return True

    def infos(self, group_id: PlacementGroupId | None = None, name: str = "") -> list[GroupInfo]:
        waiter = Waiter()
        found: list[list[GroupInfo]] = []

        def answer(groups: list[GroupInfo]) -> None:
            found.append(groups)
            waiter.finish()

        with self._host.lock:
            namespace = self._worker.namespace
            self._worker.queries.placement_groups(group_id, name, namespace, answer)
        self._worker.block(waiter, None)
        return found[0]

    # Calls in a group

    def current(self) -> InBundle | None:
        """The group that this code runs in."""
        task = self._worker.context.task
        if task is None:
            return None
        holder = task.template or task.actor
        strategy = holder.strategy if holder is not None else None
        return strategy if isinstance(strategy, InBundle) else None

    def task(self, name: str, options: TaskOptions) -> TaskOptions:
        """The options with the bundle that they mean, if they mean one. Raises ValueError."""
        current = self.current()
        found = self._find(options, current)
        if found is not None:
            return found
        strategy = self._strategy(options, current)
        if isinstance(strategy, InBundle):
            need = task_resources(options)
            bundles = self._checked(name, strategy)
            if not fits_a_bundle(need, bundles):
                raise _does_not_fit(name, need, bundles)
        return self._keep(options, current, strategy)

    def actor(self, name: str, options: ActorOptions) -> ActorOptions:
        """As `task`, of an actor."""
        current = self.current()
        strategy = self._strategy(options, current)
        if isinstance(strategy, InBundle):
            placement, lifetime = actor_resources(options)
            bundles = self._checked(name, strategy)
            if not fits_a_bundle(lifetime, bundles):
                raise _does_not_fit(name, lifetime, bundles)
            if not fits_a_bundle(placement, bundles):
                shown = [floats(bundle) for bundle in bundles]
                raise ValueError(
                    f"Cannot schedule {name} with the placement group because the actor requires "
                    f"{placement[CPU] // 10_000} CPU for creation, but it cannot fit into any bundles for the "
                    f"placement group, {shown}. Consider creating a placement group with CPU resources."
                )
        return msgspec.structs.replace(options, strategy=strategy)

    def _find(self, options: TaskOptions, current: InBundle | None) -> TaskOptions | None:
        found = self._resolved.get((id(options), current))
        if found is None or found[0] is not options:
            return None
        assert isinstance(found[1], TaskOptions)
        return found[1]

    def _keep(
        self, options: TaskOptions, current: InBundle | None, strategy: object
    ) -> TaskOptions:
        resolved = msgspec.structs.replace(options, strategy=strategy)
        if len(self._resolved) >= _CACHED:
            self._resolved.clear()
        self._resolved[id(options), current] = (options, resolved)
        return resolved

    def _strategy(self, options: _Options, current: InBundle | None) -> object:
        """What the options mean here. Ray: `_configure_placement_group_based_on_context`."""
        strategy = options.strategy
        captures = current is not None and current.capture
        capture = captures if options.capture is None else options.capture
        if strategy is None and not capture:
            strategy = Default()
        elif strategy is None:
            return InBundle(current.group_id, -1, capture) if current is not None else Default()
        if not isinstance(strategy, InBundle):
            return strategy
        if strategy.group_id != CURRENT_GROUP:
            return InBundle(strategy.group_id, strategy.index, capture)
        if current is None or not capture:
            raise ValueError("If placement group is not set, the value of bundle index must be -1.")
        return InBundle(current.group_id, strategy.index, capture)

    def _checked(self, name: str, strategy: InBundle) -> list[Resources]:
        """The group's bundles, among which the index is."""
        bundles = self._bundles.get(strategy.group_id)
        if bundles is None:
            found = self.infos(strategy.group_id)
            if not found:
                raise ValueError(
                    f"Cannot schedule {name} with placement group {strategy.group_id.hex()}: there is no such group."
                )
            bundles = self._bundles[strategy.group_id] = found[0].bundles
        if not -1 <= strategy.index < len(bundles):
            raise ValueError(
                f"placement group bundle index {strategy.index} is invalid. "
                f"Valid placement group indexes: 0-{len(bundles) - 1}, or -1 for any."
            )
        return bundles


def _does_not_fit(name: str, need: Resources, bundles: list[Resources]) -> ValueError:
    shown = [floats(bundle) for bundle in bundles]
    return ValueError(
        f"Cannot schedule {name} with the placement group because the resource request {floats(need)} "
        f"cannot fit into any bundles for the placement group, {shown}."
    )

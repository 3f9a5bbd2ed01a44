"""Why an actor is not alive yet, or a placement group has no place, for people who ask. Changes nothing.

From what their placement is decided on.
"""

from collections.abc import Iterator, Sequence

from raysim.policies.bundles import is_feasible
from raysim.policies.choice import Wish
from raysim.protocol.gcs.actor_scheduler import wish_of
from raysim.protocol.gcs.actors import ActorTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.placement_groups import PlacementGroupTable
from raysim.protocol.gcs.views import Views
from raysim.protocol.messages import (
    ActorExplained,
    ActorStory,
    ExplainActor,
    ExplainGroup,
    GroupExplained,
    GroupStory,
    NodeRoom,
)
from raysim.protocol.rooms import rooms
from raysim.spec.address import Address
from raysim.spec.ids import ActorId, PlacementGroupId
from raysim.spec.placement_group import GroupSpec, GroupStrategy, plain
from raysim.spec.resources import Resources, total
from raysim.spec.task import Default, InBundle


class Explanations:
    def __init__(
        self, outbox: Outbox, actors: ActorTable, groups: PlacementGroupTable, views: Views
    ) -> None:
        self._outbox = outbox
        self._actors = actors
        self._groups = groups
        self._views = views

    def on_explain(self, sender: Address, asked: ExplainActor) -> None:
        self._outbox.send(sender, ActorExplained(asked.number, self._story(asked.actor_id)))

    def _story(self, actor_id: ActorId) -> ActorStory:
        actor = self._actors.directory.live.get(actor_id)
        if actor is None:
            info = self._actors.directory.info(actor_id)
            if info is None:
                return ActorStory(None)
            text = info.death.text if info.death is not None else ""
            return ActorStory(info.state, info.name or info.class_name, text)
        spec = actor.spec
        name = spec.name or spec.class_name
        story = ActorStory(actor.state, name, incarnation=actor.incarnation)
        story.need, story.owner = plain(spec.placement), spec.owner
        if isinstance(spec.strategy, InBundle):
            story.group_id = spec.strategy.group_id
        if actor.process is not None:
            story.worker = actor.process.worker
            return story
        asked = self._actors.scheduler.asked(actor_id)
        if asked is not None:
            story.lease_id, story.raylet = asked
        else:
            story.nodes = rooms(wish_of(spec), self._views.live.values())
        return story

    def on_explain_group(self, sender: Address, asked: ExplainGroup) -> None:
        story = self._group_story(asked.group_id)
        self._outbox.send(sender, GroupExplained(asked.number, story))

    def _group_story(self, group_id: PlacementGroupId) -> GroupStory:
        story = GroupStory(self._groups.state(group_id))
        pending = self._groups.pending(group_id)
        if pending is None:
            return story
        spec, placed = pending
        wanted = [index for index in range(len(spec.bundles)) if index not in placed]
        story.name, story.strategy, story.placed = spec.name, spec.strategy, len(placed)
        story.unplaced = [spec.bundles[index] for index in wanted]
        story.ever = is_feasible(spec, self._views.live, placed)
        story.quota = self._groups.quota_in_use(group_id)
        story.tight, story.nodes = self._tightest(list(_wishes(spec, wanted)))
        return story

    def _tightest(self, wishes: Sequence[Wish]) -> tuple[Resources, list[NodeRoom]]:
        """The first that no node has room for; one that none could ever hold comes before others."""
        full: tuple[Resources, list[NodeRoom]] = {}, []
        for wish in wishes:
            found = rooms(wish, self._views.live.values())
            if not any(room.ever for room in found):
                return wish.need, found
            if not full[1] and all(room.lacks or not room.ever for room in found):
                full = wish.need, found
        return full


def _wishes(spec: GroupSpec, wanted: Sequence[int]) -> Iterator[Wish]:
    """Of each bundle; of all together, where they go to one node."""
    bundles = [spec.bundles[index] for index in wanted]
    if spec.strategy is GroupStrategy.STRICT_PACK:
        bundles, wanted = [total(bundles)], wanted[:1]
    for index, need in zip(wanted, bundles, strict=True):
        selector = spec.selectors[index] if spec.selectors else ()
        yield Wish(need, Default(), (selector,) if selector else ())

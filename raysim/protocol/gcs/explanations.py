"""Why an actor is not alive yet, for people who ask. From what its placement is decided on; changes nothing."""

from raysim.protocol.gcs.actor_scheduler import wish_of
from raysim.protocol.gcs.actors import ActorTable
from raysim.protocol.gcs.outbox import Outbox
from raysim.protocol.gcs.views import Views
from raysim.protocol.messages import ActorExplained, ActorStory, ExplainActor
from raysim.protocol.rooms import rooms
from raysim.spec.address import Address
from raysim.spec.ids import ActorId
from raysim.spec.placement_group import plain
from raysim.spec.task import InBundle


class Explanations:
    def __init__(self, outbox: Outbox, actors: ActorTable, views: Views) -> None:
        self._outbox = outbox
        self._actors = actors
        self._views = views

    def on_explain(self, sender: Address, asked: ExplainActor) -> None:
        self._outbox.send(sender, ActorExplained(asked.number, self._story(asked.actor_id)))

    def _story(self, actor_id: ActorId) -> ActorStory:
        actor = self._actors.living(actor_id)
        if actor is None:
            info = self._actors.info(actor_id)
            if info is None:
                return ActorStory(None)
            text = info.death.text if info.death is not None else ""
            return ActorStory(info.state, info.name or info.class_name, text)
        spec = actor.spec
        name = spec.name or spec.class_name
        story = ActorStory(actor.state, name, incarnation=actor.incarnation)
        story.need = plain(spec.placement)
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

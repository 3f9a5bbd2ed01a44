"""What a compiled graph runs in every pass: methods of actors, joined by channels. Never where the actors are."""

import msgspec

from raysim.spec.ids import ActorId


class PlannedStep(msgspec.Struct, frozen=True, gc=False):
    """One method of one actor."""

    actor_id: ActorId
    method: str
    args: bytes
    """The serialised `(args, kwargs)`, None where a channel's value belongs."""
    inputs: list[tuple[int, int]]
    """Position among the arguments, and the channel whose value belongs there. At least one."""
    outputs: list[int]
    """The channels of its return values."""


class GraphPlan(msgspec.Struct, frozen=True, gc=False):
    """Channels are numbered; each has one writer, and readers wherever its number is an input."""

    steps: list[PlannedStep]
    """An actor runs its own in this order. No step reads what a later one writes."""
    inputs: list[int]
    """The channels that the driver writes."""
    outputs: list[int]
    """The channels that the driver reads; one may be there twice."""

    def actors(self) -> list[ActorId]:
        return list({step.actor_id: None for step in self.steps})

    def readers(self) -> dict[int, list[ActorId]]:
        """Of each channel, the actors that read it, each once."""
        found: dict[int, dict[ActorId, None]] = {}
        for step in self.steps:
            for _, channel in step.inputs:
                found.setdefault(channel, {})[step.actor_id] = None
        return {channel: list(actors) for channel, actors in found.items()}

"""Which actors faults may strike. Never which of them."""

from raysim.protocol.gcs import Gcs
from raysim.spec.actor import ActorState
from raysim_cluster.control import Done, Place


def living_actors(gcs: Gcs, name: str) -> Done:
    """Those of this name or class; empty: all."""
    found = [
        Place(actor.process.raylet.node_id, actor.process.worker.worker_id)
        for actor in gcs.actors.directory.live.values()
        if actor.process is not None
        and actor.state is ActorState.ALIVE
        and name in ("", actor.spec.name, actor.spec.class_name)
    ]
    return Done(target="actors", actors=found)

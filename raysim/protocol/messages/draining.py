"""A node that is to go: nothing new is given to it, what it keeps is moved, and then it ends."""

from raysim.protocol.messages.base import Message
from raysim.protocol.messages.objects import FetchObject
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, ObjectId


class DrainNode(Message):
    """Anyone to GCS: this node is to go. Asked once more, with another reason or deadline, these count.

    Reply: NodeDrains. Lost: asked again with the same number.
    """

    number: int
    node_id: NodeId
    reason: str
    deadline_ns: int = 0
    """From now on; what is left by then is lost with the node. 0: none."""


class NodeDrains(Message):
    """GCS to whoever asked: the node drains, and will be dead. `refusal`: why it does not; empty: it does.

    Lost: asked again.
    """

    number: int
    refusal: str = ""


class DrainRaylet(Message):
    """GCS to raylet: take on nothing new, move what you keep, and say when you have nothing left.

    `only_if_idle`: only if there is nothing to move and nothing runs. Reply: RayletDrains. Lost: asked again.
    """

    reason: str
    only_if_idle: bool = False


class RayletDrains(Message):
    """Raylet to GCS: whether it drains; it refuses only what it is to do `only_if_idle`.

    Lost: asked again, and answered in the same way.
    """

    accepted: bool
    idle: bool = False
    """The answer to `only_if_idle`."""


class RayletDrained(Message):
    """Raylet to GCS: nothing is left here that anybody needs.

    Reply: NodeRefused, as for every dead node. Lost: said again until then.
    """


class NodeDraining(Message):
    """GCS to raylets: give nothing to this node any more. It lives, and others may still take from it.

    Reply: none. Lost: said again when the raylet registers again; until then that node sends on what comes.
    """

    node_id: NodeId
    reason: str


class AdoptObjects(Message):
    """Raylet that drains to another: get these from me, and keep them until their owners free them.

    Reply: CopyMoved to each owner, who frees the copy here; AdoptionsFailed for those that cannot be had.
    Lost: asked again.
    """

    objects: list[FetchObject]


class AdoptionsFailed(Message):
    """Raylet to one that drains: I cannot keep these. Ask another.

    Lost: asked again.
    """

    object_ids: list[ObjectId]


class CopyMoved(Message):
    """Raylet to owner: this node keeps a copy now, instead of `source`.

    Reply: FreeObjects to `source`; to the sender too if the object is gone, and to the sender alone while the
    object is being made. Lost: with the connection; `source` has it moved again.
    """

    object_id: ObjectId
    raylet: Address
    source: Address

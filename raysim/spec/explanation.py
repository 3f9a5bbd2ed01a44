"""Why an object is not there yet, as data and as text. Never found out here: see `raysim.protocol.explaining`."""

from enum import StrEnum

import msgspec


class Reason(StrEnum):
    """What an object, a call or an actor waits for; the last of a chain is the cause."""

    READY = "ready"
    FAILED = "failed"
    GONE = "gone"
    """Freed, or never known to who should own it."""
    PENDING_ARGUMENT = "pending argument"
    BEHIND_OTHER_CALL = "behind another call"
    """Of the same caller or actor, in their order."""
    NO_ROOM = "no room"
    """Some node could run it, and has nothing free."""
    NOT_ITS_TURN = "not its turn"
    """There is room, which the order of the queue has not given it."""
    OVER_QUOTA = "over quota"
    """What its job may have at once is in use."""
    INFEASIBLE = "infeasible"
    """No node could ever run it."""
    PLACEMENT_GROUP = "placement group pending"
    """It has no place yet, or no bundle that could hold the request."""
    ENV_SETTING_UP = "runtime environment being set up"
    WORKER_STARTING = "worker starting"
    RUNNING = "running"
    BLOCKED = "blocked"
    """It runs, and waits for objects."""
    ACTOR_PENDING = "actor pending"
    ACTOR_RESTARTING = "actor restarting"
    ACTOR_DEAD = "actor dead"
    CYCLE = "cycle"
    """It waits for itself: nothing will ever change."""
    MESSAGE_UNDER_WAY = "message under way"
    """Asked again in a moment, the answer will be another one."""
    NO_ANSWER = "no answer"
    """A process that should know does not answer: its node may be lost, or cut off."""
    NOT_FOLLOWED = "not followed"
    """The chain goes on further than was looked."""


class NodeLack(msgspec.Struct, frozen=True):
    """Why one node cannot run a request now."""

    node_id: str
    name: str
    lacks: dict[str, float]
    """Of what is free, in whole quantities. Empty: it only would not be chosen, or is not believed full."""
    ever: bool
    """It has enough when nothing else runs there."""
    why: str = ""
    """Besides resources: its labels, say."""


class Holder(msgspec.Struct, frozen=True):
    """Who has what a request waits for."""

    who: str
    held: dict[str, float]
    for_s: float


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """One step of the chain; `because` holds the next ones. Ids in hex, times in seconds of the world's clock."""

    reason: Reason
    text: str
    object_id: str = ""
    task_id: str = ""
    actor_id: str = ""
    node_id: str = ""
    """Where it runs, or where its request waits."""
    for_s: float | None = None
    """How long it has been so."""
    nodes: list[NodeLack] = []
    """Of a request that waits: what each node lacks, as its raylet sees them."""
    holders: list[Holder] = []
    cycle: list[str] = []
    """Objects that wait for each other, in the order of waiting."""
    because: list["Explanation"] = []

    def __str__(self) -> str:
        return "\n".join(self._lines(0))

    def as_json(self) -> str:
        """For programs."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1).decode()

    def causes(self) -> list["Explanation"]:
        """The ends of the chain."""
        if not self.because:
            return [self]
        return [cause for one in self.because for cause in one.causes()]

    def _lines(self, depth: int) -> list[str]:
        indent = "  " * depth
        lines = [f"{indent}{self.text}"]
        lines += [f"{indent}  - {_node(node)}" for node in self.nodes]
        lines += [f"{indent}  - {_holder(holder)}" for holder in self.holders]
        for one in self.because:
            lines += one._lines(depth + 1)
        return lines


def _node(node: NodeLack) -> str:
    who = f"node {node.name or node.node_id[:8]}"
    if node.why:
        return f"{who} {node.why}"
    lacks = ", ".join(f"{name}={quantity:g}" for name, quantity in node.lacks.items())
    if not lacks:
        return f"{who} has room"
    return f"{who} lacks {lacks}" + ("" if node.ever else ", whatever else runs there")


def _holder(holder: Holder) -> str:
    held = ", ".join(f"{name}={quantity:g}" for name, quantity in holder.held.items())
    return f"{held} held by {holder.who} for {holder.for_s:.3g} s"

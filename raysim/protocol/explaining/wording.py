"""Explanations in words, from what was told. Never asks."""

from collections.abc import Sequence

from raysim.protocol.messages import ActorStory, GroupStory, LeaseStory, ObjectStory
from raysim.spec.address import Address
from raysim.spec.explanation import Explanation, NodeLack, Reason
from raysim.spec.ids import ObjectId, PlacementGroupId
from raysim.spec.placement_group import GroupState
from raysim.spec.resources import describe


def of_group(
    group_id: PlacementGroupId, story: GroupStory, lacks: Sequence[NodeLack]
) -> Explanation:
    name = f" '{story.name}'" if story.name else ""
    what = f"Placement group{name} ({short(group_id)}, {story.strategy})"
    match story.state:
        case None | GroupState.REMOVED:
            text = f"Placement group {short(group_id)} was removed, or never created."
            return Explanation(reason=Reason.GONE, text=text)
        case GroupState.CREATED:
            text = f"{what} has its places; whoever waits for them is about to hear of that."
            return Explanation(reason=Reason.MESSAGE_UNDER_WAY, text=text)
        case GroupState.PREPARED:
            text = f"{what} has its places, which its nodes are about to offer."
            return Explanation(reason=Reason.MESSAGE_UNDER_WAY, text=text)
    needs = " + ".join(describe(bundle) for bundle in story.unplaced)
    kept = f", and keeps {story.placed}" if story.placed else ""
    text = f"{what} needs places for {len(story.unplaced)} bundles{kept}: {needs}."
    if story.quota:
        text += f" It waits, as {quota(story)}."
        return Explanation(reason=Reason.OVER_QUOTA, text=text)
    if story.tight:
        who = "No node has room" if story.ever else "No node could ever have room"
        text += f" {who} for {describe(story.tight)}."
    elif story.ever:
        text += " Each alone has room somewhere, but not all of them at once."
    else:
        text += " The nodes of this cluster could never hold all of them at once."
    reason = Reason.NO_ROOM if story.ever else Reason.INFEASIBLE
    return Explanation(reason=reason, text=text, nodes=list(lacks) if story.tight else [])


def quota(story: LeaseStory | GroupStory) -> str:
    return f"its job's quota of {describe(story.quota)} is in use"


def cycle(objects: Sequence[ObjectId], names: Sequence[str], object_id: ObjectId) -> Explanation:
    """Met again on the way down."""
    start = objects.index(object_id)
    names = names[start:]
    if len(names) == 1:
        text = f"Cycle: that is, for {names[0]} itself. It can never go on."
    else:
        text = f"Cycle: {' waits for '.join([*names, names[0]])}. None of them can ever go on."
    around = [one.hex() for one in objects[start:]]
    return Explanation(reason=Reason.CYCLE, text=text, object_id=object_id.hex(), cycle=around)


def arguments(story: ObjectStory) -> str:
    count = len(story.arguments)
    return "an argument" if count == 1 else f"{count} arguments"


def needs(story: LeaseStory | ActorStory) -> str:
    group = story.group_id
    inside = f" in placement group {group.hex()[:8]}" if group is not None else ""
    return describe(story.need) + inside


def nobody(story: LeaseStory | ActorStory) -> str:
    if story.group_id is not None:
        return "no bundle that could hold it has a place yet"
    return "no node could ever run it"


def behind(story: LeaseStory) -> str:
    """Whom a request that waits is behind, and who had it wait just there."""
    put = f", where the policy {story.queued_by} had it wait" if story.queued_by else ""
    turn = story.turn
    if turn is None:
        return put + (f", behind {story.ahead} like it" if story.ahead else "")
    room = "; there is room, but" if turn.has_room else ";"
    under = f"{put}{room} under the order of the queue, {turn.order},"
    if not turn.before:
        return f"{under} {'it is to wait' if turn.has_room else 'nobody is before it'}"
    come = "come first" if turn.ranked else "came before it"
    first = f"{describe(turn.need)} of {turn.user}, which has waited for {turn.for_ns / 1e9:.3g} s"
    return f"{under} {turn.before} {come}, the first of them {first}"


def why_queued(story: LeaseStory) -> Reason:
    return Reason.NOT_ITS_TURN if story.turn and story.turn.has_room else Reason.NO_ROOM


def infeasible(story: LeaseStory | ActorStory) -> Reason:
    return Reason.INFEASIBLE if story.group_id is None else Reason.PLACEMENT_GROUP


def short(one: bytes) -> str:
    return one.hex()[:8]


def process_id(address: Address) -> str:
    return address.worker_id.hex()[:8]

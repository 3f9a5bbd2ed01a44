"""Placement groups as a process asks for them: made, removed, waited for. Never placed: see gcs.

Whatever is asked of the GCS is asked again until it is answered, and as long as somebody waits for a
group: a GCS that was restarted knows nothing of who listened to the one before.
"""

from collections.abc import Callable
from functools import partial

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import (
    CreatePlacementGroup,
    Message,
    PlacementGroupChanged,
    PlacementGroupRefused,
    PlacementGroupRegistered,
    RemovePlacementGroup,
    SubscribePlacementGroup,
)
from raysim.protocol.process import Handlers
from raysim.spec.address import Address
from raysim.spec.ids import PlacementGroupId
from raysim.spec.placement_group import GroupInfo, GroupSpec, GroupState

LONGEST_WAIT = 30
"""Retry periods between two copies of one subscription, at most: a group may wait for long. Ours."""

SETTLED = (GroupState.CREATED, GroupState.REMOVED)

Settled = Callable[[GroupInfo], None]
Answer = Callable[[PlacementGroupRefused | None], None]


class PlacementGroups:
    """A role of every driver and worker."""

    def __init__(self, host: Host, gcs: Address) -> None:
        self._host = host
        self._gcs = gcs
        self._made: dict[PlacementGroupId, Answer] = {}
        self._removing: dict[PlacementGroupId, Callable[[], None]] = {}
        self._waiting: dict[PlacementGroupId, list[Settled]] = {}
        self._timers: dict[tuple[str, PlacementGroupId], Timer] = {}
        self._fresh: dict[PlacementGroupId, GroupInfo | None] = {}
        """Groups made here that nobody here has asked about yet, and what the GCS said of those that are created."""

    def start(self) -> None:
        """Nothing to do before the first group."""

    @staticmethod
    def handlers() -> Handlers["PlacementGroups"]:
        return {
            PlacementGroupRegistered: lambda groups: (
                lambda _, m: groups._answered(m.group_id, None)
            ),
            PlacementGroupRefused: lambda groups: groups._on_refused,
            PlacementGroupChanged: lambda groups: groups._on_changed,
        }

    def peer_lost(self, peer: Address) -> None:
        """What waits for an answer is asked again by its timer."""
        if peer.worker_id == self._gcs.worker_id:
            self._fresh.clear()  # The next one tells nobody of changes who does not ask.

    def create(self, spec: GroupSpec, answer: Answer) -> None:
        """`answer(refusal)` once the GCS knows it; None: it will be placed."""
        self._made[spec.group_id] = answer
        self._fresh[spec.group_id] = None
        self._ask("create", spec.group_id, CreatePlacementGroup(spec))

    def remove(self, group_id: PlacementGroupId, answer: Callable[[], None]) -> None:
        """`answer()` once the GCS has removed it; its users end a little later."""
        self._removing[group_id] = answer
        self._fresh.pop(group_id, None)
        self._ask("remove", group_id, RemovePlacementGroup(group_id))

    def when_settled(self, group_id: PlacementGroupId, action: Settled) -> None:
        """Once it is CREATED, or REMOVED; each time that is asked for, the GCS says how it is now. The first time
        it may have said so already."""
        created = self._fresh.pop(group_id, None)
        if created is not None:
            action(created)
            return
        self._waiting.setdefault(group_id, []).append(action)
        self._ask("subscribe", group_id, SubscribePlacementGroup(group_id))

    def forget(self, group_id: PlacementGroupId, action: Settled) -> None:
        """Nobody waits for this any more."""
        waiting = self._waiting.get(group_id)
        if waiting is not None and action in waiting:
            waiting.remove(action)
            if not waiting:
                del self._waiting[group_id]
                self._stop("subscribe", group_id)

    def _ask(
        self, what: str, group_id: PlacementGroupId, message: Message, periods: int = 1
    ) -> None:
        self._stop(what, group_id)
        self._host.send(self._gcs, message)
        longest = LONGEST_WAIT if what == "subscribe" else 1
        again = partial(self._ask, what, group_id, message, min(2 * periods, longest))
        wait_ns = periods * self._host.config.request_retry_ns
        self._timers[what, group_id] = self._host.call_later(wait_ns, again)

    def _stop(self, what: str, group_id: PlacementGroupId) -> None:
        timer = self._timers.pop((what, group_id), None)
        if timer is not None:
            timer.cancel()

    def _on_refused(self, sender: Address, refused: PlacementGroupRefused) -> None:
        self._fresh.pop(refused.group_id, None)
        self._answered(refused.group_id, refused)

    def _answered(self, group_id: PlacementGroupId, refusal: PlacementGroupRefused | None) -> None:
        answer = self._made.pop(group_id, None)
        if answer is not None:
            self._stop("create", group_id)
            answer(refusal)

    def _on_changed(self, sender: Address, changed: PlacementGroupChanged) -> None:
        info = changed.info
        if info.group_id in self._fresh:
            self._look_at_fresh(info)
        if info.state is GroupState.REMOVED and info.group_id in self._removing:
            self._stop("remove", info.group_id)
            self._removing.pop(info.group_id)()
        if info.state in SETTLED and info.group_id in self._waiting:
            self._stop("subscribe", info.group_id)
            for action in self._waiting.pop(info.group_id):
                action(info)

    def _look_at_fresh(self, info: GroupInfo) -> None:
        if info.state is GroupState.CREATED:
            self._fresh[info.group_id] = info
        else:
            # A late copy of what was said before means nothing from here on.
            del self._fresh[info.group_id]

"""Questions to the GCS, asked until they are answered. Never a cache."""

from collections.abc import Callable
from typing import Any

from raysim.protocol.host import Host, Timer
from raysim.protocol.messages import (
    DrainNode,
    GetNamedActor,
    GetNodes,
    GetPlacementGroups,
    KvDelete,
    KvDeleted,
    KvFound,
    KvGet,
    KvPut,
    KvStored,
    ListNamedActors,
    Message,
    NamedActor,
    NamedActors,
    NodeDrains,
    Nodes,
    PlacementGroups,
)
from raysim.protocol.process import Handlers
from raysim.spec.actor import ActorInfo
from raysim.spec.address import Address
from raysim.spec.ids import NodeId, PlacementGroupId
from raysim.spec.node import NodeState
from raysim.spec.placement_group import GroupInfo


class Queries:
    """Part of every driver and worker."""

    def __init__(self, host: Host, gcs: Address) -> None:
        self._host = host
        self._gcs = gcs
        self._number = 0
        self._open: dict[int, tuple[Callable[[Any], None], Timer]] = {}

    def start(self) -> None:
        """Nothing to do before the first question."""

    @staticmethod
    def handlers() -> Handlers["Queries"]:
        return {
            Nodes: lambda queries: lambda _, m: queries._answered(m.number, m.nodes),
            NodeDrains: lambda queries: lambda _, m: queries._answered(m.number, m.refusal),
            NamedActor: lambda queries: lambda _, m: queries._answered(m.number, m.info),
            NamedActors: lambda queries: lambda _, m: queries._answered(m.number, m.names),
            PlacementGroups: lambda queries: lambda _, m: queries._answered(m.number, m.groups),
            KvStored: lambda queries: lambda _, m: queries._answered(m.number, m.value),
            KvFound: lambda queries: lambda _, m: queries._answered(m.number, m.values),
            KvDeleted: lambda queries: lambda _, m: queries._answered(m.number, m.count),
        }

    def peer_lost(self, peer: Address) -> None:
        """The questions are asked again by their timers."""

    def nodes(self, answer: Callable[[list[NodeState]], None]) -> None:
        self._ask(lambda number: GetNodes(number), answer)

    def drain_node(
        self, node_id: NodeId, reason: str, deadline_ns: int, answer: Callable[[str], None]
    ) -> None:
        """Answered with why it does not drain; empty: it does."""
        self._ask(lambda number: DrainNode(number, node_id, reason, deadline_ns), answer)

    def named_actor(
        self, name: str, namespace: str, answer: Callable[[ActorInfo | None], None]
    ) -> None:
        self._ask(lambda number: GetNamedActor(number, name, namespace), answer)

    def actor_names(
        self, namespace: str | None, answer: Callable[[list[tuple[str, str]]], None]
    ) -> None:
        """Of living actors, of one namespace or of all, with their namespaces."""
        self._ask(lambda number: ListNamedActors(number, namespace), answer)

    def placement_groups(
        self,
        group_id: PlacementGroupId | None,
        name: str,
        namespace: str,
        answer: Callable[[list[GroupInfo]], None],
    ) -> None:
        """All of them, or one by id or by name."""
        self._ask(lambda number: GetPlacementGroups(number, group_id, name, namespace), answer)

    def kv_put(
        self,
        namespace: str,
        key: bytes,
        value: bytes,
        overwrite: bool,
        answer: Callable[[bytes], None],
    ) -> None:
        """Answers with the value that is there then."""
        self._ask(lambda number: KvPut(number, namespace, key, value, overwrite), answer)

    def kv_get(
        self, namespace: str, key: bytes, prefix: bool, answer: Callable[[dict[bytes, bytes]], None]
    ) -> None:
        self._ask(lambda number: KvGet(number, namespace, key, prefix), answer)

    def kv_delete(
        self, namespace: str, key: bytes, prefix: bool, answer: Callable[[int], None]
    ) -> None:
        """Answers with how many there were."""
        self._ask(lambda number: KvDelete(number, namespace, key, prefix), answer)

    def _ask(self, make: Callable[[int], Message], answer: Callable[[Any], None]) -> None:
        self._number += 1
        self._send(self._number, make(self._number), answer)

    def _send(self, number: int, message: Message, answer: Callable[[Any], None]) -> None:
        self._host.send(self._gcs, message)
        timer = self._host.call_later(
            self._host.config.request_retry_ns, lambda: self._send(number, message, answer)
        )
        self._open[number] = (answer, timer)

    def _answered(self, number: int, what: object) -> None:
        asked = self._open.pop(number, None)
        if asked is not None:
            asked[1].cancel()
            asked[0](what)

"""A node that is to go: what waits is sent on, what is kept is moved, and then it says so. Tests play the others."""

import pytest

from raysim.protocol.messages import (
    AdoptionsFailed,
    AdoptObjects,
    CommitBundles,
    CopyAdded,
    CopyMoved,
    DrainRaylet,
    ExitWorker,
    FetchObject,
    FreeObjects,
    Message,
    NodeDraining,
    ObjectChunk,
    PrepareBundles,
    PullChunk,
    RayletDrained,
    RayletDrains,
    RegisterDriver,
    RequestExtent,
    ResourceView,
    ReturnWorkerLease,
    RevokeIdleLeases,
    SealObject,
    StealRequests,
    WorkerLeaseRefused,
    WorkerLeaseRejected,
)
from raysim.spec.address import Address
from raysim.spec.ids import ObjectId, PlacementGroupId
from raysim.spec.node import NodeInfo, NodeView
from raysim.spec.resources import OBJECT_STORE_MEMORY, fixed
from raysim.spec.task import NodeAffinity
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import CPU1, GCS, Node, joined, worker_address

THERE, YONDER = address("there"), address("yonder")
FAR = address("driver", "there")
X = ObjectId(b"x" * 28)
BIG = fixed({"CPU": 4})
"""All of the node."""


def with_store(name: str) -> NodeInfo:
    return NodeInfo(address(name), fixed({"CPU": 4, OBJECT_STORE_MEMORY: 10**9}), name)


@pytest.fixture
def node() -> Node:
    """Two others, with stores."""
    made = Node()
    made.tell(GCS, joined(with_store("there"), with_store("yonder"), whole=True))
    made.host.take()
    return made


def drain(node: Node) -> list[tuple[Address, Message]]:
    """It is asked to; what it says at once."""
    before = len(node.host.sent)
    node.tell(GCS, DrainRaylet("a new disk"))
    return node.host.sent[before:]


def later(node: Node, periods: int = 1) -> None:
    node.host.advance(periods * node.host.config.resource_report_period_ns)


def said(node: Node, kind: type[Message]) -> list[tuple[Address, Message]]:
    return list(node.host.of(kind))


def sealed(node: Node, owner: Address = FAR, size: int = 10) -> None:
    """A worker of the node has made an object for that owner."""
    worker = node.lease(FAR, 1)
    node.tell(worker, RequestExtent(1, size))
    node.tell(worker, SealObject(1, X, size, owner))
    node.tell(FAR, ReturnWorkerLease(1))


def ended(node: Node, token: int = 1) -> None:
    node.end_worker(token)
    node.host.advance(0)


def test_a_node_with_nothing_says_so_until_it_is_stopped(node: Node) -> None:
    assert (GCS, RayletDrains(True)) in drain(node)
    assert len(said(node, RayletDrained)) == 1
    later(node)
    assert len(said(node, RayletDrained)) == 2


def test_being_asked_again_changes_nothing(node: Node) -> None:
    drain(node)
    sent = drain(node)
    assert sent == [(GCS, RayletDrains(True))]


def test_what_waits_is_sent_on_and_so_is_what_comes(node: Node, owner: Address) -> None:
    node.lease(owner, 1, BIG)
    node.view_of("there", 4, 1, free=0)
    node.view_of("yonder", 4, 1, free=0)
    node.ask(owner, 2)
    assert node.spilled() == {}
    drain(node)
    node.ask(owner, 3)
    assert set(node.spilled()) == {2, 3}
    assert set(node.spilled().values()) <= {THERE, YONDER}


def test_a_lease_whose_worker_is_on_its_way_is_sent_on(node: Node, owner: Address) -> None:
    node.ask(owner, 1)
    drain(node)
    assert set(node.spilled()) == {1}
    node.worker_up(1)
    assert node.granted(owner) == {}
    later(node)
    assert (worker_address(1), ExitWorker("its node drains: a new disk")) in node.host.sent


def test_what_fits_no_other_node_waits_for_one(owner: Address) -> None:
    node = Node(others={"there": 1})
    drain(node)
    node.ask(owner, 1, BIG)
    assert node.spilled() == {}
    node.tell(GCS, joined(with_store("yonder")))
    assert node.spilled() == {1: YONDER}


def test_room_that_others_believe_in_is_denied(node: Node) -> None:
    """Its own raylet chose this one before it heard of the drain, and is to choose again."""
    drain(node)
    node.ask(FAR, 1, hops=1, grant_or_reject=True)
    [(to, rejected)] = said(node, WorkerLeaseRejected)
    assert (to, rejected.node.available) == (FAR, {})


def test_a_request_that_may_not_be_sent_on_any_more_is_all_the_same(node: Node) -> None:
    drain(node)
    node.ask(FAR, 1, hops=node.host.config.max_spillback_hops)
    assert set(node.spilled()) == {1}


@pytest.mark.parametrize("before", [True, False])
def test_whoever_insists_on_this_node_is_refused(node: Node, owner: Address, before: bool) -> None:
    here = NodeAffinity(address("here").node_id, soft=False)
    if before:
        node.lease(owner, 9, BIG)
        node.ask(owner, 1, CPU1, here)
    drain(node)
    if not before:
        node.ask(owner, 1, CPU1, here)
    [(_, refused)] = said(node, WorkerLeaseRefused)
    assert "drains" in refused.failure.text


def test_whoever_insists_on_another_node_that_drains_is_refused(node: Node, owner: Address) -> None:
    node.tell(GCS, NodeDraining(THERE.node_id, "a new disk"))
    node.ask(owner, 1, CPU1, NodeAffinity(THERE.node_id, soft=False))
    [(_, refused)] = said(node, WorkerLeaseRefused)
    assert "drains: a new disk" in refused.failure.text


def test_nothing_is_sent_to_another_node_that_drains(node: Node, owner: Address) -> None:
    """Nor where a view of it that was under way comes afterwards."""
    node.lease(owner, 1, BIG)
    node.tell(GCS, NodeDraining(THERE.node_id, "a new disk"))
    node.view_of("there", 4, 7)
    for number in range(2, 6):
        node.ask(owner, number)
    assert set(node.spilled().values()) == {YONDER}


def test_owners_are_told_to_push_nothing_more_and_workers_leave_with_their_leases(
    node: Node, owner: Address
) -> None:
    worker = node.lease(owner, 1)
    drain(node)
    [(to, revoked)] = said(node, RevokeIdleLeases)
    assert (to, revoked.drains) == (owner, True)
    later(node, 5)
    assert said(node, RayletDrained) == []
    node.tell(owner, ReturnWorkerLease(1))
    later(node)
    assert (worker, ExitWorker("its node drains: a new disk")) in node.host.sent
    assert said(node, RayletDrained) == []
    ended(node)
    later(node)
    assert len(said(node, RayletDrained)) == 1


def test_a_driver_is_waited_for(node: Node, owner: Address) -> None:
    node.tell(owner, RegisterDriver(1))
    drain(node)
    later(node)
    assert said(node, RayletDrained) == []
    node.lose(owner)
    later(node)
    assert len(said(node, RayletDrained)) == 1


def test_no_bundle_is_reserved(node: Node) -> None:
    drain(node)
    group = PlacementGroupId(b"g" * 18)
    [(_, answer)] = node.tell(GCS, PrepareBundles(group, 1, {0: CPU1}))
    assert not answer.ok
    [(_, committed)] = node.tell(GCS, CommitBundles(group, 1))
    assert not committed.ok


def test_it_takes_nothing_over_from_others() -> None:
    """Under a policy that steals."""
    node = Node(cpus=1, others={"there": 1}, policy="work_stealing")
    drain(node)
    queued = NodeView(THERE, CPU1, {}, 1, queued=5)
    node.tell(GCS, ResourceView([queued]))
    assert said(node, StealRequests) == []


# Objects.


def test_an_object_is_kept_by_another_node_before_it_goes(node: Node) -> None:
    sealed(node)
    drain(node)
    ended(node)
    later(node)
    [(to, adopt)] = said(node, AdoptObjects)
    assert adopt.objects == [FetchObject(X, 10, [address("here")], FAR)]
    later(node, 3)
    assert said(node, RayletDrained) == []
    node.tell(FAR, FreeObjects([X]))  # The owner counts the other copy.
    later(node)
    assert len(said(node, RayletDrained)) == 1
    assert to in (THERE, YONDER)


def test_what_is_not_taken_over_in_time_is_asked_of_the_same_again(node: Node) -> None:
    sealed(node)
    drain(node)
    node.host.advance(node.host.config.request_retry_ns)
    later(node)
    assert len(said(node, AdoptObjects)) == 2
    assert len({to for to, _ in said(node, AdoptObjects)}) == 1


def test_one_that_has_no_room_is_not_asked_again_before_all_others(node: Node) -> None:
    sealed(node)
    drain(node)
    asked: list[Address] = []
    for _ in range(4):
        asked.append(said(node, AdoptObjects)[-1][0])
        node.tell(asked[-1], AdoptionsFailed([X]))
        later(node, 2)
    assert set(asked[:2]) == {THERE, YONDER}
    assert set(asked[2:]) == {THERE, YONDER}


def test_one_that_drains_as_well_is_not_asked(node: Node) -> None:
    node.tell(GCS, NodeDraining(THERE.node_id, "as well"))
    sealed(node)
    drain(node)
    assert [to for to, _ in said(node, AdoptObjects)] == [YONDER]


def test_what_its_own_processes_own_is_not_moved(node: Node, owner: Address) -> None:
    """It goes with its owner, wherever it is."""
    sealed(node, owner)
    drain(node)
    later(node, 3)
    assert said(node, AdoptObjects) == []


def adopt(node: Node, sender: Address = THERE) -> list[tuple[Address, Message]]:
    return node.tell(sender, AdoptObjects([FetchObject(X, 10, [sender], FAR)]))


def test_an_adopted_object_is_the_primary_copy_and_its_owner_is_told(node: Node) -> None:
    assert (THERE, PullChunk(X, 0, 10)) in adopt(node)
    sent = node.tell(THERE, ObjectChunk(X, 0, 10, 10, b"0123456789"))
    assert (FAR, CopyMoved(X, address("here"), THERE)) in sent
    assert not [message for _, message in sent if isinstance(message, CopyAdded)]
    entry = node.raylet.store.objects[X]
    assert entry.primary
    assert node.raylet.store.room.take(
        node.host.store.capacity, 0, lambda _: None, lambda: None
    )  # It waits: nothing may be evicted for it.


def test_a_copy_that_is_there_becomes_the_primary_one(node: Node) -> None:
    adopt(node)
    node.tell(THERE, ObjectChunk(X, 0, 10, 10, b"0123456789"))
    assert adopt(node) == [(FAR, CopyMoved(X, address("here"), THERE))]


def test_an_adoption_for_which_there_is_no_room_is_said(node: Node) -> None:
    node.host.store.capacity = 5
    assert adopt(node) == [(THERE, AdoptionsFailed([X]))]


def test_an_adoption_ends_with_the_node_that_asked(node: Node) -> None:
    adopt(node)
    node.lose(THERE)
    later(node)
    assert X not in node.raylet.store.objects
    assert node.host.store.used() == 0


def test_a_node_that_drains_adopts_nothing(node: Node) -> None:
    drain(node)
    assert adopt(node) == [(THERE, AdoptionsFailed([X]))]

import pytest

from raysim.config import Config
from raysim.journal import ObjectMoved
from raysim.protocol.messages import (
    CancelFetches,
    ChunkMissing,
    CopyAdded,
    FetchFailed,
    FetchObject,
    FetchObjects,
    FetchReason,
    FreeObjects,
    Message,
    NodeRemoved,
    ObjectChunk,
    ObjectLocal,
    PullChunk,
    RegisterDriver,
    RequestExtent,
    SealObject,
)
from raysim.spec.address import Address
from raysim.spec.failure import FailureKind
from raysim.spec.ids import ObjectId
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.raylet.node import GCS, Node

HERE = address("here")
THERE = address("there")
YONDER = address("yonder")
CONTENT = bytes(range(40))
X = ObjectId(b"x" * 28)


@pytest.fixture
def node(owner: Address) -> Node:
    """Chunks of 10 bytes, two ahead."""
    config = Config(chunk_bytes=10, chunks_in_flight=2)
    node = Node(others={"there": 4, "yonder": 4}, config=config)
    node.tell(owner, RegisterDriver(1))
    node.host.take()
    return node


def fetch(
    node: Node,
    process: Address,
    *holders: Address,
    object_id: ObjectId = X,
    size: int = 40,
    reason: FetchReason = FetchReason.GET,
    owner: Address | None = None,
) -> list[tuple[Address, Message]]:
    wanted = FetchObject(object_id, size, list(holders), owner or process)
    return node.tell(process, FetchObjects(reason, [wanted]))


def chunk(node: Node, sender: Address, offset: int, total: int = 40) -> list[Message]:
    data = CONTENT[offset : offset + 10]
    sent = node.tell(sender, ObjectChunk(X, offset, len(data), total, data))
    return [message for _, message in sent]


def asked(node: Node, of: Address) -> list[int]:
    """Offsets asked of that node so far."""
    return [message.offset for to, message in node.host.of(PullChunk) if to == of]


def content(node: Node) -> bytes:
    return bytes(node.host.store.places[node.raylet.store.objects[X].handle])


def test_object_comes_in_chunks_a_few_ahead(node: Node, owner: Address) -> None:
    fetch(node, owner, THERE)
    assert asked(node, THERE) == [0, 10]
    chunk(node, THERE, 0)
    assert asked(node, THERE) == [0, 10, 20]
    for offset in (10, 20, 30):
        sent = chunk(node, THERE, offset)
    entry = node.raylet.store.objects[X]
    assert sent == [ObjectLocal(X, entry.handle, 40), CopyAdded(X, HERE)]
    assert content(node) == CONTENT
    [moved] = node.host.noted(ObjectMoved)
    assert (moved.source, moved.target, moved.size) == (THERE.node_id, HERE.node_id, 40)


def test_chunk_that_arrives_twice_counts_once(node: Node, owner: Address) -> None:
    fetch(node, owner, THERE)
    for offset in (0, 0, 10, 20, 20):
        chunk(node, THERE, offset)
    assert X not in node.raylet.store.objects
    chunk(node, THERE, 30)
    assert content(node) == CONTENT
    assert chunk(node, THERE, 30) == []


@pytest.mark.parametrize("loss", ["missing", "peer", "node"])
def test_pull_resumes_at_another_holder_with_what_is_missing(
    node: Node, owner: Address, loss: str
) -> None:
    fetch(node, owner, THERE, YONDER)
    chunk(node, THERE, 10)
    if loss == "missing":
        node.tell(THERE, ChunkMissing(X))
    elif loss == "peer":
        node.lose(THERE)
    else:
        node.tell(GCS, NodeRemoved(THERE.node_id, "no answer"))
    assert asked(node, YONDER) == [0, 20]
    for offset in (0, 20, 30):
        chunk(node, YONDER, offset)
    assert content(node) == CONTENT


def test_second_word_that_a_holder_has_nothing_does_not_skip_the_next_holder(
    node: Node, owner: Address
) -> None:
    """Each of the chunks that were asked for ahead is answered."""
    fetch(node, owner, THERE, YONDER)
    node.tell(THERE, ChunkMissing(X))
    node.tell(THERE, ChunkMissing(X))
    assert node.host.of(FetchFailed) == []
    for offset in (0, 10, 20, 30):
        chunk(node, YONDER, offset)
    assert content(node) == CONTENT


def test_late_chunk_of_the_holder_before_is_as_good(node: Node, owner: Address) -> None:
    fetch(node, owner, THERE, YONDER)
    node.tell(THERE, ChunkMissing(X))
    chunk(node, THERE, 0)
    chunk(node, YONDER, 0)
    for offset in (10, 20, 30):
        chunk(node, YONDER, offset)
    assert content(node) == CONTENT


def test_pull_fails_when_no_holder_is_left(node: Node, owner: Address) -> None:
    fetch(node, owner, THERE, YONDER)
    node.tell(THERE, ChunkMissing(X))
    sent = node.tell(YONDER, ChunkMissing(X))
    assert sent == [(owner, FetchFailed(X, [THERE.node_id, YONDER.node_id]))]
    assert node.host.store.used() == 0


def test_holder_on_a_node_known_to_be_dead_is_not_asked(node: Node, owner: Address) -> None:
    """Nobody would ever report its loss again."""
    node.tell(GCS, NodeRemoved(THERE.node_id, "no answer"))
    sent = fetch(node, owner, THERE)
    assert sent == [(owner, FetchFailed(X, [THERE.node_id]))]


def test_copy_of_another_size_is_another_object(node: Node, owner: Address) -> None:
    fetch(node, owner, THERE, YONDER)
    chunk(node, THERE, 0, total=39)
    assert asked(node, YONDER) == [0, 10]


def test_those_who_want_one_object_share_its_pull(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    fetch(node, owner, THERE)
    assert fetch(node, worker, THERE, owner=owner) == []
    fetch(node, worker, THERE, owner=owner)
    for offset in (0, 10, 20, 30):
        chunk(node, THERE, offset)
    assert asked(node, THERE) == [0, 10, 20, 30]
    assert [to for to, _ in node.host.of(ObjectLocal)] == [owner, worker, worker]
    assert node.raylet.store.objects[X].pins == 3


def test_pull_that_nobody_wants_any_more_ends(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    fetch(node, owner, THERE)
    fetch(node, worker, THERE, owner=owner)
    node.tell(owner, CancelFetches([X]))
    assert node.host.store.used() == 40
    node.end_worker(1)
    assert node.host.store.used() == 0
    assert chunk(node, THERE, 0) == []


def test_object_that_is_wanted_again_after_a_cancel_is_pulled_anew(
    node: Node, owner: Address
) -> None:
    fetch(node, owner, THERE)
    node.tell(owner, CancelFetches([X]))
    fetch(node, owner, THERE)
    for offset in (0, 10, 0, 10, 20, 30):
        chunk(node, THERE, offset)
    assert content(node) == CONTENT


def test_owner_s_loss_ends_the_pull_with_an_error(node: Node, owner: Address) -> None:
    """Nobody would free the copy, and whoever waits must not wait for ever."""
    far = address("owner", "yonder")
    fetch(node, owner, THERE, owner=far)
    [(to, failed)] = node.lose(far)
    assert to == owner
    assert isinstance(failed, FetchFailed)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.OWNER_DIED
    assert node.host.store.used() == 0
    assert [m.failure for _, m in fetch(node, owner, THERE, owner=far)] == [failed.failure]


def test_pull_ends_when_the_owner_frees_the_object(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    fetch(node, worker, THERE, owner=owner)
    sent = node.tell(owner, FreeObjects([X]))
    assert sent == [(worker, FetchFailed(X, []))]


def test_pulls_for_get_come_before_those_for_arguments(node: Node, owner: Address) -> None:
    many = [ObjectId(bytes([number]) * 28) for number in range(20)]
    for object_id in many:
        fetch(node, owner, THERE, object_id=object_id, size=10, reason=FetchReason.ARGUMENT)
    before = len(node.host.of(PullChunk))
    assert before < len(many)
    fetch(node, owner, THERE, object_id=X, size=10)
    node.tell(THERE, ObjectChunk(many[0], 0, 10, 10, bytes(10)))
    asked_now = [message.object_id for _, message in node.host.of(PullChunk)][before:]
    assert asked_now == [X]


def test_pull_that_somebody_needs_for_get_moves_ahead(node: Node, owner: Address) -> None:
    many = [ObjectId(bytes([number]) * 28) for number in range(20)]
    for object_id in many:
        fetch(node, owner, THERE, object_id=object_id, size=10, reason=FetchReason.ARGUMENT)
    before = len(node.host.of(PullChunk))
    fetch(node, owner, THERE, object_id=many[-1], size=10)
    node.tell(THERE, ObjectChunk(many[0], 0, 10, 10, bytes(10)))
    asked_now = [message.object_id for _, message in node.host.of(PullChunk)][before:]
    assert asked_now == [many[-1]]


def test_node_that_answers_nothing_does_not_hold_up_pulls_from_others(
    node: Node, owner: Address
) -> None:
    for number in range(20):
        fetch(node, owner, THERE, object_id=ObjectId(bytes([number]) * 28), size=10)
    fetch(node, owner, YONDER)
    assert asked(node, YONDER) == [0, 10]


def test_pulls_that_end_early_make_way_for_others_from_that_node(
    node: Node, owner: Address
) -> None:
    many = [ObjectId(bytes([number]) * 28) for number in range(20)]
    for object_id in many:
        fetch(node, owner, THERE, object_id=object_id, size=10)
    before = len(node.host.of(PullChunk))
    node.tell(owner, CancelFetches(many[:3]))
    assert len(node.host.of(PullChunk)) == before + 3


def test_nothing_more_is_asked_of_a_holder_that_is_lost(node: Node, owner: Address) -> None:
    many = [ObjectId(bytes([number]) * 28) for number in range(20)]
    for object_id in many:
        fetch(node, owner, THERE, object_id=object_id, size=10)
    sent = node.lose(THERE)
    assert sent == [(owner, FetchFailed(object_id, [THERE.node_id])) for object_id in many]


def test_room_goes_to_pulls_for_get_first(node: Node, owner: Address) -> None:
    node.host.store.capacity = 40
    node.tell(owner, RequestExtent(1, 40))
    node.tell(owner, SealObject(1, ObjectId(b"y" * 28), 40, owner))
    argument, wait = ObjectId(b"a" * 28), ObjectId(b"w" * 28)
    fetch(node, owner, THERE, object_id=argument, reason=FetchReason.ARGUMENT)
    fetch(node, owner, THERE, object_id=wait, reason=FetchReason.WAIT)
    fetch(node, owner, THERE, object_id=X)
    sent = node.tell(owner, FreeObjects([ObjectId(b"y" * 28)]))
    assert {message.object_id for _, message in sent if isinstance(message, PullChunk)} == {X}


def test_room_goes_first_to_a_pull_that_somebody_needs_for_get_by_now(
    node: Node, owner: Address
) -> None:
    node.host.store.capacity = 40
    node.tell(owner, RequestExtent(1, 40))
    node.tell(owner, SealObject(1, ObjectId(b"y" * 28), 40, owner))
    fetch(node, owner, THERE, object_id=ObjectId(b"a" * 28), reason=FetchReason.ARGUMENT)
    fetch(node, owner, THERE, object_id=X, reason=FetchReason.ARGUMENT)
    fetch(node, owner, THERE, object_id=X)
    sent = node.tell(owner, FreeObjects([ObjectId(b"y" * 28)]))
    assert {message.object_id for _, message in sent if isinstance(message, PullChunk)} == {X}


def test_room_is_waited_for(node: Node, owner: Address) -> None:
    node.host.store.capacity = 50
    node.tell(owner, RequestExtent(1, 20))
    node.tell(owner, SealObject(1, ObjectId(b"y" * 28), 20, owner))
    assert fetch(node, owner, THERE) == []
    node.tell(owner, FreeObjects([ObjectId(b"y" * 28)]))
    assert asked(node, THERE) == [0, 10]


def test_pull_that_finds_no_room_fails_with_the_reason(node: Node, owner: Address) -> None:
    node.host.store.capacity = 39
    [(to, failed)] = fetch(node, owner, THERE)
    assert to == owner
    assert isinstance(failed, FetchFailed)
    assert failed.failure is not None
    assert failed.failure.kind is FailureKind.OBJECT_STORE_FULL


# Requests that overtake the seal


def test_fetch_that_overtakes_the_seal_waits_for_it(node: Node, owner: Address) -> None:
    """The owner hears of the result from the worker, and its fetch is here before the seal."""
    worker = node.lease(owner, 1)
    node.tell(worker, RequestExtent(1, 40))
    assert fetch(node, owner, HERE) == []
    sent = node.tell(worker, SealObject(1, X, 40, owner))
    assert [type(message) for to, message in sent if to == owner] == [ObjectLocal]


def test_fetch_of_what_is_lost_here_fails_at_once_if_no_seal_can_be_under_way(
    node: Node, owner: Address
) -> None:
    assert fetch(node, owner, HERE) == [(owner, FetchFailed(X, [HERE.node_id]))]


def test_extents_that_were_sealed_or_taken_back_promise_no_seal(node: Node, owner: Address) -> None:
    worker = node.lease(owner, 1)
    node.tell(owner, RequestExtent(1, 40))
    node.tell(owner, SealObject(1, ObjectId(b"y" * 28), 40, owner))
    node.tell(worker, RequestExtent(1, 40))
    node.end_worker(1)
    assert fetch(node, owner, HERE) == [(owner, FetchFailed(X, [HERE.node_id]))]


def test_fetch_of_what_is_never_sealed_fails_after_a_while(node: Node, owner: Address) -> None:
    node.tell(owner, RequestExtent(1, 40))
    fetch(node, owner, HERE)
    node.host.advance(node.host.config.seal_grace_ns)
    assert node.host.of(FetchFailed) == [(owner, FetchFailed(X, [HERE.node_id]))]


def test_chunk_asked_for_before_the_seal_is_sent_after_it(node: Node, owner: Address) -> None:
    node.tell(owner, RequestExtent(1, 40))
    assert node.tell(THERE, PullChunk(X, 10, 10)) == []
    [(to, message)] = node.tell(owner, SealObject(1, X, 40, owner))
    assert to == THERE
    assert message == ObjectChunk(X, 10, 10, 40, bytes(10))
    node.host.take()
    node.host.advance(node.host.config.seal_grace_ns)
    assert node.host.of(ChunkMissing) == []


def test_chunk_of_what_is_never_sealed_is_missing_after_a_while(node: Node, owner: Address) -> None:
    node.tell(owner, RequestExtent(1, 40))
    node.tell(THERE, PullChunk(X, 0, 10))
    node.tell(THERE, PullChunk(X, 10, 10))
    node.host.advance(node.host.config.seal_grace_ns)
    assert node.host.of(ChunkMissing) == [(THERE, ChunkMissing(X))]


def test_a_seal_after_all_is_told_to_the_owner_who_was_told_that_there_is_none(
    node: Node, owner: Address
) -> None:
    """It has made the object again elsewhere, and would never free this copy."""
    node.tell(owner, RequestExtent(1, 40))
    node.tell(THERE, PullChunk(X, 0, 10))
    node.host.advance(node.host.config.seal_grace_ns)
    node.tell(owner, SealObject(1, X, 40, owner))
    assert [to for to, _ in node.host.of(CopyAdded)] == [owner]


def test_object_made_here_while_a_copy_is_on_its_way_ends_the_pull(
    node: Node, owner: Address
) -> None:
    fetch(node, owner, THERE)
    node.tell(owner, RequestExtent(1, 40))
    node.tell(owner, SealObject(1, X, 40, owner))
    assert [to for to, _ in node.host.of(ObjectLocal)] == [owner]
    assert node.host.store.used() == 40
    assert chunk(node, THERE, 0) == []


# Serving


def test_chunk_of_a_sealed_object_is_sent(node: Node, owner: Address) -> None:
    [(_, lent)] = node.tell(owner, RequestExtent(1, 40))
    node.host.store.places[lent.handle][:] = CONTENT
    node.tell(owner, SealObject(1, X, 40, owner))
    assert node.tell(THERE, PullChunk(X, 30, 10)) == [
        (THERE, ObjectChunk(X, 30, 10, 40, CONTENT[30:]))
    ]


def test_chunk_beyond_the_end_is_missing(node: Node, owner: Address) -> None:
    node.tell(owner, RequestExtent(1, 40))
    node.tell(owner, SealObject(1, X, 40, owner))
    assert node.tell(THERE, PullChunk(X, 40, 10)) == [(THERE, ChunkMissing(X))]

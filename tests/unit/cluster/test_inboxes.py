"""Pipes of compiled graphs: records whole and in order, room, who is woken, what is left behind."""

import gc
import os
import resource
import select
import threading
from collections.abc import Callable, Iterator

import pytest

from raysim.config import MS
from raysim.protocol.host import Waiter
from raysim.spec.failure import FailureKind
from raysim.spec.ids import IdSource, driver_task, job_id
from raysim_cluster.buffers import CAPACITY, LARGEST
from raysim_cluster.driver import DriverHost
from raysim_cluster.inboxes import PipeInbox, PipeOutlet
from raysim_cluster.listening import Listening
from tests.unit.cluster.peers import Peers, Recorder

GRAPH = IdSource(driver_task(job_id(1))).task()
SECOND = 1_000 * MS


@pytest.fixture
def host(peers: Peers) -> DriverHost:
    return peers.driver_host(Recorder())


@pytest.fixture
def inbox(host: DriverHost) -> PipeInbox:
    return host.inbox(GRAPH)


@pytest.fixture
def outlet(host: DriverHost, inbox: PipeInbox) -> PipeOutlet:
    found = host.outlet(inbox.place)
    assert found is not None
    return found


def write(outlet: PipeOutlet, number: int, data: bytes, channel: int = 0) -> bool:
    return outlet.write(number, channel, [data], len(data), False)


def listen(inbox: PipeInbox) -> None:
    """As a poll that has seen something."""
    inbox.readable = True


def test_values_arrive_whole_and_in_order(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    sizes = [0, 1, 1000, 4000, 7, 4000, 4000, 4000, 4000, 4000, 4000, 12]
    for number, size in enumerate(sizes):
        data = bytes([number]) * size
        assert outlet.write(number, number % 3, [data], size, number % 2 == 1)
    found = []
    while len(found) < len(sizes):
        listen(inbox)
        found += inbox.take()
    assert [(w.graph_id, w.number, w.channel) for w in found] == [
        (GRAPH, number, number % 3) for number in range(len(sizes))
    ]
    assert [w.payload for w in found] == [bytes([n]) * size for n, size in enumerate(sizes)]
    assert [w.is_error for w in found] == [n % 2 == 1 for n in range(len(sizes))]
    assert inbox.take() == []


def test_record_that_a_read_cuts_is_put_together(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    """The kernel gives what there is, up to a size that knows nothing of records."""
    payloads = [bytes([number]) * 3001 for number in range(14)]
    for number, payload in enumerate(payloads):
        assert write(outlet, number, payload)
    listen(inbox)
    assert [w.payload for w in inbox.take()] == payloads


def test_value_that_the_kernel_might_take_in_parts_goes_beside_the_pipe(
    inbox: PipeInbox, outlet: PipeOutlet
) -> None:
    sizes = [select.PIPE_BUF, 10, 100_000, LARGEST, 10]
    for number, size in enumerate(sizes):
        assert write(outlet, number, bytes([number]) * size)
    listen(inbox)
    found = inbox.take()
    assert [w.number for w in found] == list(range(len(sizes)))
    assert [w.payload for w in found] == [bytes([n]) * size for n, size in enumerate(sizes)]


def test_value_in_parts_is_one_value(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    array = memoryview(bytes(range(240)) * 100).cast("I")
    for number, parts in enumerate([[b"ab", array, b"c"], [b"ab", b"c"]]):
        assert outlet.write(number, 0, parts, sum(memoryview(p).nbytes for p in parts), True)
    listen(inbox)
    long, short = inbox.take()
    assert (long.payload, long.is_error) == (b"ab" + bytes(range(240)) * 100 + b"c", True)
    assert (short.payload, short.is_error) == (b"abc", True)


def test_too_large_value_is_refused(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    assert not write(outlet, 0, bytes(LARGEST + 1))
    listen(inbox)
    assert inbox.take() == []


@pytest.mark.parametrize("size", [5000, 100_001, LARGEST])
def test_full_memory_refuses_and_has_room_again(
    inbox: PipeInbox, outlet: PipeOutlet, size: int
) -> None:
    """What is there stays whole until it was taken."""
    number = 0
    for _ in range(3):
        first = number
        while write(outlet, number, bytes([number % 251]) * size):
            number += 1
        assert 0 < number - first <= CAPACITY // size
        listen(inbox)
        found = inbox.take()
        assert [w.number for w in found] == list(range(first, number))
        assert all(w.payload == bytes([w.number % 251]) * size for w in found)
        del found


def test_value_whose_writer_has_ended_is_a_failure(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    """It took its memory along; that it ended is said elsewhere."""
    assert write(outlet, 0, bytes(5000))
    assert write(outlet, 1, b"V")
    outlet.close()
    listen(inbox)
    lost, there = inbox.take()
    assert lost.failure is not None
    assert lost.failure.kind == FailureKind.CHANNEL_CLOSED
    assert (there.number, there.payload) == (1, b"V")


def test_full_pipe_refuses_and_has_room_again(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    written = 0
    while write(outlet, written, bytes(4000)):
        written += 1
    assert written > 10
    listen(inbox)
    assert len(inbox.take()) == written
    assert write(outlet, written, b"V")
    listen(inbox)
    assert [w.number for w in inbox.take()] == [written]


def test_several_writers(host: DriverHost, inbox: PipeInbox, outlet: PipeOutlet) -> None:
    second = host.outlet(inbox.place)
    assert second is not None
    write(outlet, 0, b"a", 1)
    write(second, 0, b"b", 2)
    listen(inbox)
    assert [(w.channel, w.payload) for w in inbox.take()] == [(1, b"a"), (2, b"b")]


def test_place_whose_process_has_ended(host: DriverHost) -> None:
    assert host.outlet(f"{2**22 + 1}/3/1") is None


def test_place_whose_number_another_pipe_has_now(host: DriverHost, inbox: PipeInbox) -> None:
    pid, number, inode = inbox.place.split("/")
    assert host.outlet(f"{pid}/{number}/{int(inode) + 1}") is None


def test_place_whose_number_something_else_has_now(host: DriverHost) -> None:
    with open(os.devnull) as other:
        inode = os.fstat(other.fileno()).st_ino
        assert host.outlet(f"{os.getpid()}/{other.fileno()}/{inode}") is None


def test_writing_to_a_closed_inbox_hurts_nobody(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    """No SIGPIPE either, which programs may have set to end them."""
    inbox.close()
    inbox.close()
    write(outlet, 0, b"V")
    assert inbox.take() == []
    outlet.close()
    outlet.close()
    assert not write(outlet, 1, b"V")
    assert not write(outlet, 2, bytes(5000))


def test_closed_host_leaves_no_descriptor(peers: Peers) -> None:
    gc.collect()  # What the tests before have left is not to go meanwhile.
    before = len(os.listdir("/proc/self/fd"))
    host = peers.driver_host(Recorder())
    inbox = host.inbox(GRAPH)
    assert inbox is not None
    outlet = host.outlet(inbox.place)
    assert outlet is not None
    assert not inbox.block(Waiter(), 0)
    assert outlet.write(0, 0, [bytes(5000)], 5000, False)
    assert inbox.block(Waiter(), None)
    assert len(inbox.take()) == 1
    peers.hosts.remove(host)
    host.close_after(0)
    host.store._arena.close()
    assert len(os.listdir("/proc/self/fd")) == before


# Waiting.


def test_block_ends_when_a_value_comes(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    waiter = Waiter()
    threading.Timer(0.05, lambda: write(outlet, 0, b"V")).start()
    assert inbox.block(waiter, 20 * SECOND)
    assert not waiter.done
    assert len(inbox.take()) == 1


def test_block_ends_at_once_when_a_value_is_there(inbox: PipeInbox, outlet: PipeOutlet) -> None:
    write(outlet, 0, b"V")
    assert inbox.block(Waiter(), None)
    assert inbox.block(Waiter(), 0)


def test_block_ends_when_the_waiter_is_done(host: DriverHost, inbox: PipeInbox) -> None:
    waiter = Waiter()

    def finish() -> None:
        with host.lock:
            waiter.finish()

    threading.Timer(0.05, finish).start()
    assert inbox.block(waiter, 20 * SECOND)


def test_block_ends_with_its_time(inbox: PipeInbox) -> None:
    assert not inbox.block(Waiter(), 5 * MS)
    assert not inbox.block(Waiter(), MS // 5)
    assert not inbox.block(Waiter(), 0)


def test_timers_run_while_values_keep_coming(peers: Peers) -> None:
    host = peers.driver_host(Recorder(), helper=False)
    inbox = host.inbox(GRAPH)
    assert isinstance(inbox, PipeInbox)
    outlet = host.outlet(inbox.place)
    assert isinstance(outlet, PipeOutlet)
    ran: list[int] = []
    listening = Listening(host.poller, 0)
    listening.add(inbox)
    write(outlet, 0, b"V")
    with host.pump._pumping, host.lock:
        host.timers.add(0, lambda: ran.append(0))
        host.pump._poll(SECOND, listening)
    assert listening.heard
    assert ran == [0]
    listening.close()


def test_value_wakes_a_thread_that_another_one_polls_for(
    host: DriverHost, inbox: PipeInbox, outlet: PipeOutlet
) -> None:
    """The thread that pumps knows nothing of the inbox."""
    other, heard = Waiter(), []
    pumping = threading.Thread(target=lambda: host.block(other, None))
    pumping.start()
    while not (host.pump._pumping.locked() and not host.pump.helping):
        pass
    waiting = threading.Thread(target=lambda: heard.append(inbox.block(Waiter(), 30 * SECOND)))
    waiting.start()
    while not host.pump._parked:
        pass
    write(outlet, 0, b"V")
    waiting.join(20)
    in_time = list(heard)
    with host.lock:
        other.finish()
    pumping.join(20)
    waiting.join(20)
    assert in_time == [True]
    assert not pumping.is_alive()


def test_announcement_comes_once(host: DriverHost, inbox: PipeInbox, outlet: PipeOutlet) -> None:
    told: list[int] = []
    done = Waiter()

    def tell() -> None:
        told.append(len(told))
        done.finish()

    inbox.announce(tell)
    inbox.announce(tell)
    write(outlet, 0, b"V")
    assert host.block(done, 20 * SECOND)
    write(outlet, 1, b"V")
    assert not host.block(Waiter(), 5 * MS)
    assert told == [0]
    assert [w.number for w in inbox.take()] == [0, 1]


# Without descriptors.


@pytest.fixture
def no_descriptors() -> Iterator[Callable[[], None]]:
    """`no_descriptors()`: from then on this process gets no more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)

    def use_up() -> None:
        with open(os.devnull) as lowest_free:
            resource.setrlimit(resource.RLIMIT_NOFILE, (lowest_free.fileno(), limits[1]))

    yield use_up
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_no_descriptor_is_left_for_an_inbox(
    host: DriverHost, no_descriptors: Callable[[], None]
) -> None:
    no_descriptors()
    assert host.inbox(GRAPH) is None


def test_no_descriptor_is_left_for_an_outlet_or_its_memory(
    host: DriverHost, inbox: PipeInbox, outlet: PipeOutlet, no_descriptors: Callable[[], None]
) -> None:
    no_descriptors()
    assert host.outlet(inbox.place) is None
    assert not write(outlet, 0, bytes(5000))
    assert write(outlet, 0, b"V")
    listen(inbox)
    assert [w.payload for w in inbox.take()] == [b"V"]

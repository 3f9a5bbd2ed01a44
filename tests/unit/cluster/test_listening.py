"""A thread that nothing but values wakes: it leaves the sockets to the helper, and is woken for anything else."""

import threading
from collections.abc import Iterator

import pytest

from raysim.config import MS
from raysim.protocol.host import Waiter
from raysim.protocol.messages import CheckHealth
from raysim.spec.ids import IdSource, driver_task, job_id
from raysim_cluster.driver import DriverHost
from raysim_cluster.inboxes import PipeInbox, PipeOutlet
from raysim_cluster.listening import ALONE_AFTER, Listening
from raysim_cluster.spinning import SpinOrSleep
from raysim_cluster.user_host import NEVER
from tests.unit.cluster.peers import Peers, Recorder

GRAPH, OTHER = (IdSource(driver_task(job_id(number))).task() for number in (1, 2))
SECOND = 1_000 * MS


class Reader:
    """A host whose thread waits for inboxes, and what writes to those."""

    def __init__(self, peers: Peers) -> None:
        self.role = Recorder(CheckHealth)
        self.host: DriverHost = peers.driver_host(self.role)
        self.listening = Listening(self.host.poller, SECOND)
        self.inbox, self.outlet = self.open(GRAPH)
        self.number = 0

    def open(self, graph_id: object) -> tuple[PipeInbox, PipeOutlet]:
        inbox = self.host.inbox(graph_id)
        outlet = self.host.outlet(inbox.place)
        self.listening.add(inbox)
        return inbox, outlet

    def wait(self, waiter: Waiter | None = None, timeout_ns: int | None = 20 * SECOND) -> bool:
        self.listening.heard = False
        done = self.host.listen(waiter or Waiter(), timeout_ns, self.listening)
        return done or self.listening.heard

    def write(self) -> None:
        assert self.outlet.write(self.number, 0, [b"V"], 1, False)
        self.number += 1

    def passes(self, count: int, timeout_ns: int | None = 20 * SECOND) -> None:
        for _ in range(count):
            self.write()
            assert self.wait(timeout_ns=timeout_ns)
            assert [w.number for w in self.inbox.take()] == [self.number - 1]

    def be_alone(self, timeout_ns: int | None = 20 * SECOND) -> None:
        self.passes(ALONE_AFTER + 1, timeout_ns)
        assert self.listening.alone
        self.helper_pumps()

    def helper_pumps(self) -> None:
        while not (self.host.pump.helping and self.host.asleep):
            pass


@pytest.fixture(params=["sleeps", "spins", "spins briefly"])
def reader(
    peers: Peers, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Reader]:
    """Whichever way it waits, the same has to hold."""
    limit_ns = {"sleeps": 0, "spins": 60 * SECOND, "spins briefly": 1}[request.param]
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(SpinOrSleep, "limit_ns", lambda _: limit_ns)
    reader = Reader(peers)
    yield reader
    reader.listening.close()


def test_helper_answers_for_a_process_that_values_keep_busy(peers: Peers, reader: Reader) -> None:
    """The thread that waits for values hears of no message, and no value wakes the helper."""
    reader.be_alone()
    other = peers.host(Recorder())
    other.send(reader.host.address, CheckHealth(1))
    peers.turn(lambda: bool(reader.role.heard))
    reader.passes(3)
    assert reader.listening.alone


@pytest.mark.parametrize("timeout_ns", [None, 20 * SECOND, 100_000_000 * SECOND])
def test_thread_that_is_alone_is_woken_by_its_waiter(
    reader: Reader, timeout_ns: int | None
) -> None:
    reader.be_alone(timeout_ns)
    waiter = Waiter()

    def finish() -> None:
        with reader.host.lock:
            waiter.finish()

    threading.Timer(0.05, finish).start()
    assert reader.wait(waiter, timeout_ns)
    assert waiter.done
    reader.passes(1)
    assert not reader.listening.alone


@pytest.mark.parametrize("timeout_ns", [None, 20 * SECOND, 100_000_000 * SECOND])
def test_waiter_that_is_done_before_the_sleep_is_not_slept_past(
    reader: Reader, timeout_ns: int | None
) -> None:
    reader.be_alone(timeout_ns)
    waiter = Waiter()
    waiter.wake = reader.listening.wake
    waiter.finish()
    assert reader.wait(waiter, timeout_ns)
    assert reader.inbox.take() == []


def test_wait_that_is_alone_ends_with_its_time(reader: Reader) -> None:
    reader.be_alone()
    for timeout_ns in (5 * MS, MS // 5, 0):
        assert not reader.wait(timeout_ns=timeout_ns)
    assert reader.listening.alone
    reader.write()
    assert reader.wait(timeout_ns=0)


def test_thread_that_waits_for_something_else_polls_the_sockets_again(reader: Reader) -> None:
    reader.be_alone(None)
    assert not reader.host.block(Waiter(), MS)
    reader.passes(1)
    assert not reader.listening.alone
    assert not reader.wait(timeout_ns=MS)
    assert reader.inbox.take() == []
    reader.be_alone()


def test_take_never_waits_in_an_inbox_that_is_slept_in(reader: Reader) -> None:
    """It is read by the sleep, and has no more than that."""
    reader.be_alone(None)
    assert reader.inbox.take() == []
    reader.write()
    reader.write()
    assert reader.wait(timeout_ns=None)
    assert len(reader.inbox.take()) == 2
    assert reader.inbox.take() == []


def test_inbox_that_comes_while_another_is_slept_in_is_heard(reader: Reader) -> None:
    reader.be_alone(None)
    waiter = Waiter()
    opened: list[tuple[PipeInbox, PipeOutlet]] = []

    def open_another() -> None:
        with reader.host.lock:
            opened.append(reader.open(OTHER))
            waiter.finish()

    threading.Timer(0.05, open_another).start()
    assert reader.wait(waiter, None)
    ((inbox, outlet),) = opened
    for number in range(2 * ALONE_AFTER):
        assert outlet.write(number, 0, [b"W"], 1, False)
        assert reader.wait(timeout_ns=None)
        assert [w.number for w in inbox.take()] == [number]
        assert reader.inbox.take() == []
    assert reader.listening.alone
    reader.listening.remove(inbox)
    reader.be_alone(None)


def test_end_of_the_process_wakes_a_thread_that_is_alone(reader: Reader) -> None:
    reader.be_alone(None)
    threading.Timer(0.05, reader.host.pump.end).start()
    reader.wait(timeout_ns=None)
    assert reader.inbox.take() == []


def test_knock_at_a_full_inbox_is_not_needed(reader: Reader) -> None:
    written = 0
    while reader.outlet.write(written, 0, [bytes(4000)], 4000, False):
        written += 1
    reader.listening.wake()
    assert reader.wait()
    assert len(reader.inbox.take()) == written


def test_calls_in_a_row_take_the_pump_from_the_helper(reader: Reader) -> None:
    """As for any thread that is busy; it waits beside the sockets after that."""
    reader.be_alone()
    while reader.host.pump.helping:
        with reader.host.lock:
            pass
    reader.passes(1)
    assert not reader.listening.alone


def test_one_timer_stands_for_the_time_outs_of_many_waits(reader: Reader) -> None:
    reader.be_alone()
    timers = reader.host.timers
    before = timers._count
    reader.passes(100, 60 * SECOND)
    assert timers._count <= before + 1
    assert not reader.wait(timeout_ns=5 * MS)
    assert timers._count <= before + 2


def test_earlier_wait_ends_in_time_though_later_ones_had_their_timer_before(reader: Reader) -> None:
    reader.be_alone()
    for timeout_ns in (5 * MS, 20 * SECOND, 5 * MS):
        if timeout_ns > SECOND:
            reader.write()
            assert reader.wait(timeout_ns=timeout_ns)
            assert reader.inbox.take()
        else:
            assert not reader.wait(timeout_ns=timeout_ns)
    assert reader.listening.alone


class Server:
    """What takes values where they are heard."""

    def __init__(self, reader: Reader) -> None:
        self.reader = reader
        self.taken: list[int] = []
        self.waiter = Waiter()
        self.last = 3

    def serve(self) -> None:
        self.taken += [write.number for write in self.reader.inbox.take()]
        if len(self.taken) < self.last:
            self.reader.write()
        else:
            self.done()

    def done(self) -> None:
        self.waiter.finish()

    def run(self) -> None:
        self.reader.write()
        self.reader.listening.heard = False
        pump = self.reader.host.pump
        pump.block(self.waiter, None, NEVER, self.reader.listening, self.serve)


def test_values_are_served_without_leaving_the_wait(reader: Reader) -> None:
    reader.be_alone(None)
    begin = reader.number
    server = Server(reader)
    server.run()
    assert server.taken == [begin, begin + 1, begin + 2]
    assert not reader.listening.heard


def test_server_leaves_the_wait_when_its_process_had_to_do_with_something_else(
    reader: Reader,
) -> None:
    """Ordinary calls run between the methods of graphs, and their thread polls the sockets for them."""
    reader.be_alone(None)
    server = Server(reader)

    def done() -> None:
        assert not reader.host.block(Waiter(), MS)

    server.done = done
    server.run()
    assert not server.waiter.done
    assert not reader.listening.alone


def test_nobody_spins_where_there_is_one_core(
    peers: Peers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the one on which the value has to be made."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0})
    monkeypatch.setattr(SpinOrSleep, "limit_ns", lambda _: pytest.fail("it spins"))
    reader = Reader(peers)
    reader.be_alone()
    reader.passes(1)
    assert reader.listening.alone
    reader.listening.close()

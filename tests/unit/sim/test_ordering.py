"""The order of events of one instant: free between processes, kept within a connection and a process."""

import pytest

from raysim.faults import Order
from raysim.protocol.host import Waiter
from raysim.tape import Recorder, SeededTape
from raysim_sim.ordering import OrderedClock

ORDERS = [Order("random"), Order("pct", depth=4, length=40), Order("delayed", depth=10, length=40)]


class Event:
    def __init__(self, log, name):
        self.callbacks = (lambda event: log.append(event.name),)
        self.name = name


class OfProcess(Event):
    """As a timer is."""

    def __init__(self, log, name, host):
        super().__init__(log, name)
        self.host = host
        self.action = print


class OnConnection(Event):
    """As a message is."""

    def __init__(self, log, name, connection):
        super().__init__(log, name)
        self.connection = connection


class Host:
    def __init__(self):
        self.incoming = {}


def run(clock):
    waiter = Waiter()
    OrderedClock.put(clock, 10**9, 1 << 50, clock.make_call(waiter.finish))
    clock.run_until(waiter)


def order_of(order, seed, events):
    log = []
    clock = OrderedClock(order, SeededTape(seed))
    for event, at_ns in events(log):
        clock.after(at_ns, event)
    run(clock)
    return log


def of_many_processes(log):
    return [(OfProcess(log, number, Host()), 5) for number in range(10)]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_events_of_different_processes_change_places(order):
    orders = [tuple(order_of(order, seed, of_many_processes)) for seed in range(20)]
    assert len(set(orders)) > 5
    assert all(sorted(found) == list(range(10)) for found in orders)
    assert orders == [tuple(order_of(order, seed, of_many_processes)) for seed in range(20)]


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_a_process_keeps_the_order_of_its_timers_and_a_connection_that_of_its_messages(order):
    process, connection = Host(), Host()

    def events(log):
        made = []
        for number in range(12):
            made.append((OfProcess(log, ("timer", number), process), 5))
            made.append((OfProcess(log, ("other", number), process), 7))
            made.append((OnConnection(log, ("message", number), connection), 5))
        return made

    for seed in range(20):
        log = order_of(order, seed, events)
        for kind in ("timer", "message", "other"):
            assert [number for what, number in log if what == kind] == list(range(12))
        assert {what for what, _ in log[:24]} == {"timer", "message"}


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_time_is_never_turned_round(order):
    def events(log):
        return [(OfProcess(log, at_ns, Host()), at_ns) for at_ns in (30, 10, 20, 10, 30)]

    for seed in range(10):
        assert order_of(order, seed, events) == [10, 10, 20, 30, 30]


def test_a_bound_makes_neighbours_one_instant():
    def events(log):
        return [(OfProcess(log, at_ns, Host()), at_ns) for at_ns in (3, 7, 12, 18)]

    bounded = Order("random", bound_ns=10)
    orders = {tuple(order_of(bounded, seed, events)) for seed in range(40)}
    assert orders == {(3, 7, 12, 18), (7, 3, 12, 18), (3, 7, 18, 12), (7, 3, 18, 12)}


def test_few_events_are_delayed():
    order = Order("delayed", depth=1, length=10)
    for seed in range(10):
        log = order_of(order, seed, of_many_processes)
        late = log[-1]
        assert log[:-1] == [number for number in range(10) if number != late]


def test_the_order_is_on_the_tape():
    recorder = Recorder(SeededTape(1), 1)
    log = []
    clock = OrderedClock(Order("random"), recorder)
    for event, at_ns in of_many_processes(log):
        clock.after(at_ns, event)
    run(clock)
    again = []
    replayed = OrderedClock(Order("random"), recorder.recording().tape())
    for event, at_ns in of_many_processes(again):
        replayed.after(at_ns, event)
    run(replayed)
    assert log == again
    assert log != sorted(log)


def test_what_the_world_does_comes_first_and_in_its_order():
    log = []
    clock = OrderedClock(Order("random"), SeededTape(3))
    clock.after(5, OfProcess(log, "process", Host()))
    for number in range(3):
        clock.call(5, lambda number=number: log.append(number))
    run(clock)
    assert log == [0, 1, 2, "process"]

import pytest

from raysim.protocol.host import Waiter
from raysim_sim.clock import Clock, Watchdog


def finish(clock: Clock, at_ns: int) -> Waiter:
    waiter = Waiter()
    clock.call(at_ns, waiter.finish)
    return waiter


def test_events_of_one_instant_run_in_the_order_of_their_scheduling():
    clock, seen = Clock(), []
    for number in range(5):
        clock.call(10, lambda number=number: seen.append(number))
    clock.call(5, lambda: seen.append("first"))
    clock.run_until(finish(clock, 10))
    assert seen == ["first", 0, 1, 2, 3, 4]
    assert clock.now_ns == 10


def test_the_clock_stands_still_once_nobody_waits():
    clock, seen = Clock(), []
    clock.call(11, lambda: seen.append("too far"))
    clock.run_until(finish(clock, 10))
    assert (clock.now_ns, seen) == (10, [])


def test_a_cancelled_call_does_not_run_and_cancelling_twice_is_harmless():
    clock, seen = Clock(), []
    call = clock.call(1, lambda: seen.append("ran"))
    call.cancel()
    call.cancel()
    clock.run_until(finish(clock, 2))
    assert seen == []


def test_cancelled_timers_do_not_pile_up_and_the_order_of_the_others_stays():
    clock, seen = Clock(), []
    for number in range(100_000):
        clock.call(1_000, lambda: seen.append("cancelled")).cancel()
        if number % 10_000 == 0:
            clock.call(1_000, lambda number=number: seen.append(number))
    assert len(clock._queue) < 40_000
    clock.run_until(finish(clock, 1_000))
    assert seen == list(range(0, 100_000, 10_000))


def test_a_run_in_which_only_periodic_timers_go_on_is_stuck():
    clock, periods = Clock(), []

    def again() -> None:
        periods.append(clock.now_ns)
        clock.call(10, again)

    def stuck() -> None:
        raise TimeoutError("stuck")

    again()
    Watchdog(clock, 100, stuck)
    with pytest.raises(TimeoutError, match="stuck"):
        clock.run_until(Waiter())
    assert periods[-1] <= 100


def test_what_is_under_way_keeps_the_watchdog_quiet():
    clock = Clock()

    def stuck() -> None:
        raise TimeoutError("stuck")

    Watchdog(clock, 100, stuck)
    clock.expected = 1
    clock.run_until(finish(clock, 1_000))
    assert clock.now_ns == 1_000


def test_an_event_may_let_time_go_on_and_the_rest_of_its_instant_still_runs_in_order():
    """As `explain` does at a deadlock: the loop inside takes over the instant that the outer one is in."""
    clock, order, inner, outer = Clock(), [], Waiter(), Waiter()

    def nest():
        order.append("first")
        clock.call(0, lambda: order.append("third"))
        clock.call(5, inner.finish)
        clock.call(5, lambda: order.append("fourth"))
        clock.run_until(inner)
        order.append(("back", clock.now_ns))
        clock.call(0, lambda: order.append("fifth"))
        clock.call(1, outer.finish)

    clock.call(10, nest)
    clock.call(10, lambda: order.append("second"))
    clock.run_until(outer)
    assert order == ["first", "second", "third", ("back", 15), "fourth", "fifth"]

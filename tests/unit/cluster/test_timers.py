"""Timers: order, cancelling, and that cancelled ones do not pile up."""

from raysim_cluster.timers import Timers


def run(timers: Timers, now: int) -> None:
    while (action := timers.due(now)) is not None:
        action()


def test_due_timers_run_in_order_of_time_then_of_asking() -> None:
    timers, ran = Timers(), []
    for name, when in (("b", 20), ("a", 10), ("c", 20), ("later", 31)):
        timers.add(when, lambda name=name: ran.append(name))
    run(timers, 30)
    assert ran == ["a", "b", "c"]
    assert timers.next_ns() == 31


def test_a_cancelled_timer_never_runs_and_delays_nobody() -> None:
    timers, ran = Timers(), []
    first = timers.add(10, lambda: ran.append("first"))
    timers.add(20, lambda: ran.append("second"))
    first.cancel()
    first.cancel()
    assert timers.next_ns() == 20
    run(timers, 50)
    assert ran == ["second"]
    assert timers.next_ns() is None


def test_cancelling_after_it_ran_is_harmless() -> None:
    timers, ran = Timers(), []
    timer = timers.add(10, lambda: ran.append("ran"))
    run(timers, 10)
    timer.cancel()
    assert ran == ["ran"]


def test_a_timer_set_by_a_timer_waits_for_its_own_time() -> None:
    timers, ran = Timers(), []
    timers.add(10, lambda: timers.add(15, lambda: ran.append("second")))
    run(timers, 12)
    assert ran == []
    run(timers, 15)
    assert ran == ["second"]


def test_cancelled_timers_do_not_pile_up() -> None:
    """Every request sets a retry timer, and nearly every one is cancelled by its answer."""
    timers = Timers()
    keep = [timers.add(1_000_000 + number, lambda: None) for number in range(10)]
    for number in range(10_000):
        timers.add(number + 10, lambda: None).cancel()
    assert len(timers._heap) < 1_000
    assert timers.next_ns() == 1_000_000
    assert all(timer.action is not None for timer in keep)

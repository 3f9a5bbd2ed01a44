"""Who is told of a descriptor's events, and who is not."""

import os
from collections.abc import Iterator

import pytest

from raysim_cluster.poller import READ, SPIN_NS, Poller
from raysim_cluster.spinning import MOST_SKIPPED, SpinUnlessInVain


@pytest.fixture
def poller() -> Iterator[Poller]:
    made = Poller()
    yield made
    made.close()


def test_descriptor_that_was_closed_in_the_same_turn_is_not_looked_at(poller: Poller) -> None:
    told: list[str] = []
    first, second = os.eventfd(1), os.eventfd(1)
    poller.watch(first, lambda _: poller.forget(second), READ)
    poller.watch(second, lambda _: told.append("second"), READ)
    poller.handle([(first, READ), (second, READ)])
    assert told == []
    os.close(first)
    os.close(second)


def test_event_of_a_closed_descriptor_is_not_its_successor_s(poller: Poller) -> None:
    """The end of a connection would be taken for the end of a process that has just been started."""
    told: list[str] = []
    first, second = os.eventfd(1), os.eventfd(1)

    def replace(_: int) -> None:
        poller.forget(second)
        os.dup2(other, second)
        poller.watch(second, lambda _: told.append("successor"), READ)

    other = os.eventfd(0)
    poller.watch(first, replace, READ)
    poller.watch(second, lambda _: told.append("second"), READ)
    events = sorted(poller.wait(0), key=lambda event: event[0] == second)
    poller.handle(events)
    assert [fd for fd, _ in events] == [first, second]
    assert told == []
    for fd in (first, second, other):
        poller.forget(fd)
        os.close(fd)


def waits(spinning: SpinUnlessInVain, *outcomes: bool) -> list[bool]:
    """Whether each wait spins; those that do end so."""
    left, spun = list(outcomes), []
    while left:
        spun.append(spinning.tries())
        if spun[-1]:
            spinning.hit() if left.pop(0) else spinning.missed()
    return spun


def test_spinning_goes_on_while_it_is_not_in_vain() -> None:
    assert waits(SpinUnlessInVain(), True, True, True) == [True] * 3


def test_spinning_in_vain_is_left_out_twice_as_often_each_time() -> None:
    spun = waits(SpinUnlessInVain(), False, False, False, False)
    assert spun == [True, False, True, False, False, True, *[False] * 4, True]


def test_spinning_is_tried_again_after_some_waits_at_most() -> None:
    spinning = SpinUnlessInVain()
    waits(spinning, *[False] * 20)
    assert waits(spinning, True).count(False) == MOST_SKIPPED
    # And half as often from now on.
    assert waits(spinning, True).count(False) == MOST_SKIPPED // 2


def test_who_looks_before_it_sleeps_misses_nothing(poller: Poller) -> None:
    ready = os.eventfd(1)
    poller.watch(ready, lambda _: None, READ)
    assert [fd for fd, _ in poller.wait_awake(-1)] == [ready]
    os.eventfd_read(ready)
    for _ in range(4):  # Of these the first and the third spin; all end in time.
        assert poller.wait_awake(1_000) == []
        assert poller.wait_awake(2 * SPIN_NS) == []
    poller.wake()
    assert poller.wait_awake(-1) != []
    poller.forget(ready)
    os.close(ready)

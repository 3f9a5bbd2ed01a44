"""Who is told of a descriptor's events, and who is not."""

import os
from collections.abc import Iterator

import pytest

from raysim_cluster.poller import READ, Poller


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

"""What a campaign does with the memory of its process: the collector runs when it is told to, and not after."""

import gc

import pytest

from raysim.testing.memory import COLLECT_EVERY, collect_after, settled


@pytest.fixture(params=[True, False])
def was_on(request):
    before = gc.isenabled()
    (gc.enable if request.param else gc.disable)()
    yield request.param
    (gc.enable if before else gc.disable)()


def test_the_collector_is_afterwards_as_it_was(was_on):
    with settled():
        assert not gc.isenabled()
    assert gc.isenabled() is was_on


def test_the_collector_is_as_it_was_when_the_campaign_is_broken_off(was_on):
    with pytest.raises(KeyboardInterrupt), settled():
        raise KeyboardInterrupt
    assert gc.isenabled() is was_on


def test_what_there_is_is_out_of_the_collectors_sight_meanwhile():
    before = gc.get_freeze_count()
    with settled():
        assert gc.get_freeze_count() > before
    assert gc.get_freeze_count() == 0


def test_garbage_is_collected_now_and_then(monkeypatch):
    collected = []
    monkeypatch.setattr("raysim.testing.memory.gc.collect", lambda: collected.append(run))
    for run in range(2 * COLLECT_EVERY + 1):
        collect_after(run)
    assert collected == [0, COLLECT_EVERY, 2 * COLLECT_EVERY]

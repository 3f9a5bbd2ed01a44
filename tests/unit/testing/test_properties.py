"""Properties where no cluster is: they hold in plain Python too."""

from itertools import pairwise

import pytest

from raysim.testing import properties
from raysim.testing.properties import (
    PropertyError,
    always,
    begin_campaign,
    eventually,
    reachable,
    sometimes,
)


@pytest.fixture(autouse=True)
def campaign():
    yield begin_campaign()
    begin_campaign()


def test_always_raises_and_is_kept(campaign):
    always(1 < 2, "one is less than two")
    with pytest.raises(PropertyError, match=r"^always: two is less than one$"):
        always(2 < 1, "two is less than one")
    assert [str(one) for one in campaign.broken] == ["always: two is less than one"]


def test_a_property_error_is_an_assertion():
    with pytest.raises(AssertionError):
        always(False, "planted")


def test_sometimes_counts_how_often_it_was_true(campaign):
    for i in range(5):
        sometimes(i > 2, "more than two")
        sometimes(i > 9, "more than nine")
    reachable("the end")
    assert campaign.hits == {"more than two": 2, "more than nine": 0, "the end": 1}
    assert campaign.never_hit() == ["more than nine"]


def test_what_is_expected_and_never_met_is_never_hit():
    campaign = begin_campaign(("met", "never met"))
    reachable("met")
    assert campaign.never_hit() == ["never met"]


def test_what_was_broken_is_of_one_run(campaign):
    with pytest.raises(PropertyError):
        always(False, "planted")
    campaign.begin_run()
    assert campaign.broken == []


def test_eventually_asks_again_until_it_holds(monkeypatch):
    now, asked = [0], []
    monkeypatch.setattr(properties, "now_ns", lambda: now[0])
    monkeypatch.setattr(properties, "sleep", lambda s: now.__setitem__(0, now[0] + round(s * 1e9)))
    eventually(lambda: asked.append(now[0]) or now[0] >= 3e9, within=10)
    assert 3e9 <= now[0] <= 3.5e9
    pauses = [later - sooner for sooner, later in pairwise(asked)]
    assert pauses == sorted(pauses), "short at first, then longer"


def test_eventually_gives_up_when_the_time_is_over_and_looks_once_more_then(monkeypatch):
    now, asked = [0], []
    monkeypatch.setattr(properties, "now_ns", lambda: now[0])
    monkeypatch.setattr(properties, "sleep", lambda s: now.__setitem__(0, now[0] + round(s * 1e9)))

    def holds():
        asked.append(now[0])

    with pytest.raises(PropertyError, match=r"^eventually: holds: not within 2 s$"):
        eventually(holds, within=2, every=0.75)
    assert asked == [0, 0.75e9, 1.5e9, 2e9]

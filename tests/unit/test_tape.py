"""Choices on a tape: the same with and without one, written down, played again, edited."""

from random import Random

import pytest

from raysim.tape import Draws, Recorder, Recording, ReplayedTape, SeededTape, TapedRandom, fork
from raysim_sim.streams import Streams

CALLS = [
    lambda rng: rng.random(),
    lambda rng: rng.randrange(7),
    lambda rng: rng.choice("abcdef"),
    lambda rng: rng.sample(range(20), 5),
    lambda rng: rng.uniform(2, 3),
    lambda rng: rng.expovariate(0.5),
]


def shuffled(rng):
    numbers = list(range(10))
    rng.shuffle(numbers)
    return numbers


@pytest.mark.parametrize("call", [*CALLS, shuffled])
def test_a_tape_changes_no_choice(call):
    plain = Random(fork(7, "here"))
    taped = TapedRandom(Recorder(SeededTape(7), 7), "here")
    assert [call(taped) for _ in range(5)] == [call(plain) for _ in range(5)]


def test_streams_on_a_seeded_tape_are_those_without_one():
    without, on_tape = Streams(3), Streams(3, SeededTape(3))
    assert [without.stream("a").random(), without.stream("b").randrange(9)] == [
        on_tape.stream("a").random(),
        on_tape.stream("b").randrange(9),
    ]


def test_what_user_code_draws_is_on_no_tape():
    recorder = Recorder(SeededTape(3), 3)
    streams = Streams(3, recorder)
    streams.own("user code").seed(4)
    streams.own("user code").random()
    assert recorder.recording().draws == {}


def recorded():
    recorder = Recorder(SeededTape(5), 5)
    drawn = [recorder.draw("a", 10) for _ in range(4)], [recorder.unit("b") for _ in range(3)]
    return recorder.recording(), *drawn


def test_a_recording_gives_the_same_draws_again():
    recording, numbers, units = recorded()
    tape = recording.tape()
    assert [tape.draw("a", 10) for _ in range(4)] == numbers
    assert [tape.unit("b") for _ in range(3)] == units
    assert recording.length == 7


def test_labels_do_not_shift_each_other():
    recording, numbers, _ = recorded()
    tape = recording.tape()
    tape.unit("b")
    tape.draw("never recorded", 100)
    assert [tape.draw("a", 10) for _ in range(4)] == numbers


def test_an_edited_draw_changes_that_one_only_and_is_kept_in_range():
    recording, numbers, _ = recorded()
    edited = recording.replaced("a", 1, 10_000).replaced("a", 2, -5).tape()
    assert [edited.draw("a", 10) for _ in range(4)] == [numbers[0], 9, 0, numbers[3]]
    assert 0 <= recording.replaced("b", 0, 1 << 60).tape().unit("b") < 1


def test_past_its_end_a_tape_follows_the_seed_or_the_simplest():
    recording, numbers, _ = recorded()
    cut = recording.cut("a", 1)
    seeded = SeededTape(5)
    tape = cut.tape()
    expected = [numbers[0], *(seeded.draw("a", 10) for _ in range(3))]
    assert [tape.draw("a", 10) for _ in range(4)] == expected
    simplest = cut.simplest().tape()
    assert [simplest.draw("a", 10) for _ in range(4)] == [numbers[0], 0, 0, 0]
    assert Recording(5).simplest().tape().unit("b") == 0.0


def test_draws_can_be_taken_out():
    recording, numbers, _ = recorded()
    assert recording.without("a", 1, 2).draws["a"] == [numbers[0], numbers[3]]


def test_words_for_choices_begin_with_the_simplest():
    simplest = Draws(ReplayedTape(Recording(0, simplest_after=True)), "x")
    assert simplest.chance(0.99) is False
    assert simplest.one_of(["first", "second"]) == "first"
    assert simplest.between(3, 9) == 3
    assert simplest.weighted({"plain": 1, "odd": 100}) == "plain"
    always = Draws(SeededTape(1), "y")
    assert all(always.chance(1.0) for _ in range(100))
    assert not any(always.chance(0.0) for _ in range(100))
    assert {always.weighted({"plain": 1, "odd": 1}) for _ in range(50)} == {"plain", "odd"}


def test_a_taped_stream_has_no_state_to_set():
    rng = TapedRandom(SeededTape(1), "x")
    with pytest.raises(NotImplementedError, match="on a tape"):
        rng.getstate()
    with pytest.raises(NotImplementedError, match="on a tape"):
        rng.setstate(None)

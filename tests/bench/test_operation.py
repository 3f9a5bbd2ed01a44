from bench.operation import LONG_S, settle


class Calls:
    """What is called, and the clock that it moves."""

    def __init__(self, first_s, each_s):
        self.now = 0.0
        self.lengths = iter([first_s])
        self.each_s = each_s

    def __call__(self):
        self.now += next(self.lengths, self.each_s)

    def clock(self):
        return self.now


def settled(calls, seconds):
    return settle(calls, seconds, calls.clock)


def test_calls_of_a_microsecond_are_timed_together():
    rounds, iterations = settled(Calls(1e-6, 1e-6), seconds=1.0)
    assert (rounds, iterations) == (10, 100_000)


def test_the_first_call_tells_nothing_it_may_have_started_a_worker():
    rounds, iterations = settled(Calls(first_s=2.0, each_s=0.001), seconds=1.0)
    assert rounds * iterations == 1000


def test_a_call_longer_than_a_round_is_a_round():
    assert settled(Calls(0.5, 0.5), seconds=1.0) == (2, 1)
    assert settled(Calls(3.0, 3.0), seconds=1.0) == (1, 1)


def test_a_very_long_first_call_is_not_repeated_to_learn_more():
    calls = Calls(LONG_S, LONG_S)
    assert settled(calls, seconds=1.0) == (1, 1)
    assert calls.now == LONG_S

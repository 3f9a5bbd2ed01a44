"""Who ends when memory runs out: the policy alone."""

from raysim.policies.memory import Candidate, choose

ME, YOU, THEY = b"me", b"you", b"they"


def one(token, owner=ME, since=0, retriable=True):
    return Candidate(token, owner, retriable, since)


def chosen(*candidates):
    verdict = choose(candidates)
    assert verdict is not None
    return verdict.token, verdict.final


def test_nobody_ends_where_nobody_runs():
    assert choose([]) is None


def test_the_newest_of_an_owner_ends_first_and_runs_again():
    assert chosen(one(1, since=10), one(2, since=30), one(3, since=20)) == (2, False)


def test_the_owner_of_most_makes_way():
    assert chosen(one(1, ME, 90), one(2, YOU, 10), one(3, YOU, 20)) == (3, False)


def test_of_owners_of_as_many_the_latest_makes_way():
    few = [one(1, ME, 10), one(2, ME, 40), one(3, YOU, 20), one(4, YOU, 30)]
    assert chosen(*few) == (2, False)


def test_what_may_run_again_goes_before_what_may_not():
    several = [one(token, THEY, 50, retriable=False) for token in (1, 2, 3)]
    assert chosen(*several, one(4, ME, 10)) == (4, True)


def test_the_last_of_an_owner_does_not_run_again():
    """It would only fill the memory again."""
    assert chosen(one(1, ME, 10), one(2, YOU, 20)) == (2, True)


def test_what_may_not_run_again_shares_no_fate():
    assert chosen(one(1, since=10, retriable=False), one(2, since=20, retriable=False)) == (2, True)

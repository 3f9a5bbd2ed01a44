"""Every mutant can be made of the code as it is, is gone afterwards, and some are found in no time."""

import pytest

from raysim.protocol.raylet.leases import Leases
from raysim.tape import SeededTape
from raysim.testing.campaign import CAMPAIGN
from raysim.testing.case import Case
from raysim.testing.running import run_case
from tests.mutants.catalogue import MUTANTS
from tests.mutants.measure import measure
from tests.mutants.mutate import Watch, without

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_safeguard_is_where_the_mutant_looks_for_it(mutant):
    with without(mutant):
        pass
    with Watch([mutant]).over():
        pass


def test_what_a_mutant_takes_out_is_put_back():
    before = Leases._end
    with without(BY_NAME["busy_worker_is_lent_on"]):
        assert Leases._end is not before
    assert Leases._end is before


def test_a_run_is_the_same_while_its_safeguards_are_watched():
    case = Case.sampled(CAMPAIGN, SeededTape(7), 7)
    as_it_is = run_case(CAMPAIGN, case)
    with Watch(MUTANTS).over() as arose:
        assert run_case(CAMPAIGN, case) == as_it_is
    assert "blocked_worker_keeps_its_cpus" in arose


def test_a_run_that_needs_no_safeguard_is_the_same_without_it():
    case = Case.sampled(CAMPAIGN, SeededTape(7), 7)
    with Watch(MUTANTS).over() as arose:
        as_it_is = run_case(CAMPAIGN, case)
    unneeded = [mutant for mutant in MUTANTS if mutant.name not in arose]
    assert unneeded
    for mutant in unneeded:
        with without(mutant):
            assert run_case(CAMPAIGN, case) == as_it_is


def test_a_campaign_finds_what_is_broken_within_100_seeds():
    names = ["lost_worker_keeps_its_resources", "lost_object_is_not_rebuilt"]
    measured = measure([BY_NAME[name] for name in names], "swarm", range(100), enough=1)
    assert measured.open() == []
    assert measured.failed == []

"""Every mutant can be made of the code as it is, is gone afterwards, and some are found in no time."""

import pytest

from raysim.protocol.raylet.leases import Leases
from tests.mutants.catalogue import MUTANTS
from tests.mutants.measure import measure
from tests.mutants.mutate import applied


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_the_safeguard_is_where_the_mutant_looks_for_it(mutant):
    with applied(mutant):
        pass


def test_what_a_mutant_takes_out_is_put_back():
    before = Leases._end
    with applied(next(mutant for mutant in MUTANTS if mutant.name == "busy_worker_is_lent_on")):
        assert Leases._end is not before
    assert Leases._end is before


@pytest.mark.parametrize("name", ["lost_worker_keeps_its_resources", "lost_object_is_not_rebuilt"])
def test_a_campaign_finds_what_is_broken_within_100_seeds(name):
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == name]
    assert measure(mutant, "swarm", 0, 100, enough=1).found

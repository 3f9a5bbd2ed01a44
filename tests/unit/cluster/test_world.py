"""What the cluster backend refuses, before it starts anything."""

import pytest

from raysim.backend import InitOptions, NodeOptions, load
from raysim_cluster.world import create


def test_the_backend_is_found_by_its_name() -> None:
    assert load("cluster") is create


def test_joining_a_cluster_is_refused_with_what_to_do() -> None:
    with pytest.raises(ValueError, match="Leave `address` out"):
        create(InitOptions(nodes=[NodeOptions()], address="10.0.0.1:6379"))


def test_options_of_the_simulator_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match=r"no option 'network'.*Use the sim backend"):
        create(InitOptions(nodes=[NodeOptions()], world={"network": "free"}))

"""What a Ray cluster cannot do is refused by name, before anything is started."""

import pytest

import raysim


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seed": 3}, "seed=3"),
        ({"world": {"network": "free"}}, "network"),
        ({"world": {"faults": []}}, "faults"),
        ({"_system_config": {"policy": "spread"}}, "policy"),
        ({"num_cpus": 0.5}, "num_cpus=0.5"),
    ],
)
def test_what_ray_cannot_do_is_refused_by_name(options, named):
    with pytest.raises(ValueError, match=named):
        raysim.init(backend="ray", **options)
    assert not raysim.is_initialized()


def test_nodes_of_a_cluster_that_exists_cannot_be_described():
    with pytest.raises(ValueError, match="num_cpus"):
        raysim.init(backend="ray", address="127.0.0.1:1", num_cpus=2)

"""What `init` gives to Ray, and what it refuses by name, before anything is started."""

import pytest
import ray

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


def test_arguments_that_raysim_has_no_use_for_are_rays(monkeypatch):
    monkeypatch.delenv("RAY_ADDRESS", raising=False)

    class Reached(Exception):
        """Ray would start now."""

    def init(**given):
        raise Reached(given)

    monkeypatch.setattr(ray, "init", init)
    given = {"include_dashboard": True, "_temp_dir": "/there", "logging_level": "error"}
    with pytest.raises(Reached) as reached:
        raysim.init(backend="ray", num_cpus=1, runtime_env={"env_vars": {"a": "b"}}, **given)
    (seen,) = reached.value.args
    assert seen.items() >= {**given, "address": "local", "num_cpus": 1}.items()
    assert seen["runtime_env"] == {"env_vars": {"a": "b"}}
    assert not raysim.is_initialized()

"""Where a task runs whose argument lies on another node."""

import pytest

import raysim as ray


@pytest.mark.parametrize(("locality", "place"), [(True, "far"), (False, "near")])
def test_a_task_goes_to_its_argument_as_long_as_locality_counts(locality: bool, place: str) -> None:
    ray.init(
        backend="sim",
        nodes=[{"num_cpus": 1}, {"num_cpus": 1, "resources": {"far": 1}}],
        _system_config={"locality_aware_leasing": locality},
    )
    try:

        @ray.remote(num_cpus=0, resources={"far": 0.1})
        def made() -> bytes:
            return bytes(1_000_000)

        @ray.remote
        def used(argument: bytes) -> str:
            return ray.get_runtime_context().get_node_id()

        driver = ray.get_runtime_context().get_node_id()
        argument = made.remote()
        ray.wait([argument])
        found = ray.get(used.remote(argument))
        assert ("near" if found == driver else "far") == place
    finally:
        ray.shutdown()

"""Tasks and actors that share GPUs under a policy that chooses among these."""

import pytest

from tests.api.conftest import BACKENDS

PATIENCE = 60
"""Seconds that a busy machine may take."""


@pytest.fixture
def sharing(backend, fresh):
    """Two GPUs, under a policy."""

    def made(policy):
        if backend not in BACKENDS:
            pytest.skip("Ray has its own policy")
        return fresh(num_cpus=8, num_gpus=2, _system_config={"policy": policy})

    return made


@pytest.mark.parametrize("policy", ["fgd", "random", "gpu_packing"])
def test_a_share_is_of_one_gpu_and_whole_ones_are_nobody_elses(sharing, policy):
    ray = sharing(policy)

    @ray.remote
    class Holder:
        def gpus(self):
            return ray.get_runtime_context().get_accelerator_ids()["GPU"]

    @ray.remote
    def gpus():
        return ray.get_runtime_context().get_accelerator_ids()["GPU"]

    large = [Holder.options(num_gpus=0.6).remote() for _ in range(2)]
    held = ray.get([holder.gpus.remote() for holder in large], timeout=PATIENCE)
    assert sorted(held) == [["0"], ["1"]]
    small = ray.get([gpus.options(num_gpus=0.4).remote() for _ in range(4)], timeout=PATIENCE)
    assert {number for (number,) in small} <= {"0", "1"}
    whole = gpus.options(num_gpus=1).remote()
    assert ray.wait([whole], timeout=0.3) == ([], [whole])
    ray.kill(large.pop())
    assert ray.get(whole, timeout=PATIENCE) == held[1]

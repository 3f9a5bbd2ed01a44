"""Programs that hunts in tests look at. Each breaks under a condition that a test knows."""

import time

import raysim as ray
from raysim.faults.swarm import Budget, Swarm


@ray.remote(max_retries=0)
def once():
    time.sleep(5)
    return 1


def forgets_retries():
    """Fails whenever a worker is killed while it works."""
    assert ray.get([once.remote() for _ in range(4)]) == [1] * 4


forgets_retries.__raysim_swarm__ = Swarm(
    nodes=(1, 3), budget=Budget(faults=6, kinds=("kill_worker", "delay", "slow_node")), kinds_on=1.0
)


def fine():
    assert ray.get(ray.put(1)) == 1

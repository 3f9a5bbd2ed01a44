"""Ten jobs, each of which needs four machines at once for half a minute: one bundle of a placement group each."""

import time

import raysim as ray
from raysim.util.placement_group import placement_group, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy

JOBS = 10
MACHINES = 4


@ray.remote(num_cpus=4)
def train():
    time.sleep(30)
    return ray.get_runtime_context().get_node_id()


@ray.remote(num_cpus=0)
def job(number):
    group = placement_group([{"CPU": 4}] * MACHINES, strategy="STRICT_SPREAD")
    ray.get(group.ready())
    parts = [
        train.options(scheduling_strategy=PlacementGroupSchedulingStrategy(group, index)).remote()
        for index in range(MACHINES)
    ]
    nodes = ray.get(parts)
    remove_placement_group(group)
    return len(set(nodes))


def main():
    ray.init()
    assert ray.get([job.remote(number) for number in range(JOBS)]) == [MACHINES] * JOBS
    print(f"{JOBS} jobs had {MACHINES} machines each")


if __name__ == "__main__":
    main()

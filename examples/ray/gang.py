"""Placement groups: reserve the room of a whole gang before its first member starts.

Members that have to meet must all be there, or none: half a gang would wait for the other half and keep its
CPUs meanwhile. A placement group gets all of its bundles or waits for all of them. A second gang here finds
no room while the first one has it, and gets it when the first one is gone.
"""

import ray
from ray.util.placement_group import placement_group, placement_group_table, remove_placement_group
from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

GANG = 3


@ray.remote(num_cpus=1)
class Member:
    """Adds up what all members have, by passing sums around a ring."""

    def __init__(self, rank):
        self.rank = rank

    def begin(self, ring):
        self.next = ring[(self.rank + 1) % len(ring)]

    def add(self, total, left):
        total += (self.rank + 1) ** 2
        return ray.get(self.next.add.remote(total, left - 1)) if left > 1 else total

    def group(self):
        return ray.get_runtime_context().get_placement_group_id()


def start(group):
    members = []
    for rank in range(GANG):
        bundle = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
        members.append(Member.options(scheduling_strategy=bundle).remote(rank))
    return members


def main():
    ray.init(num_cpus=4)
    first = placement_group([{"CPU": 1}] * GANG, strategy="PACK")
    ray.get(first.ready())
    second = placement_group([{"CPU": 1}] * GANG, strategy="PACK")
    print(f"the first gang has its {first.bundle_count} bundles, the second: {second.wait(0.2)}")

    members = start(first)
    ray.get([member.begin.remote(members) for member in members])
    inside = {ray.get(member.group.remote()) for member in members} == {first.id.hex()}
    print(f"all members are inside their group: {inside}")
    print(f"around the ring: {ray.get(members[0].add.remote(0, GANG))}")

    remove_placement_group(first)  # This ends its members as well.
    print(f"when the first is gone, the second has room: {second.wait(60)}")
    table = placement_group_table(second)
    print(f"{table['strategy']}, {table['state']}, {len(table['bundles'])} bundles")
    members = start(second)
    ray.get([member.begin.remote(members) for member in members])
    print(f"around the ring again: {ray.get(members[1].add.remote(0, GANG))}")


if __name__ == "__main__":
    main()

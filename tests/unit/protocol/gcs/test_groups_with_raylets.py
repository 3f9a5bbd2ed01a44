"""The GCS and real raylets, messages in any order between different pairs and some of them twice, nodes and
the GCS's answers lost at any moment: what must hold of placement groups and their bundles whatever happens."""

from random import Random

import pytest

from raysim.protocol.gcs import Gcs
from raysim.protocol.messages import (
    CreatePlacementGroup,
    FinishJob,
    RemovePlacementGroup,
    RequestWorkerLease,
)
from raysim.protocol.raylet import Raylet
from raysim.spec.ids import NIL_NODE, IdSource, NodeId, PlacementGroupId, driver_task, job_id
from raysim.spec.placement_group import GroupSpec, GroupState, GroupStrategy, in_group
from raysim.spec.resources import UNITS, fixed
from raysim.spec.task import InBundle
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.gcs.test_with_raylets import DRIVER, HEAD, Cluster

CPU = fixed({"CPU": 1})


def specs(rng: Random, count: int) -> list[GroupSpec]:
    source = IdSource(driver_task(job_id(1)))
    return [
        GroupSpec(
            source.placement_group(),
            [CPU] * rng.choice([1, 2, 3]),
            rng.choice(
                [GroupStrategy.PACK, GroupStrategy.SPREAD]
                if rng.random() < 0.6
                else [GroupStrategy.STRICT_SPREAD]
            ),
            DRIVER,
        )
        for _ in range(count)
    ]


class Chaos:
    def __init__(self, seed: int) -> None:
        self.cluster = Cluster(seed, nodes=4)
        self.rng = self.cluster.rng
        self.groups = specs(self.rng, 6)
        self.made: list[GroupSpec] = []
        self.removed: set[PlacementGroupId] = set()
        self._leases = 0

    @property
    def gcs(self) -> Gcs:
        role = self.cluster.gcs
        assert isinstance(role, Gcs)
        return role

    def disturb(self) -> None:
        kind = self.rng.random()
        cluster = self.cluster
        others = [host.address for host in cluster.hosts.values() if host.address != HEAD]
        if kind < 0.2 and len(others) > 1:
            cluster.kill_node(self.rng.choice(others), broken_connection=self.rng.random() < 0.5)
        elif kind < 0.4:
            cluster.names += 1
            cluster.add_node(address(f"late{cluster.names}"))
        elif kind < 0.55:
            self.remove(self.rng.choice(self.made).group_id)
        elif kind < 0.8:
            self.ask(self.rng.choice(self.made))
        elif cluster.workers:
            worker, _, _ = self.rng.choice(list(cluster.workers.values()))
            cluster.end_worker(worker, "exit code 1")
        cluster.collect()

    def create(self, spec: GroupSpec) -> None:
        self.made.append(spec)
        self.cluster.say(DRIVER, HEAD, CreatePlacementGroup(spec))

    def remove(self, group_id: PlacementGroupId) -> None:
        self.removed.add(group_id)
        self.cluster.say(DRIVER, HEAD, RemovePlacementGroup(group_id))

    def ask(self, spec: GroupSpec) -> None:
        """A task of the driver wants to run in the group."""
        self._leases += 1
        index = self.rng.choice([-1, 0])
        need = in_group(CPU, spec.group_id, index)
        strategy = InBundle(spec.group_id, index)
        request = RequestWorkerLease(self._leases, job_id(1), need, strategy)
        self.cluster.say(DRIVER, HEAD, request)

    def steps(self, most: int) -> None:
        for _ in range(self.rng.randrange(most)):
            self.cluster.deliver_one()

    # What must hold.

    def held(self) -> dict[tuple[PlacementGroupId, int], NodeId]:
        """Bundle to the node that offers it; each is offered once."""
        found: dict[tuple[PlacementGroupId, int], NodeId] = {}
        for worker_id, raylet in self.cluster.raylets.items():
            node_id = self.cluster.hosts[worker_id].address.node_id
            for group_id, index in offered(raylet):
                assert (group_id, index) not in found, "one bundle on two nodes"
                found[group_id, index] = node_id
        return found

    def check_at_rest(self) -> None:
        states = {spec.group_id: self.gcs.groups._known(spec.group_id) for spec in self.groups}
        expected = {
            (group_id, index): node_id
            for group_id, info in states.items()
            if info.state is not GroupState.REMOVED
            for index, node_id in enumerate(info.nodes)
            if node_id != NIL_NODE
        }
        assert self.held() == expected, "bundles belong to live groups, and these know where"
        for group_id, info in states.items():
            wanted = GroupState.REMOVED if group_id in self.removed else GroupState.CREATED
            assert info.state is wanted
        for worker_id, host in self.cluster.hosts.items():
            raylet = self.cluster.raylets[worker_id]
            taken = sum(node == host.address.node_id for node in expected.values())
            assert raylet.view.local.available["CPU"] == (2 - taken) * UNITS


def offered(raylet: Raylet) -> list[tuple[PlacementGroupId, int]]:
    return [
        (group_id, index) for group_id, bundles in raylet.bundles._held.items() for index in bundles
    ]


@pytest.mark.parametrize("seed", range(80))
def test_bundles_belong_to_live_groups_and_nodes_lose_nothing(seed: int) -> None:
    chaos = Chaos(seed)
    cluster = chaos.cluster
    for spec in chaos.groups:
        chaos.create(spec)
        chaos.steps(12)
        if chaos.rng.random() < 0.7:
            chaos.disturb()
    for _ in range(12):
        chaos.steps(30)
        chaos.disturb()
        cluster.settle(1)
    # Faults end: room for all, and time to notice the last node that vanished.
    for number in range(8):
        cluster.add_node(address(f"spare{number}"))
    cluster.settle(250)
    chaos.check_at_rest()
    cluster.say(DRIVER, HEAD, FinishJob(job_id(1)))
    cluster.settle(60)
    chaos.removed.update(spec.group_id for spec in chaos.groups)
    chaos.check_at_rest()
    assert not [
        name
        for raylet in cluster.raylets.values()
        for name in raylet.view.local.total
        if "_group_" in name
    ]

"""Whether a healed cluster has come to rest, and what keeps it from it. Never changes what it looks at."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from raysim.faults.convergence import NotConvergedError
from raysim.protocol.host import Waiter
from raysim.spec.ids import WorkerId
from raysim.spec.resources import from_units
from raysim.spec.units import format_size

if TYPE_CHECKING:
    from raysim_sim.node import SimNode
    from raysim_sim.world import SimWorld

LOOK_NS = 100_000_000
"""Between two looks at a cluster that is to come to rest: a report period. Ours."""


def converge(world: "SimWorld", within_ns: int, stores: bool) -> None:
    """Heal, and let time go by until nothing is lent, queued, or (with `stores`) stored.

    Called by the driver when it waits for nothing and, for `stores`, holds no reference.
    Raises NotConvergedError when that takes longer than `within_ns`.
    """
    driver = world.users.driver
    assert driver is not None, "nobody drives this cluster"
    world.heal()
    deadline_ns = world.clock.now_ns + within_ns
    while stuck := list(unsettled(world, stores)):
        if world.clock.now_ns >= deadline_ns:
            raise NotConvergedError(within_ns / 1e9, stuck)
        world.users.block(driver, Waiter(), LOOK_NS)


def late(world: "SimWorld", within_ns: int) -> None:
    """The bound is over while the driver still waits. Raises NotConvergedError with what it waits for."""
    stuck = [f"the driver waits{world.why()}"]
    stuck += [f"user code waits: {who}" for who in world.users.waiting()]
    stuck += unsettled(world, stores=False)
    raise NotConvergedError(within_ns / 1e9, stuck)


def unsettled(world: "SimWorld", stores: bool) -> Iterator[str]:
    """A line for each thing that a cluster at rest does not have."""
    names = {host.address.worker_id: host.name for node in world.nodes for host in node.users}
    for node in world.nodes:
        if node.host.alive:
            yield from _of_node(world, node, names, stores)


def _of_node(
    world: "SimWorld", node: "SimNode", names: dict[WorkerId, str], stores: bool
) -> Iterator[str]:
    raylet = node.raylet
    if not raylet.registered:
        yield f"{node.name} has not joined the cluster"
    local = raylet.view.local
    lent = False
    for lease in raylet.leases.book.holding():
        if lease.request.actor_id is not None:
            continue  # Actors live as long as their handles.
        lent = True
        age_s = (world.clock.now_ns - lease.since_ns) / 1e9
        worker = "no worker yet" if lease.worker is None else _name(names, lease.worker.worker_id)
        owner = _name(names, lease.owner.worker_id)
        yield (
            f"{node.name} lends {worker} to {owner} (lease {lease.request.lease_id}, "
            f"{lease.state.name.lower()} for {age_s:.3g} s)"
        )
    if queued := raylet.leases.book.queued() + raylet.leases.quotas.waiting():
        yield f"at {node.name}, {queued} lease requests wait"
    if not lent and not queued and not raylet.leases.book.holds_any():
        for name, total in local.total.items():
            missing = total - local.available.get(name, 0)
            if missing:
                yield f"{node.name} lacks {from_units(missing):g} {name}, which nobody holds"
    if stores and (used := node.store.used()):
        kept = ", ".join(
            f"{entry.object_id.hex()[:8]} of {_name(names, entry.owner.worker_id)} with {entry.pins} pins"
            for entry in list(raylet.store.objects.values())[:3]
        )
        yield f"{node.name} stores {format_size(used)}{f': {kept}' if kept else ', unsealed'}"
    if stores and node.disk.files:
        size = sum(file.size for file in node.disk.files.values())
        yield f"{node.name} has {len(node.disk.files)} spilled files of {format_size(size)}"


def _name(names: dict[WorkerId, str], worker_id: WorkerId) -> str:
    return names.get(worker_id, f"process {worker_id.hex()[:8]}, which has ended")

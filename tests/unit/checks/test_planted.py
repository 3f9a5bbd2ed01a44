"""Every invariant, with a violation planted in a cluster that is at rest: it is found, and named."""

import time
from collections import deque
from types import SimpleNamespace

import msgspec
import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.checks import actors, leases, objects, quotas, resources, stores, tasks, views
from raysim.checks.cluster import Cluster
from raysim.checks.ledger import AT_REST, EMPTY, STEPS, Ledger, findings
from raysim.protocol.executor.actor_queue import Line
from raysim.protocol.executor.arguments import QueuedCall
from raysim.protocol.messages.leases import RequestWorkerLease
from raysim.protocol.owner.entries import Entry, ObjectState
from raysim.protocol.raylet.lease import Lease, LeaseOwner, LeaseState
from raysim.spec.address import Address
from raysim.spec.ids import (
    NodeId,
    ObjectId,
    TaskId,
    WorkerId,
    job_id,
    named_node_id,
    named_worker_id,
)
from raysim.spec.job import JobSettings
from raysim.spec.labels import parse_selector
from raysim.spec.runtime_env import with_job
from raysim.spec.task import Default, NodeAffinity, NodeLabels, TaskCall
from raysim.util.placement_group import placement_group

LARGE = 300_000
GHOST = Address(named_node_id("ghost"), named_worker_id("ghost"))


@ray.remote
def make():
    return bytes(LARGE)


@ray.remote
class Keeper:
    def keep(self, refs):
        self.refs = refs


@pytest.fixture
def cluster():
    """Two nodes at rest: an actor that borrows a large object, a placement group, idle workers."""
    ray.init(backend="sim", nodes=2, num_cpus=4)
    kept = SimpleNamespace(keeper=Keeper.remote(), ref=ray.put(bytes(LARGE)), made=make.remote())
    ray.get([kept.keeper.keep.remote([kept.ref]), kept.made])
    kept.group = placement_group([{"CPU": 1}])
    assert kept.group.wait(5)
    current_world().converge(10, stores=False)
    time.sleep(1)
    yield Cluster.of(current_world())
    current_world().clock.watch(1 << 60, lambda: None)
    ray.shutdown()


def names(check, cluster):
    return {finding.invariant for finding in check(cluster)}


def head(cluster):
    return cluster.nodes[0]


def driver(cluster):
    return next(process for process in cluster.processes() if process.executor is None)


def actor(cluster):
    return next(p for p in cluster.processes() if p.executor and p.executor._actor.spec)


def stored(cluster):
    """An object in a store, with its node and its entry at its owner."""
    node = next(node for node in cluster.nodes if node.raylet.store.objects)
    object_id = next(iter(node.raylet.store.objects))
    return node, object_id, driver(cluster).owner.objects.entries[object_id]


def lease_of(cluster, **changes):
    """A lease of the driver, at the head."""
    request = RequestWorkerLease(1 << 40, job_id(1), {"CPU": 10_000}, Default())
    lease = Lease(driver(cluster).address, request, {"CPU": 10_000}, LeaseState.GRANTED)
    for name, value in changes.items():
        setattr(lease, name, value)
    return lease


def lend(cluster, lease, lease_id):
    owners = head(cluster).raylet.leases._owners
    owner = owners.setdefault(lease.owner.worker_id, LeaseOwner(lease.owner))
    owner.leases[lease_id] = lease


def test_a_cluster_at_rest_breaks_nothing(cluster):
    assert findings(cluster, AT_REST) == []


def test_a_cluster_that_is_in_use_is_not_empty(cluster):
    broken = {finding.invariant for finding in findings(cluster, EMPTY)}
    assert broken == {"object-left", "actor-left", "resources-returned"}


def test_resources_that_leak(cluster):
    head(cluster).raylet.view.local.available["CPU"] -= 1
    (found,) = resources.conserved(cluster)
    assert found.invariant == "resources-conserved"
    assert found.cause == "leaked CPU"


def test_resources_that_are_given_back_twice(cluster):
    head(cluster).raylet.view.local.available["CPU"] += 10_000
    (found,) = resources.conserved(cluster)
    assert found.cause == "made up CPU"


def test_resources_below_zero(cluster):
    head(cluster).raylet.view.local.available["memory"] = -1
    assert names(resources.never_negative, cluster) == {"resources-negative"}


def test_resources_that_do_not_come_back(cluster):
    head(cluster).raylet.view.local.available["memory"] -= 1
    texts = [finding.text for finding in resources.all_returned(cluster)]
    assert any("memory" in text for text in texts)


def test_a_job_that_has_more_than_its_quota(cluster):
    """Its placement group has a CPU already."""
    quota = {"CPU": 20_000}
    cluster.gcs.jobs.quotas[job_id(1)] = quota
    limited = msgspec.structs.replace(
        lease_of(cluster).request, runtime_env=with_job("", JobSettings(quota=quota))
    )
    lend(cluster, lease_of(cluster, request=limited), 1 << 40)
    assert names(quotas.within, cluster) == set()
    lend(cluster, lease_of(cluster, request=limited), 2 << 40)
    assert names(quotas.within, cluster) == {"quota-kept"}
    for changes in ({"resumed": True}, {"state": LeaseState.ADMITTING}):
        lend(cluster, lease_of(cluster, request=limited, **changes), 2 << 40)
        assert names(quotas.within, cluster) == set()


def test_a_worker_that_is_lent_twice(cluster):
    worker = actor(cluster).address
    for lease_id in (1 << 40, 1 << 41):
        lend(cluster, lease_of(cluster, worker=worker), lease_id)
    assert names(leases.lent_once, cluster) == {"lease-lent-once"}


def test_an_idle_worker_that_runs_something(cluster):
    busy = actor(cluster)
    node = next(node for node in cluster.nodes if busy in node.processes)
    node.raylet.pool._idle[busy.address.worker_id] = object()
    assert names(leases.idle_is_idle, cluster) == set()
    busy.executor.stages = lambda: [SimpleNamespace(state="RUNNING")]
    assert names(leases.idle_is_idle, cluster) == {"idle-worker-busy"}


@pytest.mark.parametrize(
    ("strategy", "selectors", "needs"),
    [
        (Default(), ({"zone": "b"}, {"zone": "c"}), "labels zone=b or zone=c"),
        (NodeLabels(parse_selector({"zone": "b"})), (), "labels zone=b"),
        (NodeAffinity(GHOST.node_id), (), "node "),
    ],
)
def test_a_lease_where_its_request_must_not_run(cluster, strategy, selectors, needs):
    lease = lease_of(cluster)
    lease.request = msgspec.structs.replace(
        lease.request, strategy=strategy, selectors=tuple(map(parse_selector, selectors))
    )
    lend(cluster, lease, 1 << 40)
    (found,) = leases.placed(cluster)
    assert found.invariant == "lease-placed"
    assert f"which needs {needs}" in found.text


def test_a_request_that_waits_at_a_node_known_to_be_lost(cluster):
    owner = driver(cluster).owner
    requests = owner.tasks.leases.requests
    requests._open[7] = SimpleNamespace(lease_id=7, raylet=GHOST)
    assert names(leases.asked_of_the_living, cluster) == set()
    requests._lost_nodes.add(GHOST.node_id)
    assert names(leases.asked_of_the_living, cluster) == {"lease-asked"}
    requests._open[7].raylet = driver(cluster).address
    requests._lost_nodes.add(driver(cluster).address.node_id)
    assert names(leases.asked_of_the_living, cluster) == set()


def test_a_call_that_is_made_again_and_waits_behind_another(cluster):
    queue = actor(cluster).executor._actor
    first, again = (
        QueuedCall(TaskCall(TaskId(bytes([number]) * 24), 0, b"", [], method="keep"), GHOST)
        for number in (1, 2)
    )
    line = Line("", deque([first, again]))
    queue._queued = {one.call.task_id: (line, one) for one in line.calls}
    assert names(actors.made_again_at_once, cluster) == set()
    again.call.out_of_turn = True
    assert names(actors.made_again_at_once, cluster) == {"call-made-again"}
    line.calls.popleft()
    del queue._queued[first.call.task_id]
    assert names(actors.made_again_at_once, cluster) == set()


def test_a_lease_where_one_of_its_labels_and_a_soft_wish_allow_it(cluster):
    lease = lease_of(cluster)
    lease.request = msgspec.structs.replace(
        lease.request,
        strategy=NodeAffinity(GHOST.node_id, soft=True),
        selectors=(parse_selector({"zone": "b"}), parse_selector({"zone": "!b"})),
    )
    lend(cluster, lease, 1 << 40)
    assert names(leases.placed, cluster) == set()


def test_a_lease_of_somebody_who_is_gone(cluster):
    lend(cluster, lease_of(cluster, owner=GHOST, worker=GHOST), 1 << 40)
    assert names(leases.owners_live, cluster) == {"lease-owner-live", "lease-worker-live"}


def test_a_request_that_nobody_waits_for(cluster):
    head(cluster).raylet.leases._queue.add(lease_of(cluster, state=LeaseState.QUEUED))
    assert names(leases.none_waits, cluster) == {"lease-queued"}


def test_a_count_below_zero(cluster):
    _, _, entry = stored(cluster)
    entry.held = -1
    assert names(objects.counts, cluster) == {"object-counts"}


def test_pins_that_are_not_those_of_their_holders(cluster):
    node, object_id, _ = stored(cluster)
    node.raylet.store.objects[object_id].pins += 1
    assert names(objects.counts, cluster) == {"object-counts"}


def test_an_object_that_is_freed_while_it_is_borrowed(cluster):
    borrowed = next(e for e in actor(cluster).owner.objects.entries.values() if e.epoch >= 0)
    entry = driver(cluster).owner.objects.entries.pop(borrowed.object_id)
    assert names(objects.none_freed_early, cluster) == {"object-freed-early"}
    driver(cluster).owner.objects.entries[borrowed.object_id] = entry
    driver(cluster).owner.objects._borrowers.epochs.pop(borrowed.object_id)
    assert names(objects.none_freed_early, cluster) == {"object-borrow-unknown"}


def test_a_borrower_that_is_gone(cluster):
    borrower = actor(cluster)
    borrower.owner.objects.entries.clear()
    assert names(objects.borrowers_live, cluster) == {"object-borrower-live"}


def test_a_copy_that_is_not_there(cluster):
    node, object_id, _ = stored(cluster)
    del node.raylet.store.objects[object_id]
    assert "phantom" in {finding.cause for finding in objects.located(cluster)}


def test_a_copy_that_its_owner_does_not_know(cluster):
    _, _, entry = stored(cluster)
    entry.holders = ()
    assert "orphan copy" in {finding.cause for finding in objects.located(cluster)}


def test_pins_and_extents_of_a_process_that_is_gone(cluster):
    holder = SimpleNamespace(pins={ObjectId(b"x" * 28): 1}, extents={1: 1})
    head(cluster).raylet.store._holders[WorkerId(b"g" * 28)] = holder
    causes = {finding.cause for finding in objects.pins_live(cluster)}
    assert causes == {"a dead holder's pins", "a dead holder's extents"}


def test_an_object_that_nobody_refers_to(cluster):
    object_id = ObjectId(b"y" * 28)
    driver(cluster).owner.objects.entries[object_id] = Entry(object_id, state=ObjectState.INLINE)
    assert "no reference" in {finding.cause for finding in objects.none_left(cluster)}


@pytest.fixture
def spilled():
    """A node at rest with objects on its disk: two in one file, of which one is in memory as well."""
    config = {"min_spilling_size": 2 * LARGE}
    ray.init(backend="sim", num_cpus=1, object_store_memory=5 * LARGE // 2, _system_config=config)
    refs = [ray.put(bytes(LARGE)) for _ in range(4)]
    ray.get(refs[0])
    current_world().converge(10, stores=False)
    time.sleep(1)
    yield Cluster.of(current_world()).nodes[0]
    del refs
    ray.shutdown()


def look(check):
    return {(one.invariant, one.cause) for one in check(Cluster.of(current_world()))}


def test_a_store_and_a_disk_at_rest_break_nothing(spilled):
    assert spilled.files
    assert findings(Cluster.of(current_world()), AT_REST) == []
    assert look(stores.none_on_disk) == {("spilled-left", "files")}


def test_a_place_that_nothing_uses(spilled):
    current_world().nodes[0].store.create(1)
    assert look(stores.places_used_once) == {("store-places", "leaked")}


def test_a_place_of_two_objects_and_one_that_was_given_back(spilled):
    objects = list(spilled.raylet.store.objects.values())
    last = next(one for one in objects if one.handle >= 0)
    other = next(one for one in objects if one.handle < 0)
    other.handle = last.handle
    assert look(stores.places_used_once) == {("store-places", "used twice")}
    other.handle = 1 << 40
    assert look(stores.places_used_once) == {("store-places", "given back")}


def test_a_file_that_the_raylet_does_not_know(spilled):
    files = current_world().nodes[0].disk.files
    files[99] = next(iter(files.values()))
    assert look(stores.spilled_accounted) == {("spilled-files", "files")}


def test_a_file_without_objects_and_bytes_that_are_not_counted(spilled):
    file = next(iter(spilled.raylet.store.spilling.files.values()))
    file.objects += 1
    assert look(stores.spilled_accounted) == {("spilled-files", "objects")}
    file.objects -= 1
    spilled.raylet.store.spilling.bytes_on_disk += 1
    assert look(stores.spilled_accounted) == {("spilled-files", "bytes")}


def test_an_object_that_is_freed_and_on_disk_and_one_that_is_nowhere(spilled):
    on_disk = [one for one in spilled.raylet.store.objects.values() if one.on_disk is not None]
    on_disk[0].freed = True
    assert look(stores.spilled_accounted) == {("spilled-objects", "freed")}
    gone = next(one for one in on_disk[1:] if one.handle < 0)
    gone.on_disk = None
    assert ("spilled-objects", "nowhere") in look(stores.spilled_accounted)


def test_an_actor_in_two_processes(cluster):
    one = actor(cluster)
    other = next(p for p in cluster.processes() if p.executor and p is not one)
    other.executor._actor.spec = one.executor._actor.spec
    other.executor._actor.incarnation = one.executor._actor.incarnation + 1
    assert {f.cause for f in actors.one_incarnation(cluster)} == {"two processes"}
    other.executor._actor.incarnation = one.executor._actor.incarnation
    causes = {finding.cause for finding in actors.one_incarnation(cluster)}
    assert causes == {"two processes", "the same incarnation"}
    other.executor._actor.spec = None


def test_an_actor_without_a_process_and_a_process_without_an_actor(cluster):
    spec, actor(cluster).executor._actor.spec = actor(cluster).executor._actor.spec, None
    assert {finding.cause for finding in actors.known(cluster)} == {"no process"}
    worker = next(p for p in cluster.processes() if p.executor)
    worker.executor._actor.spec = spec
    live = dict(cluster.gcs.actors._live)
    cluster.gcs.actors._live.clear()
    assert {finding.cause for finding in actors.known(cluster)} == {"a process of a dead actor"}
    cluster.gcs.actors._live.update(live)


def test_an_actor_that_nobody_can_call(cluster):
    assert names(actors.none_left, cluster) == {"actor-left"}


def test_a_bundle_of_no_group_and_a_group_without_its_bundle(cluster):
    node = next(node for node in cluster.nodes if node.raylet.bundles._held)
    held = dict(node.raylet.bundles._held)
    groups = dict(cluster.gcs.groups._groups)
    cluster.gcs.groups._groups.clear()
    assert {finding.cause for finding in actors.bundles(cluster)} == {"no live group"}
    cluster.gcs.groups._groups.update(groups)
    node.raylet.bundles._held.clear()
    assert {finding.cause for finding in actors.bundles(cluster)} == {"no bundle"}
    node.raylet.bundles._held.update(held)


def test_a_task_that_does_not_end(cluster):
    call = SimpleNamespace(attempt=0)
    record = SimpleNamespace(name="lost", call=call, running=False, missing=1)
    driver(cluster).owner.tasks.records[b"task"] = record
    assert names(tasks.none_open, cluster) == {"task-ends"}
    del driver(cluster).owner.tasks.records[b"task"]


def test_members_that_are_not_those_that_run(cluster):
    live = cluster.gcs.nodes.live
    node_id = next(reversed(live))
    gone = live.pop(node_id)
    assert {finding.cause for finding in views.members(cluster)} == {"no member"}
    live[node_id] = gone
    live[NodeId(b"n" * 28)] = gone
    assert {finding.cause for finding in views.members(cluster)} == {"a dead member"}
    del live[NodeId(b"n" * 28)]


def test_a_view_that_is_not_the_truth(cluster):
    head(cluster).raylet.view.local.available["CPU"] -= 10_000
    assert "of the GCS" in {finding.cause for finding in views.resources(cluster)}


def test_what_breaks_between_two_looks_ends_the_program(cluster):
    ledger = Ledger(current_world())
    ledger.watch(1)
    assert ray.get(make.remote()) == bytes(LARGE)
    assert ledger.looks > 10
    head(cluster).raylet.view.local.available["CPU"] -= 1
    with pytest.raises(AssertionError, match="resources-conserved"):
        ray.get(make.remote())
    head(cluster).raylet.view.local.available["CPU"] += 1


def test_steps_are_looked_at_at_rest_as_well():
    assert set(STEPS) < set(AT_REST) < set(EMPTY)

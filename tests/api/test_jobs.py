"""Programs that follow each other on one cluster: what ends with a job, and what the next one finds."""

from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest

from tests.api.conftest import CPUS, JUDGE, NODE, ON_RAY, start
from tests.api.patience import until


@pytest.fixture(scope="module")
def address(backend: str, shared_ray: Callable[[], str]) -> Iterator[str]:
    """Of a cluster of one node, to which nobody is connected."""
    if backend in (ON_RAY, JUDGE):
        yield shared_ray()
        return
    utils = import_module("raysim.cluster_utils")
    cluster = utils.Cluster(initialize_head=True, head_node_args=NODE, backend=backend)
    yield cluster.address
    cluster.shutdown()


@pytest.fixture
def job(backend: str, address: str, lib: ModuleType) -> Iterator[Callable[..., ModuleType]]:
    """`job(namespace="x")`: the next program begins on the cluster; the one before has ended."""

    def begin(**options: Any) -> ModuleType:
        lib.shutdown()
        return start(backend, address=address, **options)

    yield begin
    clear(begin())
    lib.shutdown()


def clear(ray: ModuleType) -> None:
    """End what was detached."""
    for named in ray.util.list_named_actors(all_namespaces=True):
        try:
            ray.kill(ray.get_actor(**named))
        except ValueError:  # It ended with the one that made it.
            continue
    groups = import_module(f"{ray.__name__}.util.placement_group")
    for row in groups.placement_group_table().values():
        if row["state"] != "REMOVED":
            group_id = ray.PlacementGroupID.from_hex(row["placement_group_id"])
            groups.remove_placement_group(groups.PlacementGroup(group_id))
    until(lambda: ray.available_resources().get("CPU") == CPUS)


def number_of(job_id: str) -> int:
    return int.from_bytes(bytes.fromhex(job_id), "little")


@pytest.fixture
def keeper(lib: ModuleType) -> Any:
    """An actor class that keeps what it is given."""

    @lib.remote(num_cpus=0)
    class Keeper:
        def __init__(self) -> None:
            self.kept: list[Any] = []

        def keep(self, what: list[Any]) -> int:
            self.kept += what
            return len(self.kept)

        def count(self) -> int:
            return len(self.kept)

        def value(self, index: int) -> Any:
            try:
                return lib.get(self.kept[index], timeout=60)
            except lib.exceptions.OwnerDiedError:
                return "owner died"

        def make(self) -> list[Any]:
            self.kept.append(lib.put("made here"))
            return [self.kept[-1]]

        def where_from(self) -> tuple[str, str]:
            context = lib.get_runtime_context()
            return context.get_job_id(), context.namespace

    return Keeper


def test_cluster_goes_on_when_its_driver_leaves(job):
    ray = job()
    node = ray.get_runtime_context().get_node_id()
    ray.shutdown()
    assert not ray.is_initialized()
    job()
    assert ray.get_runtime_context().get_node_id() == node


def test_each_connection_is_a_new_job(job):
    seen = []
    for _ in range(3):
        ray = job()
        seen.append(number_of(ray.get_runtime_context().get_job_id()))
    assert seen == [seen[0], seen[0] + 1, seen[0] + 2]


def test_anonymous_namespaces_differ(job):
    seen = [job().get_runtime_context().namespace for _ in range(2)]
    assert all(seen)
    assert seen[0] != seen[1]


def test_namespace_is_the_jobs(job):
    assert job(namespace="one").get_runtime_context().namespace == "one"
    assert job(namespace="two").get_runtime_context().namespace == "two"


def test_tasks_of_the_next_job_know_it(job):
    ray = job()

    @ray.remote
    def whose():
        return ray.get_runtime_context().get_job_id()

    first = ray.get(whose.remote())
    assert first == ray.get_runtime_context().get_job_id()
    job()
    assert ray.get(whose.remote()) == ray.get_runtime_context().get_job_id() != first


def test_named_actor_ends_with_its_job(job, keeper):
    ray = job(namespace="space")
    kept = keeper.options(name="kept").remote()
    assert ray.get(kept.count.remote()) == 0
    job(namespace="space")
    with pytest.raises(ValueError, match="kept"):
        ray.get_actor("kept")
    again = keeper.options(name="kept").remote()
    assert ray.get(again.keep.remote([1])) == 1


def test_detached_actor_is_found_by_the_next_job(job, keeper):
    ray = job(namespace="space")
    kept = keeper.options(name="kept", lifetime="detached").remote()
    assert ray.get(kept.keep.remote([1, 2])) == 2
    job(namespace="space")
    assert ray.get(ray.get_actor("kept").count.remote()) == 2
    job()
    with pytest.raises(ValueError, match="kept"):
        ray.get_actor("kept")
    assert ray.get(ray.get_actor("kept", namespace="space").count.remote()) == 2


def test_detached_actor_stays_with_its_own_job_and_namespace(job, keeper):
    ray = job(namespace="space")
    kept = keeper.options(name="kept", lifetime="detached").remote()
    home = ray.get_runtime_context().get_job_id(), "space"
    assert ray.get(kept.where_from.remote()) == home
    job(namespace="other")
    kept = ray.get_actor("kept", namespace="space")
    assert ray.get(kept.where_from.remote()) == home


def test_names_of_all_jobs_are_listed(job, keeper):
    ray = job(namespace="space")
    kept = keeper.options(name="kept", lifetime="detached").remote()
    gone = keeper.options(name="gone").remote()
    assert ray.get([kept.count.remote(), gone.count.remote()]) == [0, 0]
    job()
    left = [{"name": "kept", "namespace": "space"}]
    until(lambda: ray.util.list_named_actors(all_namespaces=True) == left)


def test_actor_made_by_a_detached_actor_lives_as_long_as_that(job, keeper):
    ray = job(namespace="space")

    @ray.remote(num_cpus=0)
    class Parent:
        def begin(self):
            self.child = keeper.options(name="child").remote()
            return ray.get(self.child.count.remote())

    parent = Parent.options(name="parent", lifetime="detached").remote()
    assert ray.get(parent.begin.remote()) == 0
    job(namespace="space")
    assert ray.get(ray.get_actor("child").keep.remote([1])) == 1
    ray.kill(ray.get_actor("parent"))

    def ended():
        try:
            ray.get_actor("child")
        except ValueError:
            return True
        return False

    until(ended)


def test_detached_actor_goes_on_submitting(job):
    ray = job(namespace="space")

    @ray.remote
    def double(x):
        return 2 * x

    @ray.remote(num_cpus=0)
    class Caller:
        def call(self, x):
            return ray.get(double.remote(x))

    caller = Caller.options(name="caller", lifetime="detached").remote()
    assert ray.get(caller.call.remote(1)) == 2
    job(namespace="space")
    assert ray.get(ray.get_actor("caller").call.remote(2), timeout=60) == 4


def test_task_that_a_detached_actor_waits_for_outlives_the_job(job, tmp_path):
    ray = job(namespace="space")
    begun, go_on = tmp_path / "begun", tmp_path / "go on"

    @ray.remote(max_retries=0)
    def wait():
        import time

        begun.write_text("")
        while not go_on.exists():
            time.sleep(0.05)
        return "done"

    @ray.remote(num_cpus=0)
    class Caller:
        def call(self):
            self.ref = wait.remote()

        def result(self):
            return ray.get(self.ref)

    caller = Caller.options(name="caller", lifetime="detached").remote()
    ray.get(caller.call.remote())
    until(begun.exists)
    job(namespace="space")
    caller = ray.get_actor("caller")
    go_on.write_text("")
    assert ray.get(caller.result.remote(), timeout=60) == "done"


def test_detached_actor_makes_actors_after_its_job(job, keeper):
    ray = job(namespace="space")

    @ray.remote(num_cpus=0)
    class Parent:
        def begin(self):
            self.child = keeper.remote()
            return [self.child]

    parent = Parent.options(name="parent", lifetime="detached").remote()
    ray.get(parent.__ray_ready__.remote())
    job(namespace="space")
    (child,) = ray.get(ray.get_actor("parent").begin.remote())
    assert ray.get(child.keep.remote([1]), timeout=60) == 1


def test_detached_actor_restarts_after_its_job(job, keeper):
    ray = job(namespace="space")
    kept = keeper.options(name="kept", lifetime="detached", max_restarts=1).remote()
    assert ray.get(kept.keep.remote([1])) == 1
    job(namespace="space")
    kept = ray.get_actor("kept")
    ray.kill(kept, no_restart=False)

    def restarted():
        try:
            return ray.get(kept.count.remote()) == 0
        except ray.exceptions.RayActorError:
            return False

    until(restarted)


def test_what_the_driver_owned_is_lost_with_it(job, keeper):
    ray = job(namespace="space")

    @ray.remote
    def make():
        return b"z" * 1_000_000

    kept = keeper.options(name="kept", lifetime="detached").remote()
    large, small, returned = ray.put(b"x" * 1_000_000), ray.put("small"), make.remote()
    ray.wait([returned])
    assert ray.get(kept.keep.remote([large, small, returned])) == 3
    del large, small, returned
    job(namespace="space")
    kept = ray.get_actor("kept")
    for index in range(2):
        until(lambda index=index: ray.get(kept.value.remote(index)) == "owner died")


def test_what_a_detached_actor_owns_is_there_for_the_next_job(job, keeper):
    ray = job(namespace="space")
    keeper.options(name="kept", lifetime="detached").remote()
    job(namespace="space")
    (made,) = ray.get(ray.get_actor("kept").make.remote())
    assert ray.get(made) == "made here"
    job(namespace="space")
    assert ray.get(ray.get_actor("kept").value.remote(0)) == "made here"


def test_running_tasks_end_with_their_job(job, tmp_path):
    ray = job()
    begun = tmp_path / "begun"

    @ray.remote(num_cpus=CPUS)
    def endless():
        import time

        begun.write_text("")
        while True:
            time.sleep(0.05)

    endless.remote()
    until(begun.exists)
    job()

    @ray.remote(num_cpus=CPUS)
    def work():
        return "done"

    assert ray.get(work.remote(), timeout=60) == "done"


def test_children_of_tasks_end_with_their_job(job, tmp_path):
    ray = job()
    begun = tmp_path / "begun"

    @ray.remote(num_cpus=1)
    def child():
        import time

        begun.write_text("")
        while True:
            time.sleep(0.05)

    @ray.remote(num_cpus=1)
    def parent():
        return ray.get(child.remote())

    parent.remote()
    until(begun.exists)
    job()
    until(lambda: ray.available_resources().get("CPU") == CPUS)


def test_placement_group_ends_with_its_job(job):
    ray = job(namespace="space")
    util = ray.util
    plain = util.placement_group([{"CPU": 1}], name="plain")
    kept = util.placement_group([{"CPU": 1}], name="kept", lifetime="detached")
    assert plain.wait(60)
    assert kept.wait(60)
    job(namespace="space")
    until(lambda: util.placement_group_table(plain)["state"] == "REMOVED")
    with pytest.raises(ValueError, match="plain"):
        util.get_placement_group("plain")
    found = util.get_placement_group("kept")
    assert found.id == kept.id
    until(lambda: ray.available_resources().get("CPU") == CPUS - 1)
    strategies = import_module(f"{ray.__name__}.util.scheduling_strategies")
    inside = strategies.PlacementGroupSchedulingStrategy(found)

    @ray.remote(num_cpus=1, scheduling_strategy=inside)
    def work():
        return "done"

    assert ray.get(work.remote(), timeout=60) == "done"
    util.remove_placement_group(found)
    until(lambda: ray.available_resources().get("CPU") == CPUS)


def test_states_of_placement_groups_of_all_jobs(job):
    ray = job()
    plain = ray.util.placement_group([{"CPU": 1}])
    kept = ray.util.placement_group([{"CPU": 1}], lifetime="detached")
    assert plain.wait(60)
    assert kept.wait(60)
    job()

    def states():
        table = ray.util.placement_group_table()
        return [table[group.id.hex()]["state"] for group in (plain, kept)]

    until(lambda: states() == ["REMOVED", "CREATED"])


def test_references_of_an_earlier_job_are_refused(job):
    ray = job()
    old = ray.put("old")
    job()

    @ray.remote
    def same(x):
        return x

    with pytest.raises(ValueError, match=r"unknown|not known"):
        ray.get(old, timeout=10)
    with pytest.raises(ValueError, match=r"unknown|not known"):
        ray.get(same.remote(old), timeout=10)


def test_handles_of_an_earlier_job_are_refused(job, keeper):
    """Whoever wants a detached actor looks it up again."""
    ray = job(namespace="space")
    kept = keeper.options(name="kept", lifetime="detached").remote()
    assert ray.get(kept.keep.remote([1])) == 1
    job(namespace="space")
    with pytest.raises(Exception, match=r"find actor|session"):
        kept.keep.remote([2])
    with pytest.raises(ray.exceptions.ActorHandleNotFoundError):
        ray.kill(kept)
    assert ray.get(ray.get_actor("kept").count.remote()) == 1


def test_detached_actor_uses_handles_that_it_was_given(job, keeper):
    ray = job(namespace="space")

    @ray.remote(num_cpus=0)
    class Caller:
        def __init__(self, other):
            self.other = other

        def call(self):
            return ray.get(self.other.keep.remote([1]))

        def end(self):
            ray.kill(self.other)

    kept = keeper.options(name="kept", lifetime="detached").remote()
    caller = Caller.options(name="caller", lifetime="detached").remote(kept)
    assert ray.get(caller.call.remote()) == 1
    job(namespace="space")
    caller = ray.get_actor("caller")
    assert ray.get(caller.call.remote()) == 2
    ray.get(caller.end.remote())

    def ended():
        try:
            ray.get_actor("kept")
        except ValueError:
            return True
        return False

    until(ended)


def test_processes_run_the_calls_of_one_job_only(job):
    """What they imported and keep in modules is the job's."""
    ray = job()

    @ray.remote(num_cpus=CPUS)
    def process():
        return ray.get_runtime_context().get_worker_id()

    first = {ray.get(process.remote()) for _ in range(3)}
    job()
    second = {ray.get(process.remote()) for _ in range(3)}
    assert first.isdisjoint(second)


def test_environment_is_the_jobs(job):
    ray = job(runtime_env={"env_vars": {"OF_THE_JOB": "first"}})

    @ray.remote
    def look():
        import os

        return os.environ.get("OF_THE_JOB")

    assert ray.get(look.remote(), timeout=120) == "first"
    job(runtime_env={"env_vars": {"OF_THE_JOB": "second"}})
    assert ray.get(look.remote(), timeout=120) == "second"
    job()
    assert ray.get(look.remote(), timeout=120) is None

"""What a task or an actor needs where nothing, or only a part, is said. Each test starts its own cluster."""

import pytest

from tests.api.patience import until

PATIENCE = 60


def start_with_a_holder(fresh, cpus=1):
    """One CPU, and an actor that has it."""
    ray = fresh(num_cpus=cpus)

    @ray.remote(num_cpus=cpus)
    class Holder:
        def ready(self):
            return True

    holder = Holder.remote()
    ray.get(holder.ready.remote(), timeout=PATIENCE)
    # Ray's GCS places actors by what nodes last reported, and this one has to have been heard of.
    until(lambda: not ray.available_resources().get("CPU"))
    return ray, holder


def plain_actor(ray):
    @ray.remote
    class Plain:
        def ready(self):
            return True

    return Plain.remote().ready.remote()


def test_default_actor_needs_a_node_with_a_cpu(fresh):
    """Though it holds none afterwards."""
    ray = fresh(num_cpus=0)
    ready = plain_actor(ray)
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(ready, timeout=0.5)


def test_default_actor_waits_for_no_cpu_that_others_have(fresh):
    ray, _holder = start_with_a_holder(fresh)
    assert ray.get(plain_actor(ray), timeout=PATIENCE)


def test_actor_that_asks_for_no_cpu_is_placed_without_one(fresh):
    ray, _holder = start_with_a_holder(fresh)

    @ray.remote(num_cpus=0)
    class Light:
        def ready(self):
            return True

    assert ray.get(Light.remote().ready.remote(), timeout=PATIENCE)


def test_task_takes_one_cpu(fresh):
    ray, holder = start_with_a_holder(fresh)

    @ray.remote
    def task():
        return ray.get_runtime_context().get_assigned_resources()

    waiting = task.remote()
    with pytest.raises(ray.exceptions.GetTimeoutError):
        ray.get(waiting, timeout=0.5)
    assert ray.get(task.options(num_cpus=0).remote(), timeout=PATIENCE) == {}
    ray.kill(holder)
    assert ray.get(waiting, timeout=PATIENCE) == {"CPU": 1.0}


def test_actor_with_a_gpu_holds_a_cpu_too(fresh):
    ray = fresh(num_cpus=2, num_gpus=1)

    @ray.remote(num_gpus=1)
    class Holding:
        def resources(self):
            return ray.get_runtime_context().get_assigned_resources()

    assert ray.get(Holding.remote().resources.remote(), timeout=PATIENCE) == {
        "CPU": 1.0,
        "GPU": 1.0,
    }


def test_an_actor_that_asks_for_object_store_memory_is_warned_and_has_it(fresh):
    """In a session of its own: when such an actor ends, Ray 2.60's raylet ends as well."""
    ray = fresh()

    class Holder:
        def resources(self):
            return ray.get_runtime_context().get_assigned_resources()

    with pytest.warns(DeprecationWarning, match="object_store_memory"):
        holder = ray.remote(Holder).options(object_store_memory=1000).remote()
    assert ray.get(holder.resources.remote()) == {"object_store_memory": 1000}

import warnings

import pytest


def test_driver(ray):
    context = ray.get_runtime_context()
    assert len(context.get_job_id()) == 8
    assert len(context.get_node_id()) == 56
    assert len(context.get_worker_id()) == 56
    assert context.get_task_id() is None
    assert context.get_task_name() is None
    assert context.get_actor_id() is None
    assert context.get_actor_name() is None
    assert context.namespace
    with pytest.raises(AssertionError):
        context.get_assigned_resources()
    with pytest.raises(RuntimeError, match="actor"):
        _ = context.current_actor


def test_task(ray):
    @ray.remote(num_cpus=2)
    def who_am_i():
        context = ray.get_runtime_context()
        return {
            "job": context.get_job_id(),
            "node": context.get_node_id(),
            "worker": context.get_worker_id(),
            "task": context.get_task_id(),
            "name": context.get_task_name(),
            "actor": context.get_actor_id(),
            "resources": context.get_assigned_resources(),
            "namespace": context.namespace,
        }

    here = ray.get_runtime_context()
    ref = who_am_i.remote()
    seen = ray.get(ref)
    assert seen["job"] == here.get_job_id()
    assert seen["node"] == here.get_node_id()
    assert seen["worker"] != here.get_worker_id()
    assert ref.hex().startswith(seen["task"])
    assert seen["name"] == "who_am_i"
    assert seen["actor"] is None
    assert seen["resources"] == {"CPU": 2.0}
    assert seen["namespace"] == here.namespace
    assert ray.get(who_am_i.options(name="renamed").remote())["name"] == "renamed"


def test_actor(ray):
    @ray.remote
    class Who:
        def am_i(self):
            context = ray.get_runtime_context()
            return {
                "actor": context.get_actor_id(),
                "name": context.get_actor_name(),
                "task": context.get_task_name(),
                "resources": context.get_assigned_resources(),
                "restarted": context.was_current_actor_reconstructed,
                "me": context.current_actor,
            }

    who = Who.options(name="somebody").remote()
    seen = ray.get(who.am_i.remote())
    assert seen["actor"] in repr(who)
    assert seen["name"] == "somebody"
    assert seen["task"] == "Who.am_i"
    assert seen["resources"] == {}
    assert seen["restarted"] is False
    assert seen["me"] == who
    assert ray.get(Who.remote().am_i.remote())["name"] == ""


def test_actor_holds_what_it_asked_for(ray):
    @ray.remote(resources={"shelf": 1})
    class Who:
        def am_i(self):
            return ray.get_runtime_context().get_assigned_resources()

    who = Who.remote()
    assert ray.get(who.am_i.remote()) == {"CPU": 1.0, "shelf": 1.0}
    ray.kill(who)


def test_restarted_actor_knows_it(ray):
    @ray.remote(max_restarts=1, max_task_retries=-1)
    class Who:
        def restarted(self):
            return ray.get_runtime_context().was_current_actor_reconstructed

    who = Who.remote()
    assert ray.get(who.restarted.remote()) is False
    ray.kill(who, no_restart=False)
    assert any(ray.get(who.restarted.remote(), timeout=60) for _ in range(5000))


def test_where_the_cluster_is(ray):
    @ray.remote
    def there():
        context = ray.get_runtime_context()
        return context.get_session_name(), context.gcs_address, context.get_temp_dir()

    context = ray.get_runtime_context()
    here = (context.get_session_name(), context.gcs_address, context.get_temp_dir())
    assert all(here)
    assert here[0].startswith("session")
    assert ray.get(there.remote()) == here


def test_names_of_functions(ray):
    @ray.remote
    def function():
        context = ray.get_runtime_context()
        return context.get_task_name(), context.get_task_function_name()

    @ray.remote
    class Actor:
        def __init__(self):
            self.made_by = ray.get_runtime_context().get_task_function_name()

        def method(self):
            return self.made_by, ray.get_runtime_context().get_task_function_name()

    name, full = ray.get(function.options(name="shown").remote())
    assert name == "shown"
    assert full.startswith(__name__)
    assert full.endswith("function")
    made_by, method = ray.get(Actor.remote().method.remote())
    assert made_by.endswith("Actor.__init__")
    assert method.endswith("Actor.method")
    assert method.startswith(__name__)
    assert ray.get_runtime_context().get_task_function_name() is None


def test_accelerators_by_the_old_name(ray):
    context = ray.get_runtime_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        assert context.get_resource_ids() == context.get_accelerator_ids()

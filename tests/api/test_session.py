"""Sessions that begin and end. Each test starts its own."""

import pytest


def test_second_init_is_refused_unless_asked_for(fresh):
    ray = fresh()
    assert ray.is_initialized()
    with pytest.raises(RuntimeError, match="twice"):
        ray.init()
    again = ray.init(ignore_reinit_error=True)
    assert again.address_info


def test_init_inside_a_task(fresh):
    ray = fresh()

    @ray.remote
    def begin():
        try:
            ray.init()
        except RuntimeError as error:
            refusal = str(error)
        ray.init(ignore_reinit_error=True)
        return refusal, ray.is_initialized()

    refusal, still_there = ray.get(begin.remote())
    assert "twice" in refusal
    assert still_there


def test_shutdown_may_be_repeated(fresh):
    ray = fresh()
    ray.shutdown()
    assert not ray.is_initialized()
    ray.shutdown()


def test_functions_and_classes_work_in_the_next_session(fresh):
    ray = fresh()

    @ray.remote
    def double(x):
        return 2 * x

    @ray.remote
    class Box:
        def get(self):
            return "full"

    assert ray.get(double.remote(1)) == 2
    assert ray.get(Box.remote().get.remote()) == "full"
    ray.shutdown()
    fresh()
    assert ray.get(double.remote(2)) == 4
    assert ray.get(Box.remote().get.remote()) == "full"


def test_handle_of_an_ended_session_is_refused(fresh):
    ray = fresh()

    @ray.remote
    class Box:
        def get(self):
            return "full"

    old = Box.remote()
    ray.shutdown()
    fresh()
    with pytest.raises(ValueError, match="session"):
        ray.kill(old)


def test_reference_of_an_ended_session_is_refused(fresh):
    """Its id may well be that of another object now."""
    ray = fresh()
    old = ray.put("old")
    ray.shutdown()
    fresh()
    ray.put("new")
    with pytest.raises((ValueError, ray.exceptions.RayError)):
        ray.get(old, timeout=10)


def test_context_manager_ends_the_session(fresh):
    ray = fresh()
    with ray.init(ignore_reinit_error=True):
        assert ray.is_initialized()
    assert not ray.is_initialized()


def test_state_needs_a_session(lib):
    for ask in (lib.nodes, lib.cluster_resources, lib.available_resources):
        with pytest.raises(lib.exceptions.RaySystemError, match="not been started"):
            ask()


def test_unknown_argument_is_a_runtime_error(lib):
    with pytest.raises(RuntimeError, match="nonsense"):
        lib.init(nonsense=1)


def test_resources_of_the_cluster(fresh):
    ray = fresh(num_cpus=3, num_gpus=1, resources={"shelf": 2})
    total = ray.cluster_resources()
    assert (total["CPU"], total["GPU"], total["shelf"]) == (3.0, 1.0, 2.0)
    assert total["memory"] > 0
    (node,) = ray.nodes()
    assert node["Alive"] is True
    assert node["NodeID"] == ray.get_runtime_context().get_node_id()
    assert node["Resources"]["CPU"] == 3.0


def test_what_an_actor_holds_is_not_available(fresh):
    ray = fresh(num_cpus=2)

    @ray.remote(num_cpus=2)
    class Holder:
        def ready(self):
            return True

    holder = Holder.remote()
    assert ray.get(holder.ready.remote())

    @ray.remote(num_cpus=0)
    def look():
        return ray.available_resources()

    for _ in range(2000):
        if "CPU" not in ray.get(look.remote()):
            break
    else:
        pytest.fail("the CPUs are still shown as free")
    assert ray.cluster_resources()["CPU"] == 2.0

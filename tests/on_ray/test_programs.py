"""What only this backend has to do: raysim's API beside Ray's own, in one cluster."""

import gc
import time

import cloudpickle
import pytest
import ray

import raysim
from raysim.backend import RemoteTarget, TaskOptions
from raysim.runtime.current import current
from raysim.spec.task import Work

pytestmark = pytest.mark.usefixtures("session")


@ray.remote
class Plain:
    """An actor that raysim did not make."""

    def add(self, a, b):
        return a + b


@raysim.remote
class Pair:
    @raysim.method(num_returns=2)
    def both(self, value):
        return value, -value

    def itself(self):
        return raysim.get_runtime_context().current_actor


def test_reference_is_one_of_raysim():
    ref = raysim.put(1)
    assert isinstance(ref, raysim.ObjectRef)
    assert len(ref.binary()) == 28


def test_actor_of_plain_ray_is_found_by_name():
    plain = Plain.options(name="plain").remote()
    found = raysim.get_actor("plain")
    assert raysim.get(found.add.remote(1, raysim.put(2))) == 3
    ray.kill(plain)


def test_what_others_pickle_is_kept():
    """Ray cannot know how long it is needed, and so counts it for ever."""
    pair, ref = Pair.remote(), raysim.put("value")
    data = cloudpickle.dumps([pair, ref])
    del pair, ref
    gc.collect()
    time.sleep(0.5)
    pair, ref = cloudpickle.loads(data)
    assert raysim.get(ref, timeout=30) == "value"
    assert raysim.get(pair.both.remote(1), timeout=30) == [1, -1]
    raysim.kill(pair)


def test_found_actor_has_the_options_of_its_methods():
    """The process that looks it up need not have seen the class: the actor's handle tells."""
    pair = Pair.options(name="pair").remote()

    @raysim.remote
    def ask():
        return raysim.get(raysim.get_actor("pair").both.remote(4))

    assert raysim.get(ask.remote()) == [4, -4]
    with pytest.raises(TypeError):
        raysim.get_actor("pair").both.remote()
    raysim.kill(pair)


def test_actor_gives_a_handle_of_itself():
    pair = Pair.remote()
    same = raysim.get(pair.itself.remote())
    assert same == pair
    assert raysim.get(same.both.remote(1)) == [1, -1]


def test_actor_ends_with_its_last_handle():
    """Ray counts the handles, those in raysim's handles too."""
    pair = Pair.options(name="short").remote()
    raysim.get(pair.both.remote(1))
    del pair
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            raysim.get_actor("short")
        except ValueError:
            return
        time.sleep(0.05)
    pytest.fail("the actor lives on")


def test_nested_reference_keeps_its_object():
    """The only count of the inner object is inside of the outer one."""
    outer = raysim.put([raysim.put(b"x" * 1_000_000)])
    (inner,) = raysim.get(outer)
    assert len(raysim.get(inner)) == 1_000_000


def test_synthetic_task_takes_its_time_and_leaves_its_sizes():
    work = Work(200_000_000, (0, 1000))
    options = TaskOptions(num_returns=2, work=work)
    begun = time.monotonic()
    refs = current().submit_task(RemoteTarget(print, "never"), options, (), {})
    assert [len(value) for value in raysim.get(refs)] == [0, 1000]
    assert time.monotonic() - begun >= 0.2


def test_task_that_passes_an_error_on_names_its_cause():
    @raysim.remote
    def fail():
        raise ValueError("inside")

    @raysim.remote
    def passes():
        return raysim.get(fail.remote())

    with pytest.raises(ValueError, match="inside") as caught:
        raysim.get(passes.remote())
    assert type(caught.value.cause) is ValueError
    assert "raysim_ray" not in str(caught.value)


def test_reference_of_another_backend_is_refused():
    foreign = raysim.runtime.object_ref.ObjectRef(b"\x01" * 28, None, None)
    with pytest.raises(ValueError, match="was not made on the backend 'ray'"):
        raysim.get(foreign)

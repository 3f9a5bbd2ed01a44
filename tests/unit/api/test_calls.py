"""What remote functions, actor classes and handles ask of a backend."""

import gc
import weakref

import cloudpickle
import msgspec
import pytest

import raysim
from raysim.api.handles import ActorHandle
from raysim.api.methods import decode_methods
from raysim.spec.task import STREAMING


@raysim.remote
def function(a, b=2):
    """What it does."""
    return a + b


@raysim.remote
class Actor:
    def __init__(self, start=0):
        self.start = start

    def method(self, a):
        return a

    @raysim.method(num_returns=2, max_task_retries=3)
    def pair(self):
        return 1, 2

    def stream(self):
        yield 1


def last(backend):
    return backend.calls[-1]


def test_call_carries_target_options_and_arguments(backend):
    ref = function.remote(1, b=3)
    name, (target, options, args, kwargs) = last(backend)
    assert name == "submit_task"
    assert (target.name, target.target(1), options.name) == ("function", 3, "function")
    assert (args, kwargs) == ((1,), {"b": 3})
    assert isinstance(ref, raysim.ObjectRef)


def test_calls_share_their_options(backend):
    """A backend may know them again by identity."""
    function.remote(1)
    function.remote(2)
    function.options(num_cpus=2).remote(1)
    function.options(num_cpus=2).remote(1)
    seen = [options for _, (_, options, _, _) in backend.calls]
    assert seen[0] is seen[1]
    assert seen[2] is seen[3]
    assert seen[2].num_cpus == 2


def test_options_share_the_function(backend):
    """Otherwise it would be exported once for each set of options."""
    function.remote(1)
    function.options(num_returns=2).remote(1)
    first, second = (target for _, (target, _, _, _) in backend.calls)
    assert first is second


def test_remembered_options_tell_types_apart():
    assert function.options(num_returns=1)._num_returns == 1
    with pytest.raises(TypeError):
        function.options(max_retries=1.0)
    function.options(max_retries=1)
    with pytest.raises(TypeError):
        function.options(max_retries=1.0)


def test_options_that_cannot_be_hashed():
    changed = function.options(resources={"shelf": 1}, retry_exceptions=[KeyError])
    assert changed._options.resources == {"shelf": 1}


@pytest.mark.parametrize(("count", "kind"), [(0, type(None)), (1, raysim.ObjectRef), (3, list)])
def test_shape_of_what_a_call_gives(backend, count, kind):
    assert isinstance(function.options(num_returns=count).remote(1), kind)
    handle = Actor.remote()
    assert isinstance(handle.method.options(num_returns=count).remote(1), kind)


def test_refused_call_reaches_no_backend(backend):
    with pytest.raises(TypeError):
        function.remote()
    with pytest.raises(TypeError):
        Actor.remote(1, 2)
    assert backend.calls == []


def test_generators_without_a_number_of_returns_stream(backend):
    @raysim.remote
    def stream():
        yield 1

    stream.remote()
    stream.options(num_returns="streaming").remote()
    stream.options(num_returns=3).remote()
    assert [given[1].num_returns for _, given in backend.calls] == [STREAMING, STREAMING, 3]
    Actor.remote().stream.remote()
    assert backend.calls[-1][1][2].num_returns == STREAMING


def test_remote_function_keeps_name_and_documentation():
    assert (function.__name__, function.__doc__) == ("function", "What it does.")


def test_remote_function_survives_pickling_with_its_options(backend):
    again = cloudpickle.loads(cloudpickle.dumps(function.options(num_cpus=3)))
    again.remote(1)
    _, (target, options, _, _) = last(backend)
    assert (target.target(1), options.num_cpus) == (3, 3)


def test_actor_class_survives_pickling_with_its_options(backend):
    again = cloudpickle.loads(cloudpickle.dumps(Actor.options(max_restarts=2)))
    again.remote()
    _, (cls, options, _, _) = last(backend)
    assert (cls.name, options.max_restarts) == ("Actor", 2)


def test_actor_call_carries_its_methods_options(backend):
    handle = Actor.options(max_task_retries=1).remote()
    handle.pair.remote()
    name, (actor_id, method, options, args, kwargs) = last(backend)
    assert (name, method, args, kwargs) == ("call_actor", "pair", (), {})
    assert actor_id == handle._ray_actor_id
    assert (options.num_returns, options.max_task_retries) == (2, 3)
    handle.pair.options(max_task_retries=5).remote()
    _, (_, _, options, _, _) = last(backend)
    assert (options.num_returns, options.max_task_retries) == (2, 5)


def test_handle_survives_pickling_with_all_it_knows(backend):
    handle = Actor.remote()
    again = cloudpickle.loads(cloudpickle.dumps(handle))
    assert again == handle
    with pytest.raises(TypeError, match="'a'"):
        again.method.remote()
    again.method.remote(1)
    assert last(backend)[1][0] == handle._ray_actor_id


def test_method_keeps_its_actor_alive_and_no_handle(backend):
    """A cycle would keep an actor until the garbage collector comes by."""

    class Counted:
        """Stands for the reference that is counted."""

    counted = Counted()
    handle = ActorHandle(msgspec.structs.replace(Actor.remote()._ray_record, ref=counted))
    gone, over = weakref.ref(handle), weakref.ref(counted)
    del counted
    gc.disable()
    try:
        method = handle.method
        assert handle.method is method
        del handle
        assert gone() is None
        assert over() is not None
        del method
        assert over() is None
    finally:
        gc.enable()


def test_method_that_outlives_its_handle_is_one_of_an_equal_handle(backend):
    method = Actor.remote().method
    node = method.bind(1)
    assert isinstance(method._handle, ActorHandle)
    assert node.get_other_args_to_resolve()["parent_class_node"] == method._handle


def test_unknown_method_is_answered_with_those_there_are(backend):
    with pytest.raises(AttributeError, match=r"'nothing'.* method, pair"):
        Actor.remote().nothing  # noqa: B018  (the access is what is tested)


def test_methods_of_bytes_are_decoded_once(backend):
    meta = Actor.remote()._ray_record.method_meta
    assert decode_methods(meta) is decode_methods(bytes(meta))


def test_handle_of_an_ended_session_is_refused(backend):
    handle = Actor.remote()
    raysim.shutdown()
    raysim.init(num_cpus=1)
    for use in (lambda: handle.method.remote(1), lambda: raysim.kill(handle)):
        with pytest.raises(raysim.exceptions.ActorHandleNotFoundError, match="session"):
            use()


def test_namespace_of_a_lookup(backend):
    assert isinstance(raysim.get_actor("name"), ActorHandle)
    assert last(backend) == ("get_actor", ("name", ""))
    raysim.get_actor("name", namespace="other")
    assert last(backend) == ("get_actor", ("name", "other"))


@pytest.mark.parametrize(("given", "asked"), [(None, None), (-1, None), (0, 0), (1.5, 1.5)])
def test_timeout_of_get(backend, given, asked):
    raysim.get(raysim.put(1), timeout=given)
    assert last(backend)[1][1] == asked


def test_negative_timeout_is_refused(backend):
    with pytest.raises(ValueError, match="-2"):
        raysim.get(raysim.put(1), timeout=-2)


def test_force_is_refused_for_actor_methods_only(backend):
    backend.cancel = lambda *args: backend.calls.append(("cancel", args))
    raysim.cancel(function.remote(1), force=True)
    assert last(backend)[0] == "cancel"
    actor_ref = raysim.ObjectRef(b"t" * 8 + b"a" * 12 + b"j" * 4 + b"i" * 4, None, None)
    with pytest.raises(ValueError, match="force"):
        raysim.cancel(actor_ref, force=True)


def test_first_call_starts_a_session(worlds):
    function.remote(1)
    assert worlds.backends == ["cluster"]
    assert raysim.is_initialized()


def test_no_session_starts_by_itself_when_the_environment_says_so(worlds, monkeypatch):
    monkeypatch.setenv("RAY_ENABLE_AUTO_CONNECT", "0")
    with pytest.raises(raysim.exceptions.RaySystemError, match="init"):
        function.remote(1)
    assert worlds == []

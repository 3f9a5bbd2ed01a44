"""The small things of `ray.util`: serializers, what cannot be pickled, addresses, log_once, ActorGroup."""

import io
import ipaddress
import subprocess
import sys
import threading
import warnings
from importlib import import_module

import pytest

LOCK = threading.Lock()
"""Something that cannot be pickled."""


class Holder:
    def __init__(self):
        self.fine = 1
        self.lock = LOCK


@pytest.fixture(scope="module")
def util(ray):
    return import_module(f"{ray.__name__}.util")


# --- register_serializer ----------------------------------------------------------------------


@pytest.fixture
def locked(util):
    """A class with a lock, whose instances travel as their value."""

    class Locked:
        def __init__(self, value):
            self.value = value
            self.lock = threading.Lock()

    util.register_serializer(
        Locked, serializer=lambda one: one.value, deserializer=lambda value: ("made of", value)
    )
    yield Locked
    util.deregister_serializer(Locked)


def test_a_registered_class_travels_as_its_serializer_says(ray, locked):
    assert ray.get(ray.put(locked(1))) == ("made of", 1)
    assert ray.get(ray.put([locked(1), {"a": locked(2)}])) == [
        ("made of", 1),
        {"a": ("made of", 2)},
    ]


def test_a_registered_class_can_be_an_argument(ray, locked):
    @ray.remote
    def same(x):
        return x

    assert ray.get(same.remote(locked(3))) == ("made of", 3)


def test_a_subclass_is_not_registered(ray, locked):
    class Other(locked):
        pass

    with pytest.raises(TypeError, match="lock"):
        ray.put(Other(1))


def test_the_last_registration_holds(ray, util, locked):
    util.register_serializer(locked, serializer=lambda one: one.value, deserializer=str)
    assert ray.get(ray.put(locked(1))) == "1"


def test_a_deregistered_class_is_pickled_again(ray, util, locked):
    util.deregister_serializer(locked)
    with pytest.raises(TypeError, match="lock"):
        ray.put(locked(1))
    util.deregister_serializer(locked)


def test_each_process_registers_for_itself(ray, util, locked):
    module = util.__name__

    @ray.remote
    class Maker:
        def make(self):
            class Own:
                def __init__(self):
                    self.lock = threading.Lock()

            self.own = Own
            return "made"

        def give(self):
            return self.own()

        def register(self):
            own = import_module(module)
            own.register_serializer(self.own, serializer=lambda _: "packed", deserializer=str.upper)

    maker, other = Maker.remote(), Maker.remote()
    assert ray.get([maker.make.remote(), other.make.remote()]) == ["made", "made"]
    ray.get(maker.register.remote())
    assert ray.get(maker.give.remote()) == "PACKED"
    with pytest.raises(TypeError, match="lock"):
        ray.get(other.give.remote())


def test_an_array_can_be_registered_too(ray, util, backend):
    if backend == "judge":
        pytest.skip("for all that follows; Ray cannot be put back")
    numpy = pytest.importorskip("numpy")
    util.register_serializer(
        numpy.ndarray, serializer=lambda a: a.tolist(), deserializer=lambda a: ("array", a)
    )
    try:
        assert ray.get(ray.put(numpy.arange(3))) == ("array", [0, 1, 2])
    finally:
        util.deregister_serializer(numpy.ndarray)
    assert ray.get(ray.put(numpy.arange(3))).tolist() == [0, 1, 2]


# --- inspect_serializability ------------------------------------------------------------------


def inspected(util, value, **how):
    out = io.StringIO()
    fine, failures = util.inspect_serializability(value, print_file=out, **how)
    return fine, {failure.path: failure for failure in failures}, out.getvalue()


def test_what_can_be_pickled_is_fine(util):
    fine, failures, shown = inspected(util, {"a": [1, 2]})
    assert fine
    assert failures == {}
    assert "Checking Serializability of" in shown


def test_a_variable_that_a_function_closes_over_is_found(util):
    holder = Holder()

    def use():
        return holder

    fine, failures, shown = inspected(util, use)
    assert not fine
    failure = failures["holder", "lock"]
    assert failure.obj is LOCK
    assert failure.parent is holder
    assert "'_thread.lock'" in shown


def test_a_member_is_found(util):
    _, failures, _ = inspected(util, Holder())
    assert list(failures) == [("lock",)]


def test_the_name_given_begins_the_path(util):
    _, failures, _ = inspected(util, Holder(), name="mine")
    assert list(failures) == [("mine", "lock")]


def test_it_looks_no_deeper_than_it_is_told(util):
    holder = Holder()
    _, failures, _ = inspected(util, lambda: holder, depth=1)
    assert list(failures) == [("holder",)]


def test_without_a_file_it_prints(util, capsys):
    util.inspect_serializability(Holder())
    assert "FAIL serialization" in capsys.readouterr().out


# --- addresses --------------------------------------------------------------------------------


def test_the_address_of_this_node(ray, util):
    address = util.get_node_ip_address()
    assert ipaddress.ip_address(address)
    assert address in {node["NodeManagerAddress"] for node in ray.nodes()}


def test_the_cloud_s_name_of_this_machine(util, monkeypatch):
    monkeypatch.delenv("RAY_CLOUD_INSTANCE_ID", raising=False)
    assert util.get_node_instance_id() == ""
    monkeypatch.setenv("RAY_CLOUD_INSTANCE_ID", "i-123")
    assert util.get_node_instance_id() == "i-123"


# --- log_once ---------------------------------------------------------------------------------


def test_log_once_is_true_once_for_each_key(util):
    debug = import_module(f"{util.__name__}.debug")
    debug.reset_log_once()  # It counts per process, which another test may have shared.
    assert [util.log_once("key"), util.log_once("key"), util.log_once("other")] == [
        True,
        False,
        True,
    ]
    debug.reset_log_once("key")
    assert util.log_once("key")
    debug.reset_log_once()
    assert util.log_once("other")


def test_log_once_can_be_disabled(util):
    """For good: so in a process of its own."""
    code = (
        f"from {util.__name__} import *\n"
        "print(log_once('a'), disable_log_once_globally(), log_once('b'), "
        "enable_periodic_logging(), log_once('c'))"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code.replace("import *", "import log_once, "
         "disable_log_once_globally, enable_periodic_logging")],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "True None False None False\n"


# --- ActorGroup -------------------------------------------------------------------------------


class Member:
    def __init__(self, number=0):
        self.number = number

    def plus(self, x):
        return self.number + x


@pytest.fixture(scope="module", autouse=True)
def by_value(ray):
    """Workers cannot import a test's module: its classes travel as code."""
    cloudpickle = import_module(f"{ray.__name__}.cloudpickle")
    module = import_module(__name__)
    cloudpickle.register_pickle_by_value(module)
    yield
    cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture
def group(util):
    def group(*args, **kwargs):
        actor_group = import_module(f"{util.__name__}.actor_group")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Ray has deprecated it.
            return actor_group.ActorGroup(Member, *args, num_cpus_per_actor=0, **kwargs)

    return group


def test_a_group_is_called_all_at_once(ray, group):
    members = group(3, init_args=(4,))
    assert len(members) == 3
    assert ray.get(members.plus.remote(1)) == [5, 5, 5]


def test_members_of_a_group_by_index(ray, group):
    members = group(2, init_kwargs={"number": 7})
    assert ray.get(members[0].actor.plus.remote(0)) == 7
    assert len(members[0:1]) == 1
    assert members.actor_metadata == [None, None]


def test_a_group_s_method_is_not_called_directly(group):
    with pytest.raises(TypeError, match="remote"):
        group(1).plus(1)


def test_a_group_grows_and_shrinks(ray, group):
    members = group(1)
    members.add_actors(2)
    assert len(members) == 3
    members.remove_actors([0, 9])
    assert len(members) == 2
    assert ray.get(members.plus.remote(1)) == [1, 1]


def test_a_group_ends_and_starts_again(ray, group):
    members = group(2)
    actor = members[0].actor
    with pytest.raises(RuntimeError, match="already been started"):
        members.start()
    members.shutdown()
    assert len(members) == 0
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(actor.plus.remote(1), timeout=10)
    members.start()
    assert ray.get(members.plus.remote(2)) == [2, 2]


@pytest.mark.parametrize("number", [0, -1])
def test_a_group_needs_a_member(group, number):
    with pytest.raises(ValueError, match="greater than 0"):
        group(number)


def test_a_group_s_resources_are_not_negative(group):
    with pytest.raises(ValueError, match="must not be negative"):
        group(1, num_gpus_per_actor=-1)

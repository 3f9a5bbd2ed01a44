"""Who keeps an object, and what becomes of it when its owner goes."""

import gc
import os
import time

import cloudpickle
import pytest

from tests.api.patience import until

LARGE = 300_000


@pytest.fixture
def owner(ray):
    """An actor that owns what it makes."""

    @ray.remote(num_cpus=0)
    class Owner:
        def put(self, value):
            return [ray.put(value)]

        def call(self, value):
            @ray.remote
            def give(value):
                return value

            ref = give.remote(value)
            ray.wait([ref])
            return [ref]

        def begin(self):
            @ray.remote
            def slow():
                time.sleep(60)

            return [slow.remote()]

        def keep(self, refs):
            self.refs = refs

        def kept(self):
            return ray.get(self.refs[0])

        def drop(self):
            self.refs = None

    return Owner.remote()


@pytest.fixture
def identity(ray):
    @ray.remote
    def identity(value):
        return value

    return identity


def gone(ray, ref):
    with pytest.raises(ray.exceptions.OwnerDiedError):
        ray.get(ref, timeout=30)


@pytest.mark.parametrize("size", [10, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("seen", [True, False], ids=["seen", "unseen"])
def test_what_was_put_dies_with_its_owner(ray, owner, size, seen):
    [ref] = ray.get(owner.put.remote(b"x" * size))
    if seen:
        assert len(ray.get(ref)) == size
    ray.kill(owner)
    time.sleep(1)
    gone(ray, ref)


def test_large_return_values_die_with_their_owner(ray, owner):
    [ref] = ray.get(owner.call.remote(b"x" * LARGE))
    ray.kill(owner)
    time.sleep(1)
    gone(ray, ref)


def test_what_was_not_there_yet_dies_with_its_owner(ray, owner):
    [ref] = ray.get(owner.begin.remote())
    ray.kill(owner)
    gone(ray, ref)


def test_object_of_a_dead_owner_is_ready(ray, owner):
    [ref] = ray.get(owner.begin.remote())
    ray.kill(owner)
    assert ray.wait([ref], timeout=30) == ([ref], [])


def is_dead(ray, actor):
    """A kill takes its time, and calls may overtake it."""
    try:
        ray.get(actor.__ray_ready__.remote(), timeout=60)
    except ray.exceptions.RayActorError:
        return True
    return False


def test_argument_of_a_dead_owner_fails_its_task(ray, owner, identity):
    [ref] = ray.get(owner.begin.remote())
    ray.kill(owner)
    until(lambda: is_dead(ray, owner))
    with pytest.raises(ray.exceptions.OwnerDiedError):
        ray.get(identity.remote(ref), timeout=60)


def test_owner_died_is_an_object_lost(ray):
    assert issubclass(ray.exceptions.OwnerDiedError, ray.exceptions.ObjectLostError)


def test_a_borrower_keeps_what_nobody_else_refers_to(ray, owner):
    ref = ray.put("kept")
    ray.get(owner.keep.remote([ref]))
    del ref
    gc.collect()
    time.sleep(0.5)
    assert ray.get(owner.kept.remote()) == "kept"


def test_references_come_back_as_what_they_were(ray, identity):
    ref = ray.put("b")
    [back] = ray.get(identity.remote([ref]))
    assert back == ref
    del ref
    gc.collect()
    assert ray.get(back) == "b"


def test_references_through_several_owners(ray):
    @ray.remote
    def wrap(depth):
        return [wrap.remote(depth - 1)] if depth else [ray.put("bottom")]

    value, steps = wrap.remote(4), 0
    while isinstance(value, ray.ObjectRef):
        [value] = [ray.get(value)]
        if isinstance(value, list):
            [value], steps = value, steps + 1
    assert (value, steps) == ("bottom", 5)


def test_references_in_actors_in_tasks(ray, owner):
    @ray.remote
    def hand_on(handle, refs):
        ray.get(handle.keep.remote(refs))

    ray.get(hand_on.remote(owner, [ray.put(b"z" * LARGE)]))
    gc.collect()
    time.sleep(0.5)
    assert len(ray.get(owner.kept.remote())) == LARGE


def test_references_pickled_by_others_stay(ray):
    pickle = getattr(ray, "cloudpickle", cloudpickle)
    ref = ray.put(b"q" * LARGE)
    data = pickle.dumps(ref)
    del ref
    gc.collect()
    time.sleep(0.5)
    assert len(ray.get(pickle.loads(data), timeout=30)) == LARGE


def test_references_in_closures(ray):
    ref = ray.put(7)

    @ray.remote
    def read():
        return ray.get(ref)

    assert ray.get(read.remote()) == 7


def test_put_of_a_reference_is_a_type_error(ray):
    with pytest.raises(TypeError, match="put"):
        ray.put(ray.put(1))


def test_get_does_not_look_inside(ray):
    inner = ray.put(2)
    assert ray.get(ray.put([inner])) == [inner]


# References as objects


def test_what_a_reference_says(ray):
    ref = ray.put(1)
    assert ray.ObjectRef.size() == len(ref.binary()) == 28
    assert (ref.hex(), ref.is_nil()) == (ref.binary().hex(), False)
    assert ray.ObjectRef.nil().is_nil()
    assert isinstance(ref.owner_address(), bytes)
    assert ref.call_site() == ""
    assert ref.tensor_transport() is None


def test_owner_addresses_tell_owners_apart(ray, owner):
    [theirs] = ray.get(owner.put.remote(1))
    mine, too = ray.put(1), ray.put(2)
    assert mine.owner_address() == too.owner_address() != theirs.owner_address()


def test_references_in_annotations(ray):
    assert ray.ObjectRef[int].__args__ == (int,)


# Errors that nobody looks at


@pytest.fixture
def bad(ray):
    @ray.remote
    def bad():
        raise ValueError("bad")

    return bad


def test_error_that_nobody_asked_for_is_said(ray, bad, said):
    ref = bad.remote()
    time.sleep(1)
    assert not said(within=1)
    del ref
    assert said()


def test_error_of_a_call_without_a_reference_is_said(ray, bad, said):
    bad.remote()
    assert said()


def test_error_of_a_lost_worker_is_said(ray, said):
    @ray.remote(max_retries=0)
    def die():
        os._exit(1)

    ref = die.remote()
    time.sleep(2)
    del ref
    assert said()


def test_error_that_was_raised_is_not_said(ray, bad, said):
    ref = bad.remote()
    with pytest.raises(ValueError, match="bad"):
        ray.get(ref)
    del ref
    assert not said(within=1)


def test_error_that_was_waited_for_is_not_said(ray, bad, said):
    ref = bad.remote()
    ray.wait([ref])
    del ref
    assert not said(within=1)


def test_error_behind_another_one_is_not_said(ray, bad, said):
    refs = [bad.remote(), bad.remote()]
    ray.wait(refs, num_returns=2)
    with pytest.raises(ValueError, match="bad"):
        ray.get(refs)
    del refs
    assert not said(within=1)


def test_error_that_failed_another_task_is_said_of_that_one_only(ray, bad, identity, said):
    ref = bad.remote()
    with pytest.raises(ValueError, match="bad"):
        ray.get(identity.remote(ref))
    del ref
    assert not said(within=1)


def test_error_of_the_system_is_not_said(ray, said):
    @ray.remote(num_cpus=0)
    class Dying:
        def die(self):
            os._exit(1)

    ref = Dying.remote().die.remote()
    time.sleep(2)
    del ref
    assert not said(within=1)

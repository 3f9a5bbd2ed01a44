"""Names of actors, and the namespaces that they are unique in."""

import asyncio
from types import SimpleNamespace

import pytest

from tests.api.patience import until

PATIENCE = 60


@pytest.fixture
def box(ray):
    @ray.remote(num_cpus=0)
    class Box:
        def __init__(self, value=None, broken=False):
            if broken:
                raise ValueError("cannot begin")
            self.value = value

        def read(self):
            return self.value

        def namespace(self):
            return ray.get_runtime_context().namespace

        def read_other(self, name):
            return ray.get(ray.get_actor(name).read.remote())

    return Box


def is_gone(ray, name):
    try:
        ray.get_actor(name)
    except ValueError:
        return True
    return False


def test_context_tells_the_namespace_of_the_job(ray, box):
    """Not the one that the actor's own name is in."""
    actor = box.options(name="abroad", namespace="beta").remote()
    here = ray.get_runtime_context().namespace
    assert here != "beta"
    assert ray.get(actor.namespace.remote(), timeout=PATIENCE) == here
    with pytest.raises(ValueError, match="abroad"):
        ray.get_actor("abroad")


def test_actor_finds_the_names_of_its_job(ray, box):
    """Whatever namespace its own name is in."""
    actor = box.options(name="afar", namespace="beta").remote()
    home = box.options(name="at home").remote("found")
    assert ray.get(actor.read_other.remote("at home"), timeout=PATIENCE) == "found"
    assert ray.get(home.read.remote()) == "found"


def test_name_that_is_taken_is_refused_at_the_call(ray, box):
    """Before anything is waited for."""
    first = box.options(name="once").remote(1)
    with pytest.raises(ValueError, match="once"):
        box.options(name="once").remote(2)
    assert ray.get(first.read.remote(), timeout=PATIENCE) == 1


def test_get_if_exists_ignores_the_arguments_and_makes_the_first(ray, box):
    made = [box.options(name="shared", get_if_exists=True).remote(value) for value in (1, 2)]
    assert ray.get([actor.read.remote() for actor in made], timeout=PATIENCE) == [1, 1]
    assert made[0] == made[1]


def test_handle_of_a_task_keeps_the_name(ray, box):
    """As long as one counted handle is somewhere."""

    @ray.remote(num_cpus=0)
    class Keeper:
        def keep(self, handle):
            self.handle = handle

    keeper = Keeper.remote()
    actor = box.options(name="kept").remote(5)
    ray.get(keeper.keep.remote(actor), timeout=PATIENCE)
    del actor
    assert ray.get(ray.get_actor("kept").read.remote(), timeout=PATIENCE) == 5
    ray.kill(keeper)


def test_name_of_an_actor_without_handles_is_free_again(ray, box):
    actor = box.options(name="free").remote(1)
    ray.get(actor.read.remote(), timeout=PATIENCE)
    del actor
    until(lambda: is_gone(ray, "free"))
    again = box.options(name="free").remote(2)
    assert ray.get(again.read.remote(), timeout=PATIENCE) == 2


def test_name_of_a_broken_actor_is_free_again(ray, box, backend):
    if backend not in ("sim", "cluster"):
        pytest.skip("Ray keeps the name of such an actor as long as a handle of it is somewhere")
    broken = box.options(name="broken").remote(broken=True)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(broken.read.remote(), timeout=PATIENCE)
    sound = box.options(name="broken").remote(1)
    assert ray.get(sound.read.remote(), timeout=PATIENCE) == 1


def test_detached_actor_needs_no_handle_and_can_be_killed_by_name(ray, box):
    made = box.options(name="stays", lifetime="detached").remote(7)
    ray.get(made.read.remote(), timeout=PATIENCE)
    del made
    assert ray.get(ray.get_actor("stays").read.remote(), timeout=PATIENCE) == 7
    ray.kill(ray.get_actor("stays"))
    until(lambda: is_gone(ray, "stays"))


@pytest.fixture
def gate(ray, box):
    """A value that is not there before `gate.open()`; `gate.ref` refers to it."""

    @ray.remote(num_cpus=0)
    class Gate:
        def __init__(self):
            self.event = asyncio.Event()

        async def wait(self, fails):
            await self.event.wait()
            if fails:
                raise ValueError("nothing came")
            return 7

        async def open(self):
            self.event.set()

    actor = Gate.remote()
    return SimpleNamespace(
        ref=actor.wait.remote(False),
        broken=actor.wait.remote(True),
        open=lambda: ray.get(actor.open.remote(), timeout=PATIENCE),
    )


def test_name_is_taken_before_the_arguments_are_there(ray, box, gate):
    """Creating it does not wait for them: they may need what its creator does next."""
    actor = box.options(name="early").remote(gate.ref)
    with pytest.raises(ValueError, match="early"):
        box.options(name="early").remote(1)
    found = ray.get_actor("early").read.remote()
    assert ray.wait([found], timeout=0.1)[0] == []
    gate.open()
    assert ray.get([found, actor.read.remote()], timeout=PATIENCE) == [7, 7]


def test_actor_whose_arguments_fail_is_dead_for_those_who_found_its_name(ray, lib, box, gate):
    actor = box.options(name="hopeless").remote(gate.broken)
    found = ray.get_actor("hopeless").read.remote()
    gate.open()
    for call in (found, actor.read.remote()):
        with pytest.raises(lib.exceptions.RayError):
            ray.get(call, timeout=PATIENCE)


def test_named_actor_that_is_killed_before_its_arguments_are_there_frees_its_name(ray, box, gate):
    actor = box.options(name="never").remote(gate.ref)
    ray.kill(actor)
    until(lambda: is_gone(ray, "never"))
    gate.open()
    assert ray.get(box.options(name="never").remote(3).read.remote(), timeout=PATIENCE) == 3

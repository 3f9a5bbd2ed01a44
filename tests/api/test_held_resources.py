"""What actors and tasks hold while they are there."""

import pytest

PATIENCE = 60


@pytest.fixture
def holding(ray):
    @ray.remote
    class Holding:
        def resources(self):
            held = ray.get_runtime_context().get_assigned_resources()
            return {name: value for name, value in held.items() if name != "memory"}

    return Holding


@pytest.mark.parametrize(
    ("options", "held"),
    [
        ({}, {}),
        ({"num_cpus": 0}, {}),
        ({"num_cpus": 1}, {"CPU": 1.0}),
        ({"resources": {"shelf": 1}}, {"CPU": 1.0, "shelf": 1.0}),
        ({"num_cpus": 0, "resources": {"shelf": 1}}, {"shelf": 1.0}),
        ({"memory": 1 << 20}, {}),
        ({"num_cpus": 2, "memory": 1 << 20}, {"CPU": 2.0}),
    ],
    ids=["nothing", "no cpu", "a cpu", "resources", "only resources", "memory", "cpus and memory"],
)
def test_what_an_actor_holds(ray, holding, options, held):
    """Whatever is said, but memory, makes one CPU the default, held as long as the actor lives."""
    actor = holding.options(**options).remote()
    assert ray.get(actor.resources.remote(), timeout=PATIENCE) == held
    ray.kill(actor)


def test_options_replace_the_resources_of_the_decorator(ray):
    """As a whole: what the decorator says of other resources is gone."""

    @ray.remote(num_cpus=0, resources={"shelf": 1, "dragon": 1})
    def task():
        return ray.get_runtime_context().get_assigned_resources()

    assert ray.get(task.options(resources={"shelf": 2}).remote(), timeout=PATIENCE) == {
        "shelf": 2.0
    }


def test_resources_of_zero_are_not_needed(ray):
    @ray.remote(num_cpus=0, resources={"dragon": 0})
    def task():
        return "ran"

    assert ray.get(task.remote(), timeout=PATIENCE) == "ran"

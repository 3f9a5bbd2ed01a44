"""Labels of `sometimes` and `reachable` are read from the source of a test and of what it uses."""

import raysim as ray
from raysim import testing
from raysim.testing import reachable, sometimes
from raysim.testing.catalogue import labels_of


@ray.remote
def task():
    reachable("in a task")
    return inner()


def inner():
    sometimes(False, "in a function that a task calls")


@ray.remote
class Actor:
    def method(self):
        testing.sometimes(True, message="in a method")


def unused():
    reachable("in a function that nobody calls")


def uses_all():
    sometimes(True, "in the test")
    task.remote()
    Actor.remote()


def uses_nothing():
    def nested():
        reachable("in a nested function")

    nested()


def recursive(n):
    reachable("once")
    return recursive(n - 1) if n else uses_nothing


def computed(label):
    sometimes(True, f"about {label}")


def test_labels_of_what_a_test_uses_are_known():
    assert set(labels_of(uses_all)) == {
        "in the test",
        "in a task",
        "in a function that a task calls",
        "in a method",
    }


def test_nested_functions_are_part_of_the_test():
    assert labels_of(uses_nothing) == ("in a nested function",)


def test_functions_that_call_each_other_are_read_once():
    assert set(labels_of(recursive)) == {"once", "in a nested function"}


def test_a_label_that_is_computed_is_known_when_it_is_met():
    assert labels_of(computed) == ()


def test_a_function_without_source_has_no_known_labels():
    made = {}
    exec("def made(): reachable('never')", made)
    assert labels_of(made["made"]) == ()


def test_a_function_that_nobody_uses_is_not_read():
    assert "in a function that nobody calls" not in labels_of(uses_all)
    assert labels_of(unused) == ("in a function that nobody calls",)

"""Options in Ray's words. No cluster."""

import msgspec
import pytest

from raysim.backend import ActorOptions, CallOptions, TaskOptions
from raysim.spec.ids import named_node_id
from raysim.spec.labels import Expression, Operator, parse_selector
from raysim.spec.task import Default, InBundle, NodeAffinity, NodeLabels, Spread
from raysim_ray.options import (
    actor_keywords,
    call_keywords,
    refuse_others,
    strategy,
    task_keywords,
)


def test_task_options_are_taken_over():
    given = TaskOptions(
        num_cpus=0.5,
        num_gpus=1,
        memory=100,
        resources={"shelf": 2},
        num_returns=3,
        max_retries=-1,
        retry_exceptions=(ValueError,),
        name="sort",
        selectors=(
            parse_selector({"zone": "in(a,b)", "kind": "!old"}),
            parse_selector({"zone": "c"}),
        ),
        strategy=Spread(),
    )
    assert task_keywords(given) == {
        "num_cpus": 0.5,
        "num_gpus": 1,
        "memory": 100,
        "resources": {"shelf": 2},
        "num_returns": 3,
        "max_retries": -1,
        "retry_exceptions": [ValueError],
        "name": "sort",
        "scheduling_strategy": "SPREAD",
        "label_selector": {"zone": "in(a,b)", "kind": "!old"},
        "fallback_strategy": [{"label_selector": {"zone": "c"}}],
    }


def test_what_an_actor_was_not_given_is_left_to_ray():
    """num_cpus=None is not num_cpus=0: Ray places such an actor with a CPU, and keeps none."""
    assert actor_keywords(ActorOptions()) == {
        "max_restarts": 0,
        "max_task_retries": 0,
    }
    assert actor_keywords(ActorOptions(num_cpus=0))["num_cpus"] == 0


def test_detached_actor_of_a_namespace():
    keywords = actor_keywords(ActorOptions(name="a", namespace="b", detached=True))
    assert (keywords["name"], keywords["namespace"], keywords["lifetime"]) == ("a", "b", "detached")


def test_actor_lives_as_its_job_says_where_it_does_not_say_so_itself():
    """None is not False: Ray then looks at the job's `default_actor_lifetime`."""
    lifetimes = [
        actor_keywords(ActorOptions(detached=detached)).get("lifetime")
        for detached in (None, True, False)
    ]
    assert lifetimes == [None, "detached", "non_detached"]


def test_hidden_calls():
    hidden = {"enable_task_events": False}
    assert task_keywords(TaskOptions(hidden=True)).items() >= hidden.items()
    assert actor_keywords(ActorOptions(hidden=True)).items() >= hidden.items()
    assert call_keywords(CallOptions(hidden=True)).items() >= hidden.items()
    assert call_keywords(CallOptions(hidden=False))["enable_task_events"] is True
    assert "enable_task_events" not in call_keywords(CallOptions())


def test_name_of_a_call():
    assert call_keywords(CallOptions(name="other"))["name"] == "other"


def test_method_without_its_own_retries_has_the_actors():
    assert "max_task_retries" not in call_keywords(CallOptions())
    assert call_keywords(CallOptions(max_task_retries=0))["max_task_retries"] == 0


def test_node_affinity():
    node = named_node_id("there")
    made = strategy(NodeAffinity(node, soft=True))
    assert (made.node_id, made.soft) == (node.hex(), True)


def test_node_labels():
    hard = (Expression("zone", Operator.IN, ("a", "b")), Expression("gpu", Operator.EXISTS))
    made = strategy(NodeLabels(hard, (Expression("old", Operator.DOES_NOT_EXIST),)))
    assert [(e.key, type(e.operator).__name__) for e in (*made.hard, *made.soft)] == [
        ("zone", "In"),
        ("gpu", "Exists"),
        ("old", "DoesNotExist"),
    ]
    assert made.hard[0].operator.values == ["a", "b"]


def test_bundle_of_a_placement_group():
    made = strategy(InBundle(b"\x01" * 18, index=2), capture=True)
    assert made.placement_group.id.binary() == b"\x01" * 18
    assert made.placement_group_bundle_index == 2
    assert made.placement_group_capture_child_tasks is True


def test_bundle_captures_as_its_caller_does_where_nothing_is_said():
    """None is not False: Ray then asks the code that submits the call."""
    options = TaskOptions(strategy=InBundle(b"\x01" * 18))
    captures = task_keywords(options)["scheduling_strategy"].placement_group_capture_child_tasks
    assert captures is None


def test_default_by_name_is_not_the_absence_of_a_strategy():
    """Only the latter lets the placement group of the caller capture the call."""
    assert strategy(Default()) == "DEFAULT"
    assert strategy(None) is None


def test_unknown_strategy_is_refused_by_name():
    with pytest.raises(ValueError, match="Elsewhere"):
        strategy(msgspec.defstruct("Elsewhere", [])())


def test_option_without_translation_is_refused_by_name():
    kind = msgspec.defstruct("Options", [("num_cpus", int, 1), ("colour", str, "")])
    refuse_others(kind(num_cpus=2), {"num_cpus"}, "tasks")
    with pytest.raises(ValueError, match="colour='red' of tasks"):
        refuse_others(kind(colour="red"), {"num_cpus"}, "tasks")

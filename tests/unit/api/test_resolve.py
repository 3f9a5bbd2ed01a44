import pytest

from raysim.api.resolve import actor_options, call_options, task_options
from raysim.api.scheduling_strategies import NodeAffinitySchedulingStrategy
from raysim.backend import ActorOptions, CallOptions, TaskOptions
from raysim.spec.task import STREAMING, Default, NodeAffinity, Spread

NODE = "ab" * 28


def test_task_defaults_are_rays():
    assert task_options({}, "f", is_generator=False) == TaskOptions(
        num_cpus=1, num_returns=1, max_retries=3, retry_exceptions=False, name="f"
    )


HIDES, SHOWS = {"enable_task_events": False}, {"enable_task_events": True}


def test_all_task_options_arrive():
    given = {
        "num_cpus": 0.5,
        "num_gpus": 2,
        "memory": 1e9,
        "resources": {"shelf": 1},
        "accelerator_type": "A100",
        "num_returns": 3,
        "max_retries": -1,
        "retry_exceptions": [KeyError],
        "name": "named",
        "scheduling_strategy": "SPREAD",
        "enable_task_events": False,
    }
    assert task_options(given, "f", is_generator=False) == TaskOptions(
        num_cpus=0.5,
        num_gpus=2,
        memory=1_000_000_000,
        resources={"shelf": 1, "accelerator_type:A100": 0.001},
        num_returns=3,
        max_retries=-1,
        retry_exceptions=(KeyError,),
        name="named",
        strategy=Spread(),
        hidden=True,
    )


def test_who_hides_the_calls_of_an_actor():
    """None: as the actor."""
    assert actor_options({"enable_task_events": False}, b"").hidden
    assert not actor_options({}, b"").hidden
    shown = [call_options(given, is_generator=False).hidden for given in ({}, HIDES, SHOWS)]
    assert shown == [None, True, False]


def test_none_means_the_default():
    names = ["num_cpus", "num_gpus", "memory", "resources", "num_returns", "name"]
    assert task_options(dict.fromkeys(names), "f", is_generator=False) == TaskOptions(name="f")


def test_retries_by_environment(monkeypatch):
    monkeypatch.setenv("RAY_TASK_MAX_RETRIES", "7")
    assert task_options({}, "f", is_generator=False).max_retries == 7
    assert task_options({"max_retries": 0}, "f", is_generator=False).max_retries == 0


def test_actor_without_resources_says_so():
    """None, not zero: such an actor needs a CPU to be placed and none to live."""
    assert actor_options({}, b"meta") == ActorOptions(method_meta=b"meta")
    assert actor_options({"num_cpus": 0}, b"").num_cpus == 0


def test_detached_actor():
    options = actor_options({"lifetime": "detached", "name": "n", "namespace": "s"}, b"")
    assert (options.detached, options.name, options.namespace) == (True, "n", "s")
    assert not actor_options({"lifetime": "non_detached"}, b"").detached


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("DEFAULT", Default()),
        ("SPREAD", Spread()),
        (None, None),
        (NodeAffinitySchedulingStrategy(NODE, soft=True), NodeAffinity(b"\xab" * 28, True)),
        (NodeAffinitySchedulingStrategy(b"\xab" * 28, soft=False), NodeAffinity(b"\xab" * 28)),
    ],
)
def test_strategies(given, expected):
    options = {"scheduling_strategy": given}
    assert task_options(options, "f", is_generator=False).strategy == expected
    assert actor_options(options, b"").strategy == expected


@pytest.mark.parametrize(
    ("given", "is_generator", "expected"),
    [({}, False, 1), ({}, True, STREAMING), ({"num_returns": 2}, True, 2)],
)
def test_number_of_returns(given, is_generator, expected):
    assert task_options(given, "f", is_generator).num_returns == expected
    assert call_options(given, is_generator).num_returns == expected


def test_method_options():
    given = {"num_returns": 0, "max_task_retries": 2, "retry_exceptions": True}
    assert call_options(given, is_generator=False) == CallOptions(0, 2, True)
    assert call_options({}, is_generator=False) == CallOptions(1, None, False)


def test_what_is_for_other_hardware_is_refused_by_name():
    with pytest.raises(ValueError, match=r"enable_tensor_transport=True is not supported"):
        actor_options({"enable_tensor_transport": True}, b"")
    with pytest.raises(ValueError, match=r"tensor_transport='nccl' is not supported"):
        call_options({"tensor_transport": "nccl"}, is_generator=False)


@pytest.mark.parametrize(
    ("given", "is_async", "limit", "out_of_order"),
    [
        ({}, False, 1, False),
        ({}, True, 1000, True),
        ({"max_concurrency": 0}, False, 1, False),
        ({"max_concurrency": 1}, True, 1, True),
        ({"max_concurrency": 3}, False, 3, True),
        ({"concurrency_groups": {"io": 2}}, False, 1, False),
        ({"allow_out_of_order_execution": True}, False, 1, True),
    ],
)
def test_concurrency_of_an_actor(given, is_async, limit, out_of_order):
    """Order is kept where calls run one at a time, unless it is given up."""
    options = actor_options(given, b"", is_async)
    assert (options.max_concurrency, options.out_of_order) == (limit, out_of_order)
    assert options.concurrency_groups == given.get("concurrency_groups", {})


@pytest.mark.parametrize(
    ("groups", "error"),
    [
        ({"io": 0}, ValueError),
        ({"io": "two"}, TypeError),
        ({1: 2}, TypeError),
        (["io"], ValueError),
    ],
)
def test_groups_need_a_name_and_a_limit(groups, error):
    with pytest.raises(error, match="concurrency_groups"):
        actor_options({"concurrency_groups": groups}, b"")


def test_misspelt_option_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"num_cpu for .*Did you mean num_cpus"):
        task_options({"num_cpu": 1}, "f", is_generator=False)


def test_first_wrong_option_is_named():
    """Unknown names, types and values are checked one option after another, as Ray does."""
    with pytest.raises(TypeError, match="num_cpus"):
        task_options({"num_cpus": "1", "nonsense": 1}, "f", is_generator=False)
    with pytest.raises(ValueError, match="nonsense"):
        task_options({"nonsense": 1, "num_cpus": "1"}, "f", is_generator=False)

"""Which world `init` asks for, and how sessions begin and end."""

import json
import os
import sys

import pytest

import raysim
from raysim.api import session
from raysim.api.defaults import Defaults, set_defaults
from raysim.backend import NodeOptions
from raysim.cluster_utils import Cluster
from raysim.config import Config
from raysim.journal import Journal
from raysim.runtime.current import current, set_current


def test_one_node_like_this_machine(worlds):
    context = raysim.init()
    (node,) = worlds[0].options.nodes
    assert node.num_cpus == len(os.sched_getaffinity(0))
    assert node.memory > 0
    assert context.address_info["address"] == "fake:1"


def test_simulated_machine_has_memory_by_its_cpus_not_by_this_machines(worlds):
    raysim.init(backend="sim", num_cpus=2)
    assert worlds[0].options.nodes[0].memory == 8 * 1024**3


def test_all_of_the_head_arrives(worlds):
    raysim.init(
        num_cpus=2,
        num_gpus=1,
        resources={"shelf": 3},
        labels={"zone": "a"},
        object_store_memory=10**8,
        namespace="space",
        seed=7,
        world={"network": "free"},
        _memory=5,
        _node_name="head",
        _system_config={"max_inline_bytes": 10, "health_check_period_ms": 2},
    )
    options = worlds[0].options
    assert options.nodes == [
        NodeOptions(2, 1, 5, {"shelf": 3}, {"zone": "a"}, 10**8, "head"),
    ]
    assert (options.namespace, options.seed, options.world) == ("space", 7, {"network": "free"})
    assert options.config == Config(max_inline_bytes=10, health_check_period_ns=2_000_000)
    assert options.entrypoint == " ".join(sys.argv)


S3 = '{"type": "smart_open", "params": {"directory_path": "s3://bucket"}}'


@pytest.mark.parametrize(
    ("paths", "folders"), [("/data/a", ("/data/a",)), (["/data/a", "/b"], ("/data/a", "/b"))]
)
def test_folders_for_spilled_objects_are_given_as_to_ray(worlds, paths, folders):
    params = {"directory_path": paths, "buffer_size": 1_000_000}
    config = json.dumps({"type": "filesystem", "params": params})
    raysim.init(_system_config={"object_spilling_config": config, "min_spilling_size": 0})
    assert worlds[0].options.config == Config(
        object_spilling_directories=folders, min_spilling_size=0
    )
    raysim.shutdown()
    raysim.init(object_spilling_directory="/data/c")
    assert worlds[1].options.config == Config(object_spilling_directories=("/data/c",))


def test_nodes_by_number_and_by_list(worlds):
    raysim.init(num_cpus=2, nodes=3)
    assert [node.num_cpus for node in worlds[0].options.nodes] == [2, 2, 2]
    raysim.shutdown()
    raysim.init(nodes=[{"num_cpus": 1}, NodeOptions(num_cpus=8, num_gpus=4)])
    assert [(n.num_cpus, n.num_gpus) for n in worlds[1].options.nodes] == [(1, 0), (8, 4)]


def test_backend_by_argument_then_environment(worlds, monkeypatch):
    monkeypatch.setenv("RAYSIM_BACKEND", "from-environment")
    for given in (None, "from-argument"):
        raysim.init(backend=given)
        raysim.shutdown()
    assert worlds.backends == ["from-environment", "from-argument"]


def test_command_line_wins_over_the_program(worlds):
    journal, nodes = Journal(), [NodeOptions(num_cpus=8)] * 4
    set_defaults(Defaults("sim", nodes, 3, world={"network": "free"}, journal=journal))
    raysim.init(num_cpus=1, backend="cluster", seed=9, world={"network": "lan", "wire": True})
    options = worlds[0].options
    assert worlds.backends == ["sim"]
    assert options.nodes == nodes
    assert options.seed == 3
    assert options.world == {"network": "free", "wire": True}
    assert options.journal is journal


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"nonsense": 1}, RuntimeError, r"Unknown keyword argument\(s\): nonsense"),
        ({"local_mode": True}, RuntimeError, "backend='sim'"),
        ({"runtime_env": {"java_jars": ["x"]}}, ValueError, "java_jars"),
        ({"nodes": 0}, ValueError, "at least one node"),
        ({"nodes": []}, ValueError, "at least one node"),
        ({"num_cpus": -1}, ValueError, "num_cpus=-1"),
        ({"_system_config": 3}, TypeError, "dict"),
        ({"_system_config": {"max_inline_byte": 3}}, ValueError, "max_inline_bytes"),
        ({"_system_config": {"max_inline_bytes": "x"}}, TypeError, "max_inline_bytes"),
        ({"object_spilling_directory": 3}, ValueError, "texts, not"),
        ({"_system_config": {"object_spilling_config": "{"}}, ValueError, "is not like"),
        ({"_system_config": {"object_spilling_config": S3}}, ValueError, "smart_open"),
        (
            {
                "_system_config": {"object_spilling_config": S3},
                "object_spilling_directory": "/data",
            },
            ValueError,
            "not both",
        ),
        ({"address": "10.0.0.1:6379", "backend": "sim"}, ConnectionError, "10.0.0.1:6379"),
        ({"address": "auto", "backend": "sim"}, ConnectionError, "auto"),
        ({"address": "10.0.0.1:6379", "num_cpus": 1}, ValueError, "num_cpus cannot be given"),
        ({"address": "auto", "seed": 1}, ValueError, "seed cannot be given"),
    ],
)
def test_what_init_refuses_starts_nothing(worlds, arguments, error, text):
    with pytest.raises(error, match=text):
        raysim.init(**arguments)
    assert worlds == []
    assert not raysim.is_initialized()


@pytest.mark.parametrize(
    ("given", "environment", "joined"),
    [
        (None, {}, None),
        ("10.0.0.1:6379", {"RAY_ADDRESS": "h:1"}, "10.0.0.1:6379"),
        ("auto", {}, "auto"),
        (None, {"RAY_ADDRESS": "h:1"}, "h:1"),
        ("auto", {"RAY_ADDRESS": "h:1"}, "h:1"),
        (None, {"RAYSIM_ADDRESS": "h:2", "RAY_ADDRESS": "h:1"}, "h:2"),
        ("local", {"RAYSIM_ADDRESS": "h:2"}, None),
        (None, {"RAYSIM_ADDRESS": "local"}, None),
    ],
)
def test_a_cluster_is_joined_by_argument_or_environment(
    worlds, monkeypatch, given, environment, joined
):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    raysim.init(given)
    assert worlds[0].options.address == joined


def test_a_simulated_program_does_not_heed_the_environment(worlds, monkeypatch):
    monkeypatch.setenv("RAYSIM_ADDRESS", "h:1")
    raysim.init(backend="sim")
    assert worlds[0].options.address is None


def test_arguments_without_effect_here_are_taken(worlds):
    raysim.init(include_dashboard=False, logging_level="error", log_to_driver=True)
    assert len(worlds) == 1


def test_cluster_that_cannot_be_reached_is_stopped(worlds):
    worlds.refusing = True
    with pytest.raises(ConnectionError, match="nobody there"):
        raysim.init()
    assert worlds[0].stops == 1
    assert not raysim.is_initialized()


def test_shutdown_stops_the_world_once(worlds):
    raysim.init()
    raysim.shutdown()
    raysim.shutdown()
    assert worlds[0].stops == 1
    assert current() is None


def test_shutdown_inside_a_task_is_refused(worlds):
    """In the simulator the driver's session is there to be seen, and still is not the task's."""
    raysim.init()
    set_current(object())
    with pytest.raises(RuntimeError, match="task"):
        raysim.shutdown()
    set_current(worlds[0].backend)
    assert worlds[0].stops == 0


def test_context_manager_ends_the_session_after_an_error(worlds):
    with pytest.raises(KeyError), raysim.init():
        raise KeyError
    assert worlds[0].stops == 1


# --- cluster_utils ---


def test_cluster_starts_with_a_head_and_takes_nodes(worlds):
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 3}, backend="sim")
    assert worlds[0].options.nodes[0].num_cpus == 3
    added = cluster.add_node(resources={"disk": 1})
    assert worlds[0].added[0].resources == {"disk": 1}
    assert worlds[0].added[0].num_cpus == 1
    assert cluster.list_all_nodes() == [cluster.head_node, added]
    cluster.remove_node(added)
    assert cluster.list_all_nodes() == [cluster.head_node]
    cluster.shutdown()
    assert worlds[0].stops == 1


def test_cluster_is_joined_by_its_address(worlds):
    cluster = Cluster(initialize_head=True)
    for address in (cluster.address, "auto"):
        raysim.init(address=address)
        assert session.current_world() is worlds[0]
        raysim.shutdown()
        assert worlds[0].stops == 0
    assert worlds[0].left == 2
    cluster.shutdown()
    assert worlds[0].stops == 1


def test_each_program_on_a_cluster_says_what_is_its_own(worlds):
    cluster = Cluster(initialize_head=True)
    raysim.init(address=cluster.address, namespace="one")
    raysim.shutdown()
    cluster.connect(namespace="two")
    assert [job.namespace for job in worlds[0].jobs] == ["one", "two"]
    assert worlds[0].options.shared
    cluster.shutdown()


def test_program_that_cannot_join_leaves_the_cluster_as_it_is(worlds):
    cluster = Cluster(initialize_head=True)
    worlds[0].refuses = True
    with pytest.raises(ConnectionError, match="nobody"):
        raysim.init(address=cluster.address)
    assert not raysim.is_initialized()
    assert (worlds[0].stops, worlds[0].left) == (0, 1)
    worlds[0].refuses = False
    raysim.init(address=cluster.address)
    cluster.shutdown()


@pytest.mark.parametrize("given", [{"seed": 1}, {"world": {"network": "lan"}}])
def test_what_is_the_clusters_is_refused_when_joining(worlds, given):
    cluster = Cluster(initialize_head=True)
    with pytest.raises(ValueError, match=next(iter(given))):
        raysim.init(address=cluster.address, **given)
    cluster.shutdown()


def test_joining_with_a_description_of_a_node_is_refused(worlds):
    cluster = Cluster(initialize_head=True)
    with pytest.raises(ValueError, match="num_cpus, resources"):
        raysim.init(address=cluster.address, num_cpus=1, resources={"a": 1})
    cluster.shutdown()


def test_shutdown_of_a_cluster_ends_the_session(worlds):
    cluster = Cluster(initialize_head=True, connect=True)
    assert raysim.is_initialized()
    cluster.shutdown()
    cluster.shutdown()
    assert not raysim.is_initialized()
    assert worlds[0].stops == 1


def test_head_is_not_removed(worlds):
    cluster = Cluster(initialize_head=True)
    with pytest.raises(ValueError, match="head"):
        cluster.remove_node(cluster.head_node)
    cluster.shutdown()


def test_empty_cluster_is_not_connected(worlds):
    with pytest.raises(RuntimeError, match="head"):
        Cluster(connect=True)
    with pytest.raises(RuntimeError, match="head"):
        Cluster().connect()

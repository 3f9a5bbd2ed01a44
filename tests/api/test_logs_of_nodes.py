"""Logs of other nodes than the program's own, by `ray.util.state`."""

import pytest

from tests.api.conftest import JUDGE, ON_RAY
from tests.api.state_rig import eventually, state_of


@pytest.fixture
def printed(cluster, lib, backend):
    """A node, and a task of its that has printed something."""
    if backend in (ON_RAY, JUDGE):
        pytest.skip("its agents on nodes that joined a cluster in one process hand out no logs")
    added = cluster.add_node(num_cpus=1, resources={"there": 1})

    @lib.remote(resources={"there": 1})
    def say():
        print("from afar", flush=True)
        return lib.get_runtime_context().get_task_id()

    return added, lib.get(say.remote(), timeout=60)


def test_what_a_task_printed_on_another_node(lib, printed):
    state, (added, task_id) = state_of(lib), printed
    text = eventually(lambda: "".join(state.get_log(task_id=task_id)))
    assert text == "from afar\n"
    [name] = state.list_logs(node_id=added.node_id, glob_filter="*worker*.out")["worker_out"]
    assert list(state.get_log(node_id=added.node_id, filename=name)) == ["from afar\n"]


def test_a_node_that_is_gone_has_left_its_logs_on_this_machine(cluster, lib, printed):
    state, (added, _) = state_of(lib), printed
    [name] = state.list_logs(node_id=added.node_id, glob_filter="*worker*.out")["worker_out"]
    cluster.remove_node(added)
    eventually(lambda: state.get_node(added.node_id), lambda node: node.state == "DEAD")
    assert list(state.get_log(node_id=added.node_id, filename=name)) == ["from afar\n"]

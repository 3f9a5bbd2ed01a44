"""Log files of a session, by `raysim.util.state`."""

import pytest

import raysim
from raysim.util import state
from raysim.util.state.exception import RayStateApiException


@pytest.fixture(scope="module")
def node_id():
    raysim.init(backend="cluster", num_cpus=1)
    yield raysim.get_runtime_context().get_node_id()
    raysim.shutdown()


def test_the_log_of_a_node_is_there(node_id):
    found = state.list_logs(node_id=node_id)
    [name] = found["raylet"]
    assert name == f"node-{node_id[:12]}.log"
    assert b"".join(state.get_log(node_id=node_id, filename=name, encoding=None)) == b""


def test_a_file_outside_of_the_session_is_no_log(node_id):
    with pytest.raises(RayStateApiException, match=r"no log file '\.\./\.\./etc/passwd'"):
        list(state.get_log(node_id=node_id, filename="../../etc/passwd"))


@pytest.mark.parametrize("unknown", ["00" * 28, "no id"])
def test_a_node_that_never_was_is_said_to_be_none(node_id, unknown):
    with pytest.raises(RayStateApiException, match="There is no node"):
        state.list_logs(node_id=unknown)

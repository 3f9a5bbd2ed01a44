"""What simulated processes printed is kept, the latest part of it."""

from types import SimpleNamespace

import pytest

from raysim.spec.log import worker_file
from raysim_sim import logs
from raysim_sim.logs import LogsOfNode, SimLogs
from tests.unit.protocol.fake_host import address

HOST = SimpleNamespace(address=address("worker", "one"), pid=7)
NODE = HOST.address.node_id.hex()
WORKER = HOST.address.worker_id.hex()
MUCH = 1 << 20


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(logs, "KEPT_BYTES", 10)
    kept = SimLogs()
    kept.add(HOST, 0, "12345\n")
    return kept


def test_a_log_has_the_name_of_its_process(kept):
    kept.add(HOST, 1, "oh\n")
    names = [worker_file(WORKER, 7, suffix) for suffix in ("err", "out")]
    assert kept.names(NODE) == LogsOfNode(kept, NODE).names() == names
    assert kept.names("00" * 28) == []


def test_who_follows_a_log_misses_nothing_that_is_kept(kept):
    [name] = kept.names(NODE)
    seen = kept.read(NODE, name, 0, MUCH)
    assert seen == (b"12345\n", 0, 6)
    kept.add(HOST, 0, "67890\n")
    assert kept.read(NODE, name, seen.end, MUCH).data == b"67890\n"
    assert kept.read(NODE, name, 0, MUCH) == (b"345\n67890\n", 2, 12)
    assert kept.read(NODE, name, 12, MUCH).data == b""


def test_a_part_of_a_log(kept):
    [name] = kept.names(NODE)
    node = LogsOfNode(kept, NODE)
    assert node.read(name, 1, 2) == (b"23", 1, 6)
    assert node.read(name, -3, MUCH) == (b"45\n", 3, 6)
    assert node.read(name, -30, MUCH) == (b"12345\n", 0, 6)


def test_a_log_that_is_not_there(kept):
    assert LogsOfNode(kept, NODE).read("raylet.out", 0, MUCH) is None
    assert kept.read("00" * 28, kept.names(NODE)[0], 0, MUCH) is None

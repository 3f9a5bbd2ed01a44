"""What simulated processes printed is kept, the latest part of it."""

from types import SimpleNamespace

import pytest

from raysim_sim import logs
from raysim_sim.logs import SimLogs
from tests.unit.protocol.fake_host import address

HOST = SimpleNamespace(address=address("worker", "one"), pid=7)
NODE = HOST.address.node_id.hex()
WORKER = HOST.address.worker_id.hex()


@pytest.fixture
def kept(monkeypatch):
    monkeypatch.setattr(logs, "KEPT_BYTES", 10)
    kept = SimLogs()
    kept.add(HOST, 0, "12345\n")
    return kept


def test_a_log_has_the_name_of_its_process(kept):
    kept.add(HOST, 1, "oh\n")
    name = f"worker-{WORKER}-7"
    assert kept.names(NODE) == [f"{name}.err", f"{name}.out"]
    assert kept.of_worker(NODE, WORKER, 7, "err") == f"{name}.err"
    assert kept.names("00" * 28) == []


def test_who_follows_a_log_misses_nothing_that_is_kept(kept):
    [name] = kept.names(NODE)
    seen = kept.read(NODE, name, 0)
    assert seen == b"12345\n"
    kept.add(HOST, 0, "67890\n")
    assert kept.read(NODE, name, len(seen)) == b"67890\n"
    assert kept.read(NODE, name, 0) == b"345\n67890\n"
    assert kept.read(NODE, name, 12) == b""


def test_a_log_that_is_not_there(kept):
    with pytest.raises(FileNotFoundError, match=f"it has: worker-{WORKER}-7.out"):
        kept.read(NODE, "raylet.out", 0)
    with pytest.raises(FileNotFoundError, match="printed nothing"):
        kept.of_worker(NODE, WORKER, 8, "out")

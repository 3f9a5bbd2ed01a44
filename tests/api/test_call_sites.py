"""Where references are made, where that is noted. Of Ray's own answers test_util_state_tasks holds `disabled`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import raysim
from raysim.util import state

OWN = ("sim", "cluster")


@pytest.fixture
def lib(backend: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    if backend not in OWN:
        pytest.skip("Ray reads its switch when it is imported")
    monkeypatch.setenv("RAYSIM_RECORD_CALL_SITES", "1")
    raysim.init(num_cpus=2, backend=backend)
    yield raysim
    raysim.shutdown()


def sites() -> dict[str, str]:
    return {row.object_id: row.call_site for row in state.list_objects(detail=True)}


def made_here(lib):
    return lib.put(1)


def test_each_reference_names_the_line_that_made_it(lib):
    @lib.remote(num_cpus=0)
    def work(value):
        return value

    @lib.remote(num_cpus=0)
    class Counter:
        def call(self):
            return lib.put(bytes(200_000))

    actor = Counter.remote()
    put, task, call = made_here(lib), work.remote(1), actor.call.remote()
    inner = lib.get(call)
    lib.get(task)
    found = sites()
    line = made_here.__code__.co_firstlineno + 1
    assert found[put.hex()] == f"(put object) | {__file__}:made_here:{line}"
    assert put.call_site() == found[put.hex()]
    name = "test_each_reference_names_the_line_that_made_it"
    assert found[task.hex()].startswith(f"(task call) | {__file__}:{name}:")
    assert found[call.hex()].startswith(f"(actor call) | {__file__}:{name}:")
    assert f"(actor creation) | {__file__}:{name}:" in {
        s.rpartition(":")[0] + ":" for s in found.values()
    }
    by_owner = {
        row.call_site for row in state.list_objects(detail=True) if row.object_id == inner.hex()
    }
    assert any(Path(__file__).name in site and ":call:" in site for site in by_owner)


def test_without_it_nothing_is_wrapped(backend):
    if backend not in OWN:
        pytest.skip("raysim's own processes")
    raysim.init(num_cpus=1, backend=backend)
    try:
        worker = raysim.api.session.connected()
        assert worker.put.__func__ is type(worker.values).put
        ref = raysim.put(1)
        assert sites()[ref.hex()] == "disabled"
        assert ref.call_site() == ""
    finally:
        raysim.shutdown()

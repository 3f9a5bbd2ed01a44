"""What starts a session by itself, and what wants one to be there."""

import pytest

from tests.api.conftest import JUDGE, ON_RAY


@pytest.fixture
def unstarted(backend, lib, shared_ray, monkeypatch):
    """The library without a session; one that starts by itself is on the backend under test."""
    if backend != JUDGE:
        monkeypatch.setenv("RAYSIM_BACKEND", backend)
    if backend in (ON_RAY, JUDGE):
        monkeypatch.setenv("RAY_ADDRESS", shared_ray())
    assert not lib.is_initialized()
    yield lib
    lib.shutdown()


@pytest.mark.parametrize("what", ["task", "actor", "put", "wait", "context"])
def test_what_starts_a_session(unstarted, what):
    ray = unstarted

    @ray.remote
    def task():
        return 1

    @ray.remote
    class Actor:
        def read(self):
            return 1

    begin = {
        "task": lambda: ray.get(task.remote()) == 1,
        "actor": lambda: ray.get(Actor.remote().read.remote()) == 1,
        "put": lambda: ray.get(ray.put(1)) == 1,
        "wait": lambda: ray.wait([]) == ([], []),
        "context": lambda: len(ray.get_runtime_context().get_job_id()) == 8,
    }
    assert begin[what]()
    assert ray.is_initialized()


@pytest.mark.parametrize("what", ["nodes", "cluster_resources", "available_resources"])
def test_what_wants_a_session(unstarted, what):
    with pytest.raises(unstarted.exceptions.RaySystemError, match="not been started"):
        getattr(unstarted, what)()
    assert not unstarted.is_initialized()


def test_timeline_wants_a_session(unstarted):
    with pytest.raises(RuntimeError, match="not been started"):
        unstarted.timeline()
    assert not unstarted.is_initialized()


def test_decorating_starts_nothing(unstarted):
    @unstarted.remote
    def task():
        return 1

    task.options(num_cpus=2)
    assert not unstarted.is_initialized()


def test_no_session_starts_where_the_environment_forbids_it(unstarted, backend, monkeypatch):
    if backend == JUDGE:
        pytest.skip("Ray reads the variable once, when it is imported")
    monkeypatch.setenv("RAY_ENABLE_AUTO_CONNECT", "0")
    with pytest.raises(unstarted.exceptions.RaySystemError):
        unstarted.put(1)
    assert not unstarted.is_initialized()

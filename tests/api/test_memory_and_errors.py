"""Objects and errors in sessions of their own, set up for it."""

import time

import pytest

from raysim.internal import free


def test_freeing_makes_room(backend, fresh):
    if backend not in ("sim", "cluster"):
        pytest.skip("Ray 2.60 cannot free objects by hand")
    ray = fresh(num_cpus=1, object_store_memory=100_000_000)
    refs = []
    for _ in range(3):
        refs.append(ray.put(bytes(60_000_000)))
        free(refs[-1])
    assert len(refs) == 3


@pytest.mark.parametrize("ignored", [True, False], ids=["ignored", "said"])
def test_errors_can_be_ignored(monkeypatch, fresh, said, ignored):
    if ignored:
        monkeypatch.setenv("RAY_IGNORE_UNHANDLED_ERRORS", "1")
    ray = fresh()

    @ray.remote
    def bad():
        raise ValueError("bad")

    with pytest.raises(ValueError, match="bad"):
        ray.get(bad.remote())  # From now on there is a worker.
    bad.remote()
    time.sleep(1)
    assert said(within=1 if ignored else 60) != ignored

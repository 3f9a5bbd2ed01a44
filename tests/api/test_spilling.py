"""More objects than the node's store has room for. Ray is no judge here: its stores have 75 MB at least."""

import gc
import time
import zlib

import numpy
import pytest

from raysim.internal.internal_api import memory_summary
from tests.api.patience import until

MB = 1_000_000
SIZE = 2 * MB
STORE = 20 * MB


@pytest.fixture(autouse=True)
def not_on_ray(backend):
    if backend not in ("sim", "cluster"):
        pytest.skip("how raysim spills")


@pytest.fixture
def small(fresh):
    """A node with a store of 20 MB, and files of 4 MB."""

    def start(**options):
        config = {"min_spilling_size": 4 * MB, **options.pop("_system_config", {})}
        return fresh(object_store_memory=STORE, _system_config=config, **options)

    return start


def content(number, size=SIZE):
    return numpy.random.default_rng(number).integers(0, 256, size, numpy.uint8)


def checksum(array):
    return zlib.crc32(array)


def stats(ray, name):
    return sum(node["ObjectStore"][name] for node in ray.nodes())


def test_four_times_the_store_is_put_and_read_back_as_it_was(small):
    ray = small()
    sums = [checksum(content(number)) for number in range(40)]
    refs = [ray.put(content(number)) for number in range(40)]
    assert [checksum(ray.get(ref)) for ref in refs] == sums
    assert [checksum(ray.get(ref)) for ref in reversed(refs)] == sums[::-1]
    until(lambda: stats(ray, "bytes_restored") >= 4 * STORE)
    assert stats(ray, "bytes_spilled") >= 3 * STORE


def test_tasks_return_and_take_four_times_the_store(small):
    ray = small()

    @ray.remote
    def make(number):
        return content(number)

    @ray.remote
    def total(*arrays):
        return [checksum(array) for array in arrays]

    refs = [make.remote(number) for number in range(40)]
    pairs = [total.remote(*refs[at : at + 2]) for at in range(0, 40, 2)]
    sums = [one for pair in ray.get(pairs) for one in pair]
    assert sums == [checksum(content(number)) for number in range(40)]


def test_a_view_that_somebody_has_stays_where_it_is(small):
    """It is memory of the store: what was written over it would be seen."""
    ray = small()
    held = [ray.get(ray.put(content(number))) for number in range(3)]
    refs = [ray.put(content(number)) for number in range(3, 30)]
    until(lambda: stats(ray, "bytes_spilled") > 0)
    assert [checksum(array) for array in held] == [checksum(content(n)) for n in range(3)]
    assert all(not array.flags.owndata for array in held)
    assert [checksum(ray.get(ref)) for ref in refs[:3]] == [checksum(content(n)) for n in (3, 4, 5)]


def test_tasks_whose_arguments_fit_alone_but_not_together_run_one_after_another(small):
    """Each has pinned what the other waits for room for."""
    ray = small()

    @ray.remote
    def count(*arrays):
        return sum(len(array) for array in arrays)

    size = MB
    refs = [ray.put(content(number, size)) for number in range(60)]
    cold, warm = refs[:12], refs[-14:]
    pair = [count.remote(*cold), count.remote(*warm, *refs[20:24])]
    assert ray.get(pair) == [12 * size, 18 * size]


def test_arguments_that_never_fit_are_an_error(small):
    ray = small()

    @ray.remote
    def count(*arrays):
        return len(arrays)

    refs = [ray.put(content(number, MB)) for number in range(25)]
    with pytest.raises(ray.exceptions.ObjectStoreFullError):
        ray.get(count.remote(*refs))


def test_a_get_of_more_than_the_store_has_is_an_error_and_nothing_is_lost(small):
    ray = small(_system_config={"store_full_timeout_ms": 200})
    refs = [ray.put(content(number)) for number in range(12)]
    with pytest.raises(ray.exceptions.ObjectStoreFullError):
        ray.get(refs)
    gc.collect()
    assert [checksum(ray.get(ref)) for ref in refs] == [checksum(content(n)) for n in range(12)]


def test_what_is_on_disk_is_ready(small):
    ray = small()
    refs = [ray.put(content(number)) for number in range(30)]
    ready, others = ray.wait(refs, num_returns=30, timeout=60)
    assert (ready, others) == (refs, [])


def test_a_summary_of_memory_tells_what_was_spilled_and_restored(small):
    ray = small()
    refs = [ray.put(content(number)) for number in range(20)]
    # Which of them are in memory by now depends on whose file was written first.
    assert [checksum(ray.get(ref)) for ref in refs] == [checksum(content(n)) for n in range(20)]
    until(lambda: min(stats(ray, "objects_spilled"), stats(ray, "objects_restored")) >= 10)

    def told():
        text = memory_summary(stats_only=True)
        spilled, restored = stats(ray, "objects_spilled"), stats(ray, "objects_restored")
        read = f"Restored {restored * SIZE >> 20} MiB, {restored} objects, avg read throughput"
        return f"{spilled} objects, avg write throughput" in text and read in text

    until(told)
    lines = [line for line in memory_summary(units="MB").splitlines() if refs[0].hex() in line]
    assert len(lines) == 1
    assert "LOCAL_REFERENCE" in lines[0]
    assert memory_summary(num_entries=3).count("LOCAL_REFERENCE") == 3


def test_a_summary_of_memory_is_in_units_that_there_are(small):
    small()
    with pytest.raises(ValueError, match="'TB' is none of B, KB, MB, GB"):
        memory_summary(units="TB")


def test_what_is_let_go_is_off_the_disk(small):
    ray = small()
    refs = [ray.put(content(number)) for number in range(30)]
    until(lambda: stats(ray, "bytes_on_disk") > 0)
    kept = refs.pop()
    del refs
    gc.collect()
    until(lambda: stats(ray, "bytes_on_disk") <= 3 * SIZE)
    assert checksum(ray.get(kept)) == checksum(content(29))


def test_views_that_fill_the_store_are_an_error_that_names_them(small):
    ray = small(_system_config={"store_full_timeout_ms": 100})
    refs = [ray.put(content(number)) for number in range(9)]
    held = [ray.get(ref) for ref in refs]
    with pytest.raises(ray.exceptions.ObjectStoreFullError) as caught:
        ray.put(content(9))
    assert any(f"object {ref.hex()}, 2 MB" in str(caught.value) for ref in refs)
    assert "in use by process" in str(caught.value)
    del held
    gc.collect()
    assert checksum(ray.get(ray.put(content(10)))) == checksum(content(10))


def test_a_quota_is_an_error_of_the_disk_and_nothing_is_lost(small):
    ray = small(
        _system_config={"store_full_timeout_ms": 200, "object_spilling_quota_bytes": 10 * MB}
    )
    refs = []

    def fill():
        while len(refs) < 30:
            refs.append(ray.put(content(len(refs))))

    with pytest.raises(ray.exceptions.OutOfDiskError, match="object_spilling_quota_bytes"):
        fill()
    assert len(refs) >= 12
    del refs[-3:]  # Of those in memory, so that there is room to read the others.
    gc.collect()
    sums = [checksum(content(number)) for number in range(len(refs))]
    assert [checksum(ray.get(ref)) for ref in refs] == sums


def test_a_task_that_cannot_store_what_it_returns_says_so(small):
    ray = small(_system_config={"store_full_timeout_ms": 200, "object_spilling_quota_bytes": MB})

    @ray.remote
    def make():
        return content(0)

    refs = [ray.put(content(number)) for number in range(9)]
    with pytest.raises(ray.exceptions.OutOfDiskError):
        ray.get(make.remote())
    assert checksum(ray.get(refs[0])) == checksum(content(0))


def test_nothing_is_spilled_where_that_is_switched_off(small):
    ray = small(
        _system_config={"automatic_object_spilling_enabled": False, "store_full_timeout_ms": 200}
    )
    refs = [ray.put(content(number)) for number in range(9)]
    with pytest.raises(ray.exceptions.ObjectStoreFullError):
        ray.put(content(9))
    assert stats(ray, "bytes_spilled") == 0
    assert len(refs) == 9


def test_objects_of_other_nodes_are_read_from_their_disks(small):
    ray = small(nodes=2, num_cpus=1)

    @ray.remote(scheduling_strategy="SPREAD")
    def make(number):
        time.sleep(0.05)
        return content(number)

    @ray.remote(scheduling_strategy="SPREAD")
    def read(array):
        return checksum(array)

    refs = [make.remote(number) for number in range(30)]
    sums = [checksum(content(number)) for number in range(30)]
    assert ray.get([read.remote(ref) for ref in refs]) == sums
    assert [checksum(ray.get(ref)) for ref in refs] == sums

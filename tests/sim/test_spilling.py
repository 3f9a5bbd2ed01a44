"""Objects on the disks of simulated nodes: what they cost, and what becomes of them when a disk is bad."""

import time

import numpy
import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.checks.ledger import AT_REST, EMPTY, Ledger
from raysim.faults import parse_fault
from raysim.journal import ObjectGone, ObjectRebuilt, ObjectRestored, ObjectsSpilled

MB = 1_000_000
SMALL = {"min_spilling_size": 2 * MB}


@pytest.fixture
def start(init):
    """A cluster with stores of 10 MB, watched by all checks; at its end nothing may be left on a disk."""

    def begin(*faults, nodes=1, **options):
        world = {"faults": [parse_fault(text) for text in faults], **options.pop("world", {})}
        config = {**SMALL, **options.pop("_system_config", {})}
        journal = init(
            nodes=nodes,
            cpus=1,
            object_store_memory=10 * MB,
            _system_config=config,
            world=world,
            **options,
        )
        Ledger(current_world()).watch(1)
        return journal

    yield begin
    world = current_world()
    world.converge(300)
    time.sleep(100)  # Until a node that was lost is known to be.
    assert Ledger(world).at(EMPTY) == []


def content(number, size=MB):
    return numpy.full(size, number, numpy.uint8)


def puts(count):
    return [ray.put(content(number)) for number in range(count)]


def end_of(ref):
    """The first number in it, or why it is lost."""
    try:
        return int(ray.get(ref)[0])
    except ray.exceptions.ObjectLostError as error:
        return str(error)


def on_disk(node=0):
    return current_world().nodes[node].disk.numbers()


@ray.remote
def make(number, size=MB):
    return content(number, size)


@ray.remote
def first(array):
    return int(array[0])


def test_four_times_the_store_is_put_and_read_back(start):
    journal = start()
    refs = puts(40)
    assert [int(ray.get(ref)[-1]) for ref in refs] == list(range(40))
    assert len(journal.notes(ObjectsSpilled)) >= 14
    assert len(journal.notes(ObjectRestored)) >= 30
    assert Ledger(current_world()).at(AT_REST) == []


def test_writing_takes_the_time_that_the_disk_needs(start):
    start(world={"network": {"disk_bandwidth": "1MB/s"}})
    begun = time.time()
    refs = puts(20)
    assert time.time() - begun == pytest.approx(10, abs=2.1)
    begun = time.time()
    assert int(ray.get(refs[0])[0]) == 0
    assert time.time() - begun > 1
    del refs


def test_results_of_tasks_are_spilled(start):
    start(nodes=2)
    refs = [make.remote(number) for number in range(30)]
    assert ray.get([first.remote(ref) for ref in refs]) == list(range(30))
    assert on_disk(0) or on_disk(1)


def test_a_reader_on_another_node_is_served_from_disk(start):
    journal = start(nodes=2)
    held = content(0, 1)
    here = [ray.put(content(number)) for number in range(20)]
    spilled = [ref for ref in here if ref.hex() not in _in_memory(0)]
    assert spilled
    far = first.options(scheduling_strategy="SPREAD")
    assert ray.get([far.remote(ref) for ref in spilled[:6]]) == [
        int(ray.get(r)[0]) for r in spilled[:6]
    ]
    assert journal.notes(ObjectsSpilled)
    assert len(held) == 1


def _in_memory(node):
    objects = current_world().nodes[node].raylet.store.objects.values()
    return {one.object_id.hex() for one in objects if one.handle >= 0}


# --- a disk that is full, or slow ---


def test_a_full_disk_is_a_typed_error_and_nothing_is_lost(start):
    start("fill_disk(at=0, node=0, lasting=none)")
    time.sleep(1)
    refs = puts(9)
    with pytest.raises(ray.exceptions.OutOfDiskError, match=r"its disk is 100\.0% full"):
        ray.put(content(9))
    assert [int(ray.get(ref)[0]) for ref in refs] == list(range(9))
    del refs
    assert int(ray.get(ray.put(content(11)))[0]) == 11


def test_a_put_goes_on_once_the_disk_has_room(start):
    start("fill_disk(at=0, node=0, lasting=5s)")
    time.sleep(1)
    refs = puts(9)
    begun = time.time()
    refs.append(ray.put(content(9)))
    assert 3 < time.time() - begun < 6
    assert [int(ray.get(ref)[0]) for ref in refs] == list(range(10))


def test_a_disk_that_fills_while_a_file_is_written_loses_nothing(start):
    start("slow_disk(at=0, factor=100)", "fill_disk(at=200ms, node=0, lasting=3s)")
    refs = puts(12)
    assert [int(ray.get(ref)[0]) for ref in refs] == list(range(12))


def test_a_put_waits_for_a_slow_disk_longer_than_for_nothing(start):
    start("slow_disk(at=0, node=0, factor=3000)")
    time.sleep(1)
    refs = puts(11)
    assert time.time() > 10, "the time that a put waits for readers to let go"
    assert [int(ray.get(ref)[0]) for ref in refs[:2]] == [0, 1]


# --- files that are lost, or wrong ---


@pytest.mark.parametrize("fault", ["lose_spilled", "corrupt_spilled"])
def test_what_a_task_made_is_made_again(start, fault):
    journal = start(*[f"{fault}(at=objects_spilled*1+1ms, node=0)"] * 3)
    refs = [make.remote(number) for number in range(20)]
    assert ray.get([first.remote(ref) for ref in refs]) == list(range(20))
    assert [int(ray.get(ref)[0]) for ref in refs] == list(range(20))
    assert journal.notes(ObjectRebuilt)


@pytest.mark.parametrize(
    ("fault", "why"),
    [("lose_spilled", "could not be read"), ("corrupt_spilled", "is corrupt")],
)
def test_what_was_put_is_a_typed_error_that_says_why(start, fault, why):
    journal = start(*[f"{fault}(at=objects_spilled*1+1ms, node=0)"] * 3)
    refs = puts(20)
    ends = [end_of(ref) for ref in refs]
    errors = [end for end in ends if isinstance(end, str)]
    assert 1 <= len(errors) <= 6
    assert all(why in error for error in errors)
    assert all(end == number for number, end in enumerate(ends) if end not in errors)
    assert len(journal.notes(ObjectGone)) == len(errors)


def test_what_is_corrupt_is_no_argument_of_a_task_elsewhere(start):
    start("corrupt_spilled(at=objects_spilled*1+1ms, node=0)", nodes=2)
    refs = puts(20)
    away = first.options(scheduling_strategy="SPREAD", max_retries=0)
    ends = []
    for ref in refs:
        try:
            ends.append(ray.get(away.remote(ref)))
        except ray.exceptions.ObjectLostError:
            ends.append(None)
    assert ends.count(None) == 1
    assert all(end in (number, None) for number, end in enumerate(ends))


def test_a_node_that_is_lost_takes_its_files_with_it(start):
    start("kill_node(at=objects_spilled*2+1ms, node=1)", nodes=2)
    far = make.options(scheduling_strategy="SPREAD", max_retries=-1)
    refs = [far.remote(number) for number in range(30)]
    assert ray.get([first.options(max_retries=-1).remote(ref) for ref in refs]) == list(range(30))


# --- freed ---


def test_files_go_with_their_objects(start):
    start()
    refs = puts(30)
    assert on_disk()
    del refs
    time.sleep(1)
    assert on_disk() == []


def test_what_a_job_put_is_off_the_disk_when_it_ends(start):
    start()

    @ray.remote
    def worker():
        return [ray.put(content(number)) for number in range(20)]

    kept = ray.get(worker.remote())
    assert on_disk()
    del kept
    time.sleep(2)
    assert on_disk() == []


# --- the same, whatever the order ---


@pytest.mark.parametrize("seed", range(6))
def test_rare_branches_and_any_order_give_the_same_values(start, seed):
    start(
        "lose_spilled(at=objects_spilled*3+1ms)",
        "corrupt_spilled(at=objects_spilled*5+1ms)",
        "slow_disk(at=1s, factor=20, lasting=2s)",
        "fill_disk(at=2s, lasting=1s)",
        nodes=2,
        seed=seed,
        world={"order": "random", "buggify": True},
        _system_config={"object_spilling_threshold": 0.2, "min_spilling_size": MB // 2},
    )
    refs = [make.options(max_retries=-1).remote(number) for number in range(16)]
    sums = [first.options(max_retries=-1).remote(ref) for ref in refs]
    assert ray.get(sums) == list(range(16))
    assert [int(ray.get(ref)[0]) for ref in refs] == list(range(16))

"""`ray.util.queue.Queue`: a queue between processes."""

import asyncio
import queue as standard
import time
from importlib import import_module
from itertools import chain

import pytest

SOON_S = 0.05


@pytest.fixture(scope="module")
def module(ray):
    return import_module(f"{ray.__name__}.util.queue")


@pytest.fixture
def make(module):
    made = []

    def make(*args, **kwargs):
        made.append(module.Queue(*args, **kwargs))
        return made[-1]

    yield make
    for queue in made:
        queue.shutdown(force=True)


@pytest.fixture
def queue(make):
    return make(2)


def test_first_in_first_out(make):
    queue = make()
    for item in ("a", "b", "c"):
        queue.put(item)
    assert [queue.get() for _ in range(3)] == ["a", "b", "c"]


def test_sizes(queue):
    assert (queue.empty(), queue.full(), queue.size(), queue.qsize(), len(queue)) == (
        True,
        False,
        0,
        0,
        0,
    )
    queue.put(1)
    assert (queue.empty(), queue.full(), queue.size(), queue.qsize(), len(queue)) == (
        False,
        False,
        1,
        1,
        1,
    )
    queue.put(2)
    assert queue.full()
    assert queue.maxsize == 2


@pytest.mark.parametrize("maxsize", [0, -1])
def test_without_a_size_it_is_never_full(make, maxsize):
    queue = make(maxsize)
    for item in range(20):
        queue.put_nowait(item)
    assert not queue.full()


def test_a_full_queue_takes_nothing(module, queue):
    queue.put_nowait_batch([1, 2])
    for put in (
        lambda: queue.put_nowait(3),
        lambda: queue.put(3, block=False),
        lambda: queue.put(3, timeout=SOON_S),
    ):
        with pytest.raises(module.Full) as caught:
            put()
        assert isinstance(caught.value, standard.Full)
    assert queue.size() == 2


def test_an_empty_queue_gives_nothing(module, queue):
    for get in (
        lambda: queue.get_nowait(),
        lambda: queue.get(block=False),
        lambda: queue.get(timeout=SOON_S),
    ):
        with pytest.raises(module.Empty) as caught:
            get()
        assert isinstance(caught.value, standard.Empty)


def test_a_negative_timeout_is_refused(queue):
    with pytest.raises(ValueError, match="non-negative"):
        queue.put(1, timeout=-1)
    with pytest.raises(ValueError, match="non-negative"):
        queue.get(timeout=-1)


def test_a_timeout_does_not_matter_without_blocking(queue):
    queue.put(1, block=False, timeout=-1)
    assert queue.get(block=False, timeout=-1) == 1


def test_a_batch_is_put_whole_or_not_at_all(module, queue):
    queue.put(1)
    with pytest.raises(module.Full):
        queue.put_nowait_batch([2, 3])
    assert queue.size() == 1
    queue.put_nowait_batch([2])
    queue.put_nowait_batch([])
    assert queue.get_nowait_batch(2) == [1, 2]


def test_a_batch_is_taken_whole_or_not_at_all(module, queue):
    queue.put(1)
    with pytest.raises(module.Empty):
        queue.get_nowait_batch(2)
    assert queue.get_nowait_batch(0) == []
    assert queue.get_nowait_batch(1) == [1]


def test_what_is_no_batch(queue):
    with pytest.raises(TypeError, match="items"):
        queue.put_nowait_batch(1)
    with pytest.raises(TypeError, match="num_items"):
        queue.get_nowait_batch("1")
    with pytest.raises(ValueError, match="num_items"):
        queue.get_nowait_batch(-1)


def test_get_waits_for_what_another_process_puts(ray, queue):
    @ray.remote
    def put_later():
        time.sleep(SOON_S)
        queue.put("late")

    ref = put_later.remote()
    assert queue.get(timeout=60) == "late"
    ray.get(ref)


def test_put_waits_for_room(ray, queue):
    @ray.remote
    def take_later():
        time.sleep(SOON_S)
        return queue.get()

    queue.put_nowait_batch([1, 2])
    ref = take_later.remote()
    queue.put(3, timeout=60)
    assert ray.get(ref) == 1
    assert queue.get_nowait_batch(2) == [2, 3]


def test_a_copy_is_the_same_queue(ray, make):
    queue = make()

    @ray.remote
    def answer(queue):
        queue.put(queue.get() + 1)
        return queue.size()

    queue.put(1)
    assert ray.get(answer.remote(queue)) == 1
    assert queue.get() == 2


def test_many_producers_and_consumers(ray, make):
    queue = make(3)

    @ray.remote(num_cpus=0.25)
    def produce(first):
        for item in range(first, first + 10):
            queue.put(item)

    @ray.remote(num_cpus=0.25)
    def consume():
        return [queue.get() for _ in range(10)]

    producing = [produce.remote(first) for first in (0, 100)]
    consumed = ray.get([consume.remote() for _ in range(2)])
    ray.get(producing)
    assert sorted(chain.from_iterable(consumed)) == [*range(10), *range(100, 110)]
    assert all(
        sorted(one for one in items if one // 100 == of)
        == [one for one in items if one // 100 == of]
        for items in consumed
        for of in (0, 1)
    )


def test_coroutines(module, make):
    async def use(queue):
        await queue.put_async(1)
        with pytest.raises(module.Full):
            await queue.put_async(2, block=False)
        with pytest.raises(module.Full):
            await queue.put_async(2, timeout=SOON_S)
        with pytest.raises(ValueError, match="non-negative"):
            await queue.put_async(2, timeout=-1)
        assert await queue.get_async() == 1
        with pytest.raises(module.Empty):
            await queue.get_async(block=False)
        with pytest.raises(module.Empty):
            await queue.get_async(timeout=SOON_S)
        with pytest.raises(ValueError, match="non-negative"):
            await queue.get_async(timeout=-1)
        return "done"

    assert asyncio.run(use(make(1))) == "done"


def test_items_are_copies(make):
    queue = make()
    item = [1]
    queue.put(item)
    item.append(2)
    assert queue.get() == [1]


def test_references_pass_through(ray, make):
    queue = make()
    queue.put([ray.put("inside")])
    assert ray.get(queue.get()[0]) == "inside"


def test_options_of_the_actor(ray, make):
    queue = make(actor_options={"name": "jobs", "num_cpus": 0})
    assert ray.get_actor("jobs") == queue.actor


@pytest.mark.parametrize("force", [False, True])
def test_after_shutdown_there_is_no_queue(ray, module, force):
    queue = module.Queue()
    actor = queue.actor
    queue.shutdown(force=force)
    assert queue.actor is None
    with pytest.raises(AttributeError):
        queue.size()
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(actor.qsize.remote(), timeout=10)
    queue.shutdown()

"""Threads, locks, queues and pools of simulated programs."""

import concurrent.futures
import queue
import threading
import time

import pytest

import raysim as ray

BEFORE_ANY_WORLD = threading.Lock()
QUEUE_BEFORE_ANY_WORLD = queue.Queue()


def test_a_thread_sleeps_in_virtual_time_and_is_joined(init):
    init()
    seen = []
    thread = threading.Thread(target=lambda: (time.sleep(50), seen.append(time.monotonic())))
    begin = time.monotonic()
    thread.start()
    assert thread.is_alive()
    assert thread.ident != threading.get_ident()
    thread.join(10)
    assert thread.is_alive()
    thread.join()
    assert not thread.is_alive()
    assert seen[0] - begin == pytest.approx(50, abs=0.01)


def test_a_thread_that_has_ended_has_ended_after_the_world_too(init):
    init()
    thread = threading.Thread(target=print)
    thread.start()
    thread.join()
    ray.shutdown()
    thread.join()
    assert not thread.is_alive()
    with pytest.raises(RuntimeError, match="once"):
        thread.start()


def test_a_thread_of_a_task_may_call_the_cluster(init):
    init()

    @ray.remote
    def square(x):
        return x * x

    @ray.remote
    def several():
        found = {}

        def ask(x):
            found[x] = ray.get(square.remote(x))

        threads = [threading.Thread(target=ask, args=(x,)) for x in range(5)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    assert ray.get(several.remote()) == {x: x * x for x in range(5)}


def test_threads_know_themselves_and_have_locals_of_their_own(init):
    init()
    local = threading.local()
    names = []

    def look(value):
        local.value = value
        time.sleep(1)
        names.append((threading.current_thread().name, local.value))

    threads = [threading.Thread(target=look, args=(i,), name=f"thread {i}") for i in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [("thread 0", 0), ("thread 1", 1), ("thread 2", 2)]
    assert threading.current_thread() is threading.main_thread()


def test_a_timer_fires_or_is_cancelled(init):
    init()
    fired = []
    begin = time.monotonic()
    timer = threading.Timer(30, lambda: fired.append(time.monotonic() - begin))
    other = threading.Timer(10, lambda: fired.append("cancelled"))
    timer.start()
    other.start()
    other.cancel()
    timer.join()
    assert fired == [pytest.approx(30, abs=0.01)]


def test_an_exception_in_a_thread_is_shown_and_ends_only_that(init, monkeypatch):
    shown = []
    monkeypatch.setattr(threading, "excepthook", lambda args: shown.append(args.exc_type))
    init()
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    assert shown == [ZeroDivisionError]


def test_waits_with_a_limit_end_in_virtual_time(init):
    init()
    condition, begin = threading.Condition(), time.monotonic()
    with condition:
        assert not condition.wait_for(lambda: False, timeout=10)
    assert not threading.Semaphore(0).acquire(timeout=10)
    assert not threading.Event().wait(10)
    with pytest.raises(queue.Empty):
        queue.Queue().get(timeout=10)
    with pytest.raises(queue.Empty):
        queue.SimpleQueue().get(timeout=10)
    with pytest.raises(threading.BrokenBarrierError):
        threading.Barrier(2).wait(10)
    assert time.monotonic() - begin == pytest.approx(60, abs=0.1)


def test_a_producer_and_a_consumer_share_a_queue(init):
    init()
    items = queue.Queue(maxsize=2)
    got = []

    def produce():
        for i in range(5):
            time.sleep(1)
            items.put(i)
        items.put(None)

    threading.Thread(target=produce, daemon=True).start()
    while (item := items.get()) is not None:
        got.append(item)
    assert got == [0, 1, 2, 3, 4]


def test_a_lock_from_before_the_world_is_waited_for_in_virtual_time(init):
    init()
    order = []

    def hold():
        with BEFORE_ANY_WORLD:
            order.append("holds")
            time.sleep(5)
            order.append("lets go")

    thread = threading.Thread(target=hold)
    thread.start()
    time.sleep(1)
    assert not BEFORE_ANY_WORLD.acquire(timeout=1)
    with BEFORE_ANY_WORLD:
        order.append("has it")
    assert order == ["holds", "lets go", "has it"]
    assert not BEFORE_ANY_WORLD.locked()


def test_a_queue_from_before_the_world_works_inside(init):
    init()

    def produce():
        time.sleep(5)
        QUEUE_BEFORE_ANY_WORLD.put("item")

    threading.Thread(target=produce).start()
    assert QUEUE_BEFORE_ANY_WORLD.get() == "item"


def test_a_pool_of_threads_works_in_virtual_time(init):
    init()

    @ray.remote
    def work():
        begin = time.monotonic()
        with concurrent.futures.ThreadPoolExecutor(max_workers=4) as pool:
            futures = [pool.submit(lambda i=i: (time.sleep(10), i)[1]) for i in range(8)]
            done, waits = concurrent.futures.wait(futures, timeout=5)
            assert not done
            assert len(waits) == 8
            with pytest.raises(TimeoutError):
                list(concurrent.futures.as_completed(futures, timeout=1))
            ends = [future.result() for future in concurrent.futures.as_completed(futures)]
        return sorted(ends), time.monotonic() - begin

    ends, took = ray.get(work.remote())
    assert ends == list(range(8))
    assert took == pytest.approx(20, abs=0.1)


def test_threads_end_with_their_world(init):
    init()
    ended = []

    def forever():
        try:
            while True:
                time.sleep(1)
        finally:
            ended.append(True)

    threading.Thread(target=forever, daemon=True).start()
    time.sleep(10)
    ray.shutdown()
    assert ended == [True]


def test_threads_that_wait_for_each_other_are_a_deadlock(init):
    init()
    with pytest.raises(ray.exceptions.RaySystemError, match="Deadlock"):
        threading.Event().wait()


def test_thread_functions_are_back_after_the_end(init):
    before = (threading.Thread.start, threading.Lock, threading.local, queue.SimpleQueue)
    acquire = vars(type(BEFORE_ANY_WORLD))["acquire"]
    init()
    assert threading.Thread.start is not before[0]
    ray.shutdown()
    assert (threading.Thread.start, threading.Lock, threading.local, queue.SimpleQueue) == before
    assert vars(type(BEFORE_ANY_WORLD))["acquire"] is acquire


def test_the_same_seed_interleaves_threads_alike(init):
    def run():
        journal = init(seed=5)
        order = []

        def add(i):
            for _ in range(3):
                time.sleep(0.1 * (i + 1))
                order.append(i)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(add, range(4)))
        ray.shutdown()
        return order, journal.digest()

    assert run() == run()


def test_a_lock_of_a_program_cannot_be_sent_as_no_lock_can(init):
    init()
    for lock in (threading.Lock(), threading.RLock(), threading.Condition(), queue.Queue()):
        with pytest.raises(TypeError, match="cannot pickle"):
            ray.put(lock)

"""Processes that take time for messages, where the costs say so."""

import time

import pytest

import raysim


@pytest.fixture
def cluster():
    def start(**network):
        costs = {"latency": 0, "local_latency": 0, "bandwidth": 0, "worker_start": 0, **network}
        raysim.init(backend="sim", num_cpus=4, world={"network": costs})

    yield start
    raysim.shutdown()


@raysim.remote(num_cpus=0)
class Echo:
    def echo(self, value):
        return value


def seconds_of_a_call(actor):
    begun = time.perf_counter()
    raysim.get(actor.echo.remote(1))
    return time.perf_counter() - begun


def test_a_call_and_its_end_are_handled_at_both_sides(cluster):
    cluster(call="1ms")
    actor = Echo.remote()
    raysim.get(actor.echo.remote(0))
    assert seconds_of_a_call(actor) == pytest.approx(0.004)


def test_without_costs_a_process_takes_no_time(cluster):
    cluster()
    actor = Echo.remote()
    raysim.get(actor.echo.remote(0))
    assert seconds_of_a_call(actor) == 0


def test_a_process_does_one_thing_at_a_time(cluster):
    """The driver sends four calls and reads four answers, and its actors work meanwhile."""
    cluster(call="1ms")
    actors = [Echo.remote() for _ in range(4)]
    raysim.get([actor.echo.remote(0) for actor in actors])
    begun = time.perf_counter()
    raysim.get([actor.echo.remote(1) for actor in actors])
    assert time.perf_counter() - begun == pytest.approx(4 * 0.001 + 4 * 0.001)


def test_the_end_of_a_process_is_heard_behind_what_it_said(cluster):
    cluster(call="50ms", message="1ms")

    @raysim.remote(max_calls=1)
    def last(value):
        return value

    assert raysim.get([last.remote(value) for value in range(8)]) == list(range(8))


def test_a_sleep_takes_longer_than_it_says(cluster):
    cluster(sleep="1ms")

    @raysim.remote
    def sleeps():
        begun = time.perf_counter()
        time.sleep(0.01)
        return time.perf_counter() - begun

    assert raysim.get(sleeps.remote()) == pytest.approx(0.011)

"""A plain test function under many seeds: fresh clusters, faults that were asked for, failures that are told."""

import re
import time

import pytest

import raysim as ray
from raysim.faults import Order, parse_fault
from raysim.faults.swarm import Budget, Swarm
from raysim.testing import always, eventually, reachable, simulate, sometimes
from raysim.testing.asked import asked
from raysim.testing.properties import PropertyError


@ray.remote
def square(x):
    time.sleep(0.1)
    return x * x


@ray.remote(num_cpus=0)
class Register:
    def __init__(self):
        self.value = 0

    def read(self):
        return self.value

    def write(self, value):
        self.value = value


@ray.remote
def increment(register):
    value = ray.get(register.read.remote())
    ray.get(register.write.remote(value + 1))


def note_of(error):
    [note] = error.__notes__
    return note


# --- what a run is ---


def test_each_seed_has_a_fresh_cluster_of_the_size_that_was_asked_for():
    seen = []

    @simulate(seeds=5, nodes=3, num_cpus=1)
    def program():
        seen.append((len(ray.nodes()), ray.cluster_resources()["CPU"], time.time() < 1_704_067_201))
        ray.put(1)

    program()
    assert seen == [(3, 3.0, True)] * 5
    assert not ray.is_initialized()


def test_seeds_differ_in_the_order_of_events_and_in_chance():
    import random

    orders, draws = set(), set()

    @simulate(seeds=30)
    def program():
        refs = [square.remote(i) for i in range(8)]
        ready, _ = ray.wait(refs, num_returns=4)
        orders.add(tuple(refs.index(one) for one in ready))
        draws.add(random.random())

    program()
    assert len(orders) > 5
    assert len(draws) == 30


def test_the_same_seed_gives_the_same_run():
    seen = []

    @simulate(seeds=[7, 7], faults="all")
    def program():
        refs = [square.remote(i) for i in range(8)]
        ray.wait(refs, num_returns=8, timeout=30)
        seen.append(time.time())

    program()
    assert seen[0] == seen[1]


def test_no_fault_strikes_that_was_not_asked_for():
    @simulate(seeds=30)
    def program():
        pids = [square.remote(i) for i in range(8)]
        assert ray.get(pids) == [i * i for i in range(8)]
        assert all(node["Alive"] for node in ray.nodes())

    program()


def test_faults_strike_as_they_were_listed():
    alive = []

    @simulate(seeds=3, nodes=3, faults=["kill_node(at=1s)", parse_fault("kill_node(at=2s)")])
    def program():
        time.sleep(120)
        alive.append(sum(node["Alive"] for node in ray.nodes()))

    program()
    assert alive == [1, 1, 1]


def test_kinds_of_fault_are_drawn_for_each_run():
    alive = []

    @simulate(seeds=20, nodes=3, faults="kill_node")
    def program():
        time.sleep(120)
        alive.append(sum(node["Alive"] for node in ray.nodes()))

    program()
    assert set(alive) == {2, 3}


def test_a_swarm_says_all_by_itself():
    sizes = set()
    swarm = Swarm(nodes=(1, 3), budget=Budget(faults=0))

    @simulate(seeds=20, faults=swarm)
    def program():
        sizes.add(len(ray.nodes()))

    program()
    assert sizes == {1, 2, 3}


def test_the_order_of_events_may_be_given():
    times = set()

    @simulate(seeds=10, order="fifo", network={"latency": "1ms"})
    def program():
        ray.get([square.remote(i) for i in range(4)])
        times.add(time.time())

    program()
    assert len(times) == 1


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"faults": "crashs"}, "faults='crashs': there is no 'crashs'; did you mean 'crashes'?"),
        ({"faults": ["kill_node"]}, "kill_node needs 'at'"),
        ({"order": "radom"}, "unknown order 'radom'; did you mean random?"),
        ({"nodes": 0}, "nodes=0: a cluster has at least one node"),
    ],
)
def test_what_is_asked_for_wrongly_is_told_where_it_stands(wrong, told):
    with pytest.raises(ValueError, match=re.escape(told)):
        simulate(**wrong)(lambda: None)


def test_a_test_that_would_run_nothing_is_refused():
    with pytest.raises(ValueError, match="nothing: without seeds there is no run"):

        @simulate(seeds=0)
        def nothing():
            pass

    with pytest.raises(TypeError, match="is a coroutine or a generator"):

        @simulate
        async def coroutine():
            pass


# --- how it sits in a program ---


@simulate(seeds=2)
def test_it_takes_fixtures(tmp_path, request):
    assert request.node.name == "test_it_takes_fixtures"
    (tmp_path / "file").write_text(str(ray.get(square.remote(2))))


@pytest.mark.parametrize("x", [2, 3])
@simulate(seeds=2)
def test_it_takes_parameters(x):
    assert ray.get(square.remote(x)) == x * x


@simulate
def test_it_needs_no_arguments():
    assert ray.is_initialized()


def test_the_program_may_begin_and_end_its_session_itself():
    nodes = []

    @simulate(seeds=2, nodes=3)
    def program():
        with ray.init(num_cpus=16):
            nodes.append(len(ray.nodes()))
        assert not ray.is_initialized()
        ray.init()
        nodes.append(len(ray.nodes()))

    program()
    assert nodes == [3] * 4
    assert not ray.is_initialized()


def test_a_second_session_is_refused_as_anywhere():
    @simulate(seeds=1)
    def program():
        ray.init()
        with pytest.raises(RuntimeError, match="init twice by accident"):
            ray.init()

    program()


def test_a_skip_ends_the_campaign():
    runs = []

    @simulate(seeds=5)
    def program():
        runs.append(1)
        pytest.skip("not here")

    with pytest.raises(pytest.skip.Exception):
        program()
    assert runs == [1]
    assert not ray.is_initialized()


# --- what a failure tells ---


@simulate(seeds=50, nodes=2)
def lost_update():
    register = Register.remote()
    refs = []
    for _ in range(3):
        refs.append(increment.remote(register))
        time.sleep(0.02)
    ray.get(refs)
    assert ray.get(register.read.remote()) == 3


def test_a_race_is_found_and_replays_from_its_file(monkeypatch):
    monkeypatch.setattr(asked, "test", "tests/test_it.py::test_lost_update")
    with pytest.raises(AssertionError) as raised:
        lost_update()
    note = note_of(raised.value)
    assert re.search(r"it fails with seed \d+", note)
    assert "order: " in note
    assert "No fault struck." in note
    assert "The first difference from " in note
    (replay,) = re.findall(r"\n  (pytest .*)", note)
    assert replay.startswith("pytest tests/test_it.py::test_lost_update --raysim-replay ")
    monkeypatch.setattr(asked, "replay", replay.split()[-1])
    for _ in range(2):
        with pytest.raises(AssertionError, match=r"it fails with seed|assert") as again:
            lost_update()
        assert str(again.value) == str(raised.value)


@simulate(seeds=30, faults="kill_node + delay + pause_node")
def needs_all_nodes():
    time.sleep(30)
    assert [node["Alive"] for node in ray.nodes()] == [True] * 4


def test_a_failure_is_told_with_the_only_fault_that_it_needs():
    with pytest.raises(AssertionError) as raised:
        needs_all_nodes()
    note = note_of(raised.value)
    strikes = note.partition("Faults that struck:\n")[2].partition("\n\n")[0].splitlines()
    assert len(strikes) == 1
    assert re.search(r"faults: (kill_node|pause_node) node-\d", strikes[0])
    profile = note.partition("\n\n")[2].partition("\n\n")[0]
    assert "order:" not in profile
    assert "network:" not in profile


def test_a_seed_replays_without_a_file(monkeypatch):
    runs = []

    @simulate(seeds=50)
    def program():
        runs.append(time.monotonic())
        assert len(runs) != 4

    with pytest.raises(AssertionError) as raised:
        program()
    note = note_of(raised.value)
    assert "it fails with seed 3, after 3 that passed" in note
    assert "The same run, once more, did not fail" in note
    monkeypatch.setattr(asked, "replay", "3")
    before = len(runs)
    program()
    assert len(runs) == before + 1


def test_a_file_that_is_not_there_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(asked, "replay", "gone.json")
    with pytest.raises(ValueError, match=r"gone\.json cannot be read: No such file"):
        lost_update()
    (tmp_path / "wrong.json").write_text("[]")
    monkeypatch.setattr(asked, "replay", "wrong.json")
    with pytest.raises(ValueError, match=r"wrong\.json is no failure: "):
        lost_update()


def test_a_program_that_never_ends_is_told_what_waits():
    @simulate(seeds=1, within=30)
    def program():
        register = Register.remote()
        while ray.get(register.read.remote()) == 0:
            time.sleep(1)

    from raysim.faults import NotConvergedError

    with pytest.raises(NotConvergedError, match="has not converged within 30 s"):
        program()


def test_a_deadlock_is_told_as_what_waits_for_what():
    @simulate(seeds=1)
    def program():
        ray.get(square.options(num_cpus=64).remote(1))

    from raysim.exceptions import RaySystemError

    with pytest.raises(RaySystemError, match=r"Deadlock at [^\n]*\nCall square .* needs CPU=64"):
        program()


# --- properties ---


def test_what_always_finds_in_a_task_fails_the_run_even_if_nobody_looks():
    @ray.remote(max_retries=0)
    def careless():
        always(1 > 2, "one is more than two")

    @simulate(seeds=3)
    def program():
        careless.remote()
        time.sleep(10)

    with pytest.raises(PropertyError, match=r"always: one is more than two \(node-\d/worker-0 at"):
        program()


def test_sometimes_has_to_be_true_once_in_all_runs():
    @simulate(seeds=20)
    def rare():
        refs = [square.remote(i) for i in range(8)]
        ready, _ = ray.wait(refs, num_returns=1)
        sometimes(refs.index(ready[0]) > 0, "a later one comes first")

    rare()

    @simulate(seeds=20)
    def never():
        sometimes(ray.get(square.remote(2)) == 5, "two squared is five")

    with pytest.raises(
        PropertyError, match="never true in any of 20 runs:\n  two squared is five\n"
    ):
        never()


@ray.remote
def helper(x):
    if x > 100:
        reachable("a helper is given much")
    return x


def give_little():
    return ray.get(helper.remote(1))


@simulate(seeds=3)
def uses_the_helper():
    give_little()


def test_what_no_run_ever_comes_to_is_known_from_the_source():
    with pytest.raises(PropertyError, match="a helper is given much"):
        uses_the_helper()


def test_fewer_runs_than_the_test_wants_say_nothing_of_sometimes(monkeypatch):
    monkeypatch.setattr(asked, "seeds", 2)
    uses_the_helper()
    monkeypatch.setattr(asked, "seeds", 4)
    with pytest.raises(PropertyError):
        uses_the_helper()


def test_eventually_waits_in_virtual_time():
    waited = []

    @simulate(seeds=2, order="fifo")
    def program():
        ref = square.remote(3)
        begun = time.time()
        eventually(lambda: ray.wait([ref], timeout=0)[0], "it is there", within=60)
        waited.append(time.time() - begun)
        with pytest.raises(PropertyError, match="eventually: never: not within 300 s"):
            eventually(lambda: False, "never", within=300)
        assert time.time() - begun >= 300
        pytest.skip()

    with pytest.raises(pytest.skip.Exception):
        program()
    assert 0.1 < waited[0] < 3


def test_eventually_that_was_caught_fails_the_run_too():
    @simulate(seeds=1)
    def program():
        try:
            eventually(lambda: False, "never", within=1)
        except PropertyError:
            pass

    with pytest.raises(PropertyError, match="never: not within 1 s"):
        program()


def test_order_may_be_an_order():
    @simulate(seeds=2, order=Order("random"))
    def program():
        assert ray.get(square.remote(1)) == 1

    program()

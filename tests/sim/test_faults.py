"""Each kind of fault does what it says to a small program, which still ends right or with a typed error."""

import time

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.cluster_utils import AutoscalingCluster
from raysim.faults import parse_fault
from raysim.journal import FaultInjected, NodeJoined, NodeLost, TaskEnded, WorkerLost


@ray.remote(max_retries=-1)
def work(seconds, value):
    time.sleep(seconds)
    return value


@ray.remote(max_retries=-1)
def make(size):
    return bytes(size)


@ray.remote(max_retries=-1)
def clocks():
    return time.time(), time.monotonic()


@ray.remote
class Keeper:
    def __init__(self, start=0):
        self.calls = start

    def call(self):
        self.calls += 1
        return self.calls


def start(init, *texts, **options):
    world = {"faults": [parse_fault(text) for text in texts], **options.pop("world", {})}
    return init(**{"nodes": 3, "cpus": 2, **options}, world=world)


@pytest.fixture
def autoscaling():
    """A head with one CPU, and machines with four that are started when they are asked for."""
    clusters = []

    def start(text):
        types = {"large": {"resources": {"CPU": 4}, "max_workers": 2}}
        cluster = AutoscalingCluster({"CPU": 1}, types, world={"faults": [parse_fault(text)]})
        clusters.append(cluster)
        cluster.start()
        ray.init("auto")
        return current_world().journal

    yield start
    ray.shutdown()
    for cluster in clusters:
        cluster.shutdown()


def struck(journal):
    return [(note.kind, note.target) for note in journal.notes(FaultInjected)]


def on(node):
    return ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
        current_world().nodes[node].node_id.hex(), soft=True
    )


# --- processes and nodes ---


def test_a_node_that_is_restarted_comes_back_as_another(init):
    journal = start(init, "restart_node(at=2s, node=1, lasting=3s)")
    assert ray.get([work.remote(4, i) for i in range(12)]) == list(range(12))
    time.sleep(100)
    assert sorted(node["Alive"] for node in ray.nodes()) == [False, True, True, True]
    assert [note.name for note in journal.notes(NodeJoined)][-1] == "node-1@1"
    assert ray.cluster_resources()["CPU"] == 6


def test_a_node_that_stands_still_for_a_moment_goes_on_where_it_was(init):
    journal = start(init, "pause_node(at=1s, node=1, lasting=10s)")
    begun = time.time()
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert time.time() - begun == pytest.approx(11, abs=1)
    assert journal.notes(NodeLost) == []
    assert {note.status for note in journal.notes(TaskEnded)} == {"finished"}


def test_a_node_that_stands_still_for_too_long_is_dead_when_it_goes_on(init):
    journal = start(init, "pause_node(at=1s, node=1, lasting=200s)")
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert len(journal.notes(NodeLost)) == 1
    time.sleep(250)
    assert not current_world().nodes[1].host.alive


def test_a_slow_node_takes_longer_for_what_it_computes_and_nothing_else(init):
    start(init, "slow_node(at=0, node=0, factor=20)", nodes=1)
    time.sleep(1)
    begun = time.time()
    assert ray.get(work.remote(1, "a")) == "a"
    # A worker takes 0.6 s to start instead of 0.03 s; the sleep is none of the processor's work.
    assert 1.6 < time.time() - begun < 1.7


def test_a_killed_raylet_takes_its_workers_along_and_everybody_sees_it(init):
    journal = start(init, "kill_raylet(at=2s, node=1)")
    begun = time.time()
    assert ray.get([work.remote(4, i) for i in range(6)]) == list(range(6))
    assert len(journal.notes(NodeLost)) == 1
    assert time.time() - begun < 12


def test_tasks_go_on_while_their_raylet_stands_still(init):
    journal = start(init, "pause_raylet(at=1s, node=1, lasting=5s)")
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert struck(journal) == [("pause_raylet", "node-1/raylet")]
    assert journal.notes(NodeLost) == journal.notes(WorkerLost) == []


def test_a_worker_that_stands_still_ends_its_task_later(init):
    start(init, "pause_worker(at=1s, node=0, lasting=7s)", nodes=1, cpus=1)
    begun = time.time()
    assert ray.get(work.remote(2, "a")) == "a"
    assert time.time() - begun == pytest.approx(8, abs=0.2)


def test_a_killed_actor_restarts_if_it_may(init):
    start(init, "kill_actor(at=1s, actor=kept)", "kill_actor(at=1s, actor=lost)")
    kept = Keeper.options(name="kept", max_restarts=1).remote()
    lost = Keeper.options(name="lost").remote()
    assert ray.get([kept.call.remote(), lost.call.remote()]) == [1, 1]
    time.sleep(3)
    assert ray.get(kept.call.remote()) == 1
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(lost.call.remote())


def test_calls_wait_for_an_actor_that_stands_still(init):
    start(init, "pause_actor(at=1s, lasting=5s)")
    keeper = Keeper.remote()
    assert ray.get(keeper.call.remote()) == 1
    time.sleep(2)
    begun = time.time()
    assert ray.get(keeper.call.remote()) == 2
    assert time.time() - begun == pytest.approx(4, abs=0.1)


def test_a_constructor_that_fails_leaves_a_dead_actor(init):
    start(init, "fail_constructor(at=0, actor=Keeper)")
    time.sleep(1)
    first = Keeper.remote()
    with pytest.raises(ray.exceptions.ActorDiedError, match="a fault has this constructor fail"):
        ray.get(first.call.remote())
    assert ray.get(Keeper.remote().call.remote()) == 1


def test_a_constructor_whose_process_ends_is_run_again(init):
    journal = start(init, "crash_constructor(at=0, count=2)")
    time.sleep(1)
    keeper = Keeper.options(max_restarts=2, max_task_retries=-1).remote(5)
    assert ray.get(keeper.call.remote()) == 6
    assert len(journal.notes(WorkerLost)) == 2


# --- the GCS ---


def test_the_gcs_starts_again_on_what_it_wrote_down(init):
    start(init, "restart_gcs(at=2s, lasting=5s)")
    keeper = Keeper.options(name="kept").remote()
    assert ray.get(keeper.call.remote()) == 1
    time.sleep(3)  # It is away now.
    assert ray.get(keeper.call.remote()) == 2
    assert ray.get(work.remote(1, "a")) == "a"
    late = Keeper.remote()
    begun = time.time()
    assert ray.get(late.call.remote()) == 1
    assert time.time() - begun > 2
    assert ray.get(ray.get_actor("kept").call.remote()) == 3
    assert [node["Alive"] for node in ray.nodes()] == [True] * 3


def test_a_worker_that_ends_while_the_gcs_is_away_takes_its_actor_along(init):
    start(init, "restart_gcs(at=2s, lasting=5s)", "kill_actor(at=4s)")
    keeper = Keeper.options(max_restarts=1, max_task_retries=-1).remote()
    assert ray.get(keeper.call.remote()) == 1
    time.sleep(8)
    assert ray.get(keeper.call.remote()) == 1


def test_a_node_that_ends_while_the_gcs_is_away_is_found_dead(init):
    journal = start(init, "restart_gcs(at=2s, lasting=5s)", "kill_node(at=4s, node=1)")
    time.sleep(5)
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    time.sleep(100)
    assert len(journal.notes(NodeLost)) == 1


def test_questions_wait_for_a_gcs_that_stands_still(init):
    start(init, "pause_gcs(at=1s, lasting=5s)")
    time.sleep(2)
    begun = time.time()
    assert len(ray.nodes()) == 3
    assert time.time() - begun == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("kind", ["lose_gcs_commit", "tear_gcs_commit"])
def test_what_a_broken_commit_was_about_is_asked_for_again(init, kind):
    journal = start(init, f"{kind}(at=1s, lasting=2s)")
    time.sleep(2)
    keeper = Keeper.options(name="kept").remote()
    assert ray.get(keeper.call.remote()) == 1
    assert struck(journal) == [(kind, "node-0/gcs")]
    assert ray.get(ray.get_actor("kept").call.remote()) == 2


# --- links ---


def test_a_delay_is_paid_both_ways_by_what_crosses_the_link(init):
    start(init, "delay(at=1s, nodes=1, latency=3s, lasting=1m)")
    ray.get([work.remote(0.5, i) for i in range(6)])  # Workers stand everywhere.
    time.sleep(1)
    begun = time.time()
    assert ray.get(work.options(scheduling_strategy=on(1)).remote(0, "a")) == "a"
    assert time.time() - begun > 6
    begun = time.time()
    assert ray.get(work.options(scheduling_strategy=on(2)).remote(0, "a")) == "a"
    assert time.time() - begun < 1


def test_one_kind_of_message_can_be_late(init):
    start(init, "delay(at=0, nodes=0, message=TasksDone, latency=4s)", nodes=1)
    time.sleep(1)
    begun = time.time()
    assert ray.get(work.remote(0, "a")) == "a"
    assert 4 < time.time() - begun < 4.2


def test_a_narrow_link_takes_its_time(init):
    start(init, "bandwidth(at=0, nodes=1, bandwidth=1MB/s, lasting=20s)", nodes=2)
    time.sleep(1)
    made = make.options(scheduling_strategy=on(1)).remote(5_000_000)
    ray.wait([made], fetch_local=False)
    begun = time.time()
    assert len(ray.get(made)) == 5_000_000
    assert time.time() - begun == pytest.approx(5, abs=0.2)
    time.sleep(20)
    made = make.options(scheduling_strategy=on(1)).remote(5_000_001)
    ray.wait([made], fetch_local=False)
    begun = time.time()
    ray.get(made)
    assert time.time() - begun < 0.1


def test_lost_packets_are_sent_again(init):
    journal = start(init, "loss(at=0, nodes=0+1+2, rate=40%)")
    begun = time.time()
    assert ray.get([work.remote(0.1, i) for i in range(30)]) == list(range(30))
    assert time.time() - begun > 1
    assert {note.status for note in journal.notes(TaskEnded)} == {"finished"}


@pytest.mark.parametrize("seed", range(3))
def test_what_may_arrive_twice_does_no_harm(init, seed):
    start(init, "duplication(at=0, rate=100%)", seed=seed)
    keeper = Keeper.remote()
    assert ray.get([keeper.call.remote() for _ in range(5)]) == [1, 2, 3, 4, 5]
    assert ray.get([work.remote(0.1, i) for i in range(30)]) == list(range(30))
    time.sleep(10)
    assert ray.available_resources()["CPU"] == 6


@pytest.mark.parametrize("seed", range(3))
def test_what_may_be_overtaken_does_no_harm(init, seed):
    start(init, "reordering(at=0, rate=50%)", seed=seed)
    keeper = Keeper.remote()
    assert ray.get([keeper.call.remote() for _ in range(5)]) == [1, 2, 3, 4, 5]
    assert ray.get([work.remote(0.1, i) for i in range(30)]) == list(range(30))
    del keeper
    time.sleep(10)
    assert ray.available_resources()["CPU"] == 6


@pytest.mark.parametrize("way", ["request_lost", "reply_lost", "retried", "stale_duplicate"])
@pytest.mark.parametrize("message", ["RequestWorkerLease", "CreateActor", "RegisterWorker"])
def test_a_request_that_fails_is_asked_again(init, way, message):
    start(init, f"fail_rpc(at=0, way={way}, message={message}, count=2)")
    keeper = Keeper.remote()
    assert ray.get([work.remote(0.1, i) for i in range(10)]) == list(range(10))
    assert ray.get(keeper.call.remote()) == 1
    del keeper
    time.sleep(20)
    assert ray.available_resources()["CPU"] == 6


def test_a_message_that_goes_with_its_connection_cannot_fail_alone():
    with pytest.raises(ValueError, match="PushTasks goes with its connection"):
        parse_fault("duplication(at=0, message=PushTasks)")


def test_a_partition_holds_up_what_crosses_it_until_it_heals(init):
    journal = start(init, "partition(at=1s, nodes=1, lasting=10s)")
    begun = time.time()
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert time.time() - begun == pytest.approx(11, abs=0.5)
    assert {note.status for note in journal.notes(TaskEnded)} == {"finished"}


def test_one_way_stops_what_the_nodes_send_and_nothing_else(init):
    journal = start(init, "isolate(at=1s, node=1, one_way=true, lasting=100s)")
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert len(journal.notes(NodeLost)) == 1
    time.sleep(100)  # What it sent arrives, and it is told that it was declared dead.
    assert not current_world().nodes[1].host.alive


def test_an_isolated_node_is_given_up_and_stops_when_it_is_back(init):
    journal = start(init, "isolate(at=1s, lasting=150s)")
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert len(journal.notes(NodeLost)) == 1
    time.sleep(200)
    assert sum(node.host.alive for node in current_world().nodes) == 2


def test_heal_ends_what_lasts(init):
    start(init, "partition(at=1s, nodes=half, lasting=none)", "heal(at=5s)")
    begun = time.time()
    assert ray.get([work.remote(2, i) for i in range(6)]) == list(range(6))
    assert time.time() - begun < 8


# --- storage, memory, clocks, machines ---


def test_a_full_store_makes_room_for_nobody_until_it_has_some(init):
    start(init, "fill_store(at=0, node=0, lasting=5s)", nodes=1)
    time.sleep(1)
    begun = time.time()
    assert len(ray.get(make.remote(1_000_000))) == 1_000_000
    assert time.time() - begun == pytest.approx(4, abs=0.2)


def test_a_store_that_stays_full_is_a_typed_error(init):
    start(init, "fill_store(at=0, node=0, lasting=none)", nodes=1)
    time.sleep(1)
    with pytest.raises(ray.exceptions.ObjectStoreFullError):
        ray.put(bytes(1_000_000))


def test_the_worker_that_began_last_goes_when_memory_is_short(init):
    journal = start(init, "worker_out_of_memory(at=2s, node=0)", nodes=1)
    refs = [work.remote(10, "old")]
    time.sleep(1)
    refs.append(work.remote(10, "new"))
    assert ray.get(refs) == ["old", "new"]
    retried = [note for note in journal.notes(TaskEnded) if note.status == "retried"]
    assert [note.task_id for note in retried] == [refs[1].task_id().binary()]


def test_under_pressure_the_raylet_ends_one_worker_after_another(init):
    start(init, "memory_pressure(at=1s, node=0, lasting=3s)", nodes=1)
    refs = [work.remote(2, i) for i in range(2)]
    # The last of its owner's on the node is not run again: that would be in vain.
    with pytest.raises(ray.exceptions.OutOfMemoryError, match="its node ran out of memory"):
        ray.get(refs)


def test_a_task_without_retries_fails_under_pressure_with_its_own_error(init):
    start(init, "memory_pressure(at=1s, node=0, lasting=3s)", nodes=1)
    with pytest.raises(ray.exceptions.OutOfMemoryError):
        ray.get(work.options(max_retries=0).remote(2, "a"))


def test_a_skewed_clock_is_off_on_its_node_only_and_for_a_while(init):
    start(init, "clock_skew(at=0, node=1, skew=-1h, lasting=1m)", nodes=2)
    time.sleep(1)
    wall, monotonic = ray.get(clocks.options(scheduling_strategy=on(1)).remote())
    assert wall == pytest.approx(time.time() - 3600, abs=1)
    assert monotonic == pytest.approx(time.monotonic(), abs=1)
    assert ray.get(clocks.options(scheduling_strategy=on(0)).remote())[0] <= time.time()
    time.sleep(60)
    wall, _ = ray.get(clocks.options(scheduling_strategy=on(1)).remote())
    assert wall == pytest.approx(time.time(), abs=1)


def test_a_clock_that_jumps_stays_where_it_is(init):
    start(init, "clock_jump(at=1s, node=0, skew=2h)", nodes=1)
    before = time.time()
    time.sleep(2)
    assert time.time() - before == pytest.approx(7202, abs=0.1)


def test_slow_starts_are_slow(init):
    start(init, "slow_start(at=0, factor=100, lasting=none)", nodes=1)
    time.sleep(1)
    begun = time.time()
    assert ray.get(work.remote(0, "a")) == "a"
    assert time.time() - begun == pytest.approx(3, abs=0.1)


def test_without_capacity_no_machine_comes_until_there_is_some(autoscaling):
    journal = autoscaling("no_capacity(at=0, lasting=5m)")
    begun = time.time()
    assert ray.get(work.options(num_cpus=4).remote(1, "a")) == "a"
    assert time.time() - begun > 299
    assert struck(journal) == [("no_capacity", "the provider of machines")]


def test_a_cluster_that_asks_nobody_for_machines_cannot_run_out_of_them(init):
    with pytest.raises(ValueError, match="this cluster asks nobody for machines"):
        start(init, "no_capacity(at=0)")


# --- moments ---


def test_a_fault_can_wait_for_what_happens(init):
    journal = start(init, "kill_worker(at=task_ended*3+500ms, node=0)", nodes=1, cpus=1)
    assert ray.get([work.remote(2, i) for i in range(5)]) == list(range(5))
    ended = [note.end_ns for note in journal.notes(TaskEnded) if note.status == "finished"]
    (fault_ns,) = [at for at, _, _, what in journal.records if isinstance(what, FaultInjected)]
    assert fault_ns - ended[2] == pytest.approx(500_000_000, abs=1_000_000)


def test_a_fault_can_follow_another(init):
    journal = start(init, "kill_worker(at=1s)", "kill_worker(at=fault+1s)")
    assert ray.get([work.remote(5, i) for i in range(6)]) == list(range(6))
    assert len(struck(journal)) == 2

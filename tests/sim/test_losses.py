"""Losses of workers and nodes in virtual time."""

import os
import time

import pytest

import raysim as ray
from raysim.faults import parse_fault
from raysim.journal import FaultInjected, NodeLost, TaskEnded


@ray.remote
def work(seconds, value):
    time.sleep(seconds)
    return value


@ray.remote
class Keeper:
    def __init__(self):
        self.calls = 0

    def call(self):
        self.calls += 1
        return self.calls

    def crash(self):
        os._exit(1)


def test_tasks_of_a_lost_node_run_elsewhere(init):
    journal = init(nodes=3, cpus=2, world={"faults": [parse_fault("kill_node(at=5s)")]})
    assert ray.get([work.remote(10, i) for i in range(24)]) == list(range(24))
    assert len(journal.notes(NodeLost)) == 1
    assert "retried" in {note.status for note in journal.notes(TaskEnded)}


def test_a_node_killed_by_the_program_is_found_dead(init):
    init(nodes=2, cpus=1)
    from raysim.api.session import current_world

    world = current_world()
    refs = [work.remote(30, i) for i in range(4)]
    time.sleep(5)
    world.kill_node(world.nodes[1].node_id.hex())
    assert ray.get(refs) == [0, 1, 2, 3]
    assert [node["Alive"] for node in ray.nodes()] == [True, False]


def test_the_head_cannot_be_killed(init):
    init()
    from raysim.api.session import current_world

    world = current_world()
    with pytest.raises(ValueError, match="head"):
        world.kill_node(world.nodes[0].node_id.hex())
    with pytest.raises(ValueError, match="no node"):
        world.kill_node("00")


def test_a_task_whose_worker_is_killed_is_retried(init):
    journal = init(cpus=1, world={"faults": [parse_fault("kill_worker(at=3s, node=0)")]})
    start = time.time()
    assert ray.get(work.remote(10, "done")) == "done"
    assert time.time() - start == pytest.approx(13, abs=1)
    assert [note.target for note in journal.notes(FaultInjected)] == ["node-0/worker-0"]


def test_a_worker_that_ends_itself_is_a_crash(init):
    init()

    @ray.remote(max_retries=0)
    def crash():
        os._exit(3)

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(crash.remote())


SEEN: list[str] = []


def see(what):
    """Pickled by reference, so that the list is this module's."""
    SEEN.append(what)


@pytest.mark.parametrize("seed", range(5))
def test_an_actor_that_leaves_is_not_restarted_whatever_arrives_first(init, seed):
    """What it said, and what its node saw of its end."""

    @ray.remote(max_restarts=-1)
    class Leaves:
        def leave(self):
            ray.actor.exit_actor()

    init(seed=seed, world={"order": "random(bound=2ms)"})
    actor = Leaves.remote()
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.leave.remote())
    time.sleep(1)
    with pytest.raises(ray.exceptions.ActorDiedError):
        ray.get(actor.__ray_ready__.remote())


def test_user_code_of_a_killed_worker_ends_without_reaching_the_cluster(init):
    @ray.remote(max_retries=0)
    def waits():
        try:
            ray.get(work.remote(100, 1))
        finally:
            see("finally")
            ray.get(work.remote(0, 1))
            see("never")

    SEEN.clear()
    init(cpus=1, world={"faults": [parse_fault("kill_worker(at=1s)")] * 2})
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(waits.remote())
    assert SEEN == ["finally"]


def test_an_actor_is_restarted_without_its_state(init):
    init()
    keeper = Keeper.options(max_restarts=1, max_task_retries=0).remote()
    assert ray.get([keeper.call.remote() for _ in range(2)]) == [1, 2]
    with pytest.raises(ray.exceptions.RayActorError):
        ray.get(keeper.crash.remote())
    time.sleep(1)
    assert ray.get(keeper.call.remote()) == 1


def test_a_lost_object_is_made_again(init):
    journal = init(nodes=2, cpus=1)
    from raysim.api.session import current_world

    @ray.remote
    def make(seconds):
        time.sleep(seconds)
        return bytes(1_000_000)

    refs = [make.remote(10) for _ in range(2)]
    ray.wait(refs, num_returns=2, fetch_local=False)
    world = current_world()
    world.kill_node(world.nodes[1].node_id.hex())
    assert [len(value) for value in ray.get(refs)] == [1_000_000] * 2
    assert journal.notes(NodeLost)


@pytest.mark.parametrize("seed", range(5))
def test_silent_loss_of_a_node_does_not_starve_what_has_to_be_made_again(init, seed):
    """Tasks that wait for a lost argument must not keep the CPUs that its own task needs to run again."""
    init(nodes=2, cpus=1, seed=seed, world={"faults": [parse_fault("kill_node(at=25s, node=1)")]})

    @ray.remote
    def make(number):
        time.sleep(10)
        return bytes(1_000_000 + number)

    @ray.remote
    def measure(*values):
        time.sleep(1)
        return sum(len(value) for value in values)

    made = [make.remote(number) for number in range(6)]
    sums = [measure.remote(*made) for _ in range(4)]
    assert ray.get(sums) == [6_000_015] * 4

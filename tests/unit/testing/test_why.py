"""What led to an event, in runs whose causes are known."""

import time

import pytest

import raysim as ray
from raysim.faults import parse_fault
from raysim.faults.swarm import Profile
from raysim.journal import FaultInjected, Journal, Level, NodeLost, TaskEnded
from raysim.testing import simulated
from raysim.testing.why import find_event, last_trouble, why


@ray.remote(max_retries=0)
def work():
    time.sleep(5)


@ray.remote
class Idle:
    def ready(self):
        return True


def journal_of(program, *faults, nodes=1, resets=False):
    journal = Journal(Level.ALL)
    profile = Profile(
        nodes=nodes, cpus=2, connection_resets=resets, faults=tuple(map(parse_fault, faults))
    )
    with simulated(profile, journal=journal):
        program()
    return journal


def end_of(chain):
    """The last link: what it all began with."""
    return chain[-1].record[3]


def fails():
    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(work.remote())


def test_a_lost_peer_leads_to_the_fault_that_ended_it():
    """Not to another that struck before the loss was seen, 20 us later."""
    journal = journal_of(fails, "kill_worker(at=1s)", "slow_node(at=1000010us)")
    chain = why(journal, find_event(journal.records, "TaskEnded"))
    assert end_of(chain) == FaultInjected("kill_worker", "node-0/worker-0")
    assert [link.record[2] for link in chain][-3:] == ["peer_lost", "end", "note"]


@pytest.mark.parametrize("resets", [True, False])
def test_a_lost_node_leads_to_the_fault_that_ended_it(resets):
    """Whether connections broke or health checks found it."""

    def program():
        time.sleep(120)

    journal = journal_of(program, "kill_node(at=3s)", nodes=2, resets=resets)
    (lost,) = [at for at, one in enumerate(journal.records) if isinstance(one[3], NodeLost)]
    assert end_of(why(journal, lost)) == FaultInjected("kill_node", "node-1")


def test_what_is_done_about_a_node_that_went_silent_leads_there_too():
    @ray.remote(max_retries=0)
    def far():
        time.sleep(60)

    def program():
        strategy = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
        other = next(node["NodeID"] for node in ray.nodes() if node["NodeName"] == "node-1")
        ref = far.options(scheduling_strategy=strategy(other, soft=False)).remote()
        with pytest.raises(ray.exceptions.RayError):
            ray.get(ref)

    journal = journal_of(program, "kill_node(at=3s)", nodes=2)
    chain = why(journal, last_trouble(journal.records))
    assert isinstance(chain[0].record[3], TaskEnded)
    assert end_of(chain) == FaultInjected("kill_node", "node-1")


def test_a_worker_that_its_raylet_ends_leads_to_the_raylets_turn():
    def program():
        actor = Idle.remote()
        ray.get(actor.ready.remote())
        ray.kill(actor)
        time.sleep(1)

    journal = journal_of(program)
    ended = find_event(journal.records, "ends: killed by its raylet")
    cause = why(journal, ended)[1]
    assert cause.record[1] == "node-0/raylet"
    assert cause.record[2] == "deliver"


def test_a_run_in_which_nothing_was_lost_is_told_from_what_the_driver_got_last():
    def program():
        assert ray.get(Idle.remote().ready.remote())

    journal = journal_of(program)
    _, process, kind, _ = journal.records[last_trouble(journal.records)]
    assert (process, kind) == ("node-0/driver-0", "deliver")

"""Programs that hunts in tests look at. Each breaks under a condition that a test knows."""

import contextlib
import signal
import time

import raysim as ray
from raysim.faults.swarm import Budget, Swarm
from raysim.testing import simulate, sometimes


@ray.remote(max_retries=0)
def once():
    time.sleep(5)
    return 1


@simulate(
    seeds=200,
    faults=Swarm(
        nodes=(1, 3),
        budget=Budget(faults=6, kinds=("kill_worker", "delay", "slow_node")),
        kinds_on=1.0,
    ),
)
def forgets_retries():
    """Fails whenever a worker is killed while it works."""
    print("this is not to be seen in a hunt")
    assert ray.get([once.remote() for _ in range(4)]) == [1] * 4


@simulate(
    nodes=3, num_cpus=1, faults=["kill_node(at=1s, node=1)"], order="fifo", network={}, within=3
)
def within_three_seconds():
    """What strikes it is listed, and how long it may take."""
    time.sleep(30)


@simulate(faults="kill_raylet")
def needs_all_nodes():
    """Fails whenever a node is lost, which takes a second node. So does none that has one alone."""
    time.sleep(30)
    alive = [node["Alive"] for node in ray.nodes()]
    assert len(alive) > 1, "another error"
    assert all(alive)


@simulate
def never_comes_to_all():
    sometimes(True, "always so")
    sometimes(False, "never so")


@simulate
def takes(tmp_path):
    """What only pytest can give it."""


calls = 0


def swallows_ctrl_c():
    """Somebody presses Ctrl-C in the 20th run, and it is lost there."""
    global calls
    calls += 1
    if calls == 20:
        with contextlib.suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def fine():
    assert ray.get(ray.put(1)) == 1

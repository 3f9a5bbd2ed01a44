"""The end of a process is seen by those who wait for it, by the kernel's word: long before any health check."""

import os
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import raysim as ray
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy

SEEN_SECONDS = 1.0
"""Ten times what is promised: machines that run tests have other things to do."""


@ray.remote
class Actor:
    def pid(self) -> int:
        return os.getpid()

    def wait(self) -> None:
        signal.pause()


@ray.remote(max_retries=0)
def wait() -> None:
    signal.pause()


def seen_after(ref: Any, pid: int, error: type[Exception]) -> float:
    """Seconds from the SIGKILL of a process to the error of what waits for it."""
    begun = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(error):
        ray.get(ref, timeout=60)
    return time.monotonic() - begun


def test_the_end_of_a_worker_and_of_a_node_is_seen_at_once(start: Callable[..., Any]) -> None:
    """On the own node and on another one: where both are on one machine, the kernel says so to both."""
    context = start(nodes=2, num_cpus=1)
    nodes = context.address_info["node_ids"].split(",")
    raylet = int(context.address_info["node_pids"].split(",")[1])
    for node, whose in [(nodes[0], "worker"), (nodes[1], "worker"), (nodes[1], "node")]:
        there = NodeAffinitySchedulingStrategy(node, soft=False)
        actor = Actor.options(scheduling_strategy=there).remote()
        pid = ray.get(actor.pid.remote())
        took = seen_after(
            actor.wait.remote(),
            pid if whose == "worker" else raylet,
            ray.exceptions.ActorDiedError,
        )
        assert took < SEEN_SECONDS


def test_the_end_of_the_head_is_seen_at_once(start: Callable[..., Any]) -> None:
    context = start(nodes=2, num_cpus=1)
    pid = int(context.address_info["node_pids"].split(",")[0])
    took = seen_after(wait.remote(), pid, ray.exceptions.LocalRayletDiedError)
    assert took < SEEN_SECONDS

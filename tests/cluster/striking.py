"""Faults on real clusters, for tests: how they strike, small programs that they strike, and who stands still."""

import os
import time
from pathlib import Path
from typing import Any

import raysim as ray
from raysim.api.session import current_world
from raysim.faults import parse_fault
from raysim.journal import FaultInjected, Journal, TaskEnded
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from tests.cluster.inspection import processes_of

FOREVER = "lasting=1h"
GO_ON = "go-on"


@ray.remote(max_retries=-1)
def work(seconds: float, value: Any) -> Any:
    time.sleep(seconds)
    return value


@ray.remote(max_retries=-1)
def hold(folder: str, name: str) -> str:
    """Runs until it may end."""
    Path(folder, name).touch()
    while not Path(folder, GO_ON).exists():
        time.sleep(0.01)
    return name


@ray.remote
def whose(number: int) -> tuple[int, int]:
    time.sleep(0.2)
    return number, os.getpid()


@ray.remote
class Keeper:
    def __init__(self) -> None:
        self.calls = 0

    def call(self) -> tuple[int, int]:
        self.calls += 1
        return self.calls, os.getpid()


def standing_still() -> list[int]:
    """Processes of the cluster that is there, if any."""
    world = current_world()
    there = [] if world is None else processes_of(world.address_info()["session_id"])
    return [pid for pid in there if state(pid) == "T"]


def state(pid: int) -> str:
    """As `ps` shows it: T is stopped. Empty for one that is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""


def is_gone(pid: int) -> bool:
    return state(pid) in ("", "Z")


def strike(text: str) -> str:
    target: str = current_world().strike(parse_fault(text))
    return target


def on(node: int) -> Any:
    node_id = current_world().address_info()["node_ids"].split(",")[node]
    return NodeAffinitySchedulingStrategy(node_id, soft=False)


def struck(journal: Journal) -> list[tuple[str, str]]:
    return [(note.kind, note.target) for note in journal.notes(FaultInjected)]


def retried(journal: Journal) -> list[str]:
    """Why."""
    return [note.reason for note in journal.notes(TaskEnded) if note.status == "retried"]

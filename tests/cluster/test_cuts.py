"""Connections between nodes are cut again and again: no answer is lost, and what may run once runs once."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import raysim as ray
from raysim.api.session import current_world
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy
from raysim_cluster.line import Line

CUTS = 20


@ray.remote(max_retries=0)
def once(number: int, folder: str) -> int:
    """Leaves a line each time that it runs."""
    with Path(folder, "once").open("a") as file:
        file.write(f"{number}\n")
    return number


@ray.remote(max_retries=0)
def first(data: bytes) -> int:
    return data[0]


@ray.remote
class Counter:
    def __init__(self) -> None:
        self._count = 0

    def count(self) -> int:
        self._count += 1
        return self._count


def cut_all(host: Any) -> int:
    """Every connection of this process to another node; how many there are."""
    with host.lock:
        lines = [
            line
            for peer in host.transport._peers.values()
            for line in peer.links
            if isinstance(line, Line)
        ]
        for line in lines:
            for link in line.links():
                with suppress(OSError):  # It is not connected yet.
                    link.sock.shutdown(socket.SHUT_RDWR)
    return len(lines)


def test_nothing_is_lost_and_nothing_runs_twice_when_connections_are_cut(
    start: Callable[..., Any], tmp_path: Path
) -> None:
    context = start(nodes=2, num_cpus=2)
    node = context.address_info["node_ids"].split(",")[1]
    there = {"scheduling_strategy": NodeAffinitySchedulingStrategy(node, soft=False)}
    world: Any = current_world()
    counter = Counter.options(**there).remote()
    assert ray.get(counter.count.remote()) == 1
    stop = threading.Event()
    cuts: list[int] = []

    def cut() -> None:
        # Often enough to hit everything, and seldom enough for some of it to get through in between.
        while not stop.wait(0.03) and len(cuts) < 4 * CUTS:
            cuts.append(cut_all(world._host))

    cutter = threading.Thread(target=cut)
    cutter.start()
    try:
        number = 0
        while len(cuts) < CUTS and cutter.is_alive():
            calls = [once.options(**there).remote(number + i, str(tmp_path)) for i in range(20)]
            parts = [first.options(**there).remote(bytes([i]) * 300_000) for i in range(2)]
            counts = [counter.count.remote() for _ in range(3)]
            assert ray.get(calls, timeout=60) == [number + i for i in range(20)]
            assert ray.get(parts, timeout=60) == [0, 1]
            assert ray.get(counts, timeout=60) == [2 + 3 * number // 20 + i for i in range(3)]
            number += 20
    finally:
        stop.set()
        cutter.join()
    assert any(cuts)
    ran = (tmp_path / "once").read_text().split()
    assert ran == sorted(set(ran), key=ran.index)
    assert len(ran) == number

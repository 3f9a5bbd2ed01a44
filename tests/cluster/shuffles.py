"""A shuffle through a store that holds a part of it, with the exact sum at the end: `make shuffles`.

Three times: undisturbed, with a worker killed every 2 s, and over three nodes of which one is killed.
"""

import argparse
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import raysim as ray
from raysim.cluster_utils import Cluster

GIB = 2**30
NUMBER_BYTES = 8

RUNS = ("undisturbed", "workers", "node")


@ray.remote(max_retries=-1)
def partition(number: int, count: int, parts: int) -> list[Any]:
    """Numbers that are known, in so many parts by their remainder."""
    first = number * count
    numbers = np.arange(first, first + count, dtype=np.int64)
    return [numbers[(part - first) % parts :: parts].copy() for part in range(parts)]


@ray.remote(max_retries=-1)
def total(*pieces: Any) -> tuple[int, int]:
    """How many numbers, and their sum, beyond what 64 bits hold."""
    return sum(len(piece) for piece in pieces), sum(int(piece.sum()) for piece in pieces)


def shuffle(maps: int, parts: int, count: int) -> None:
    """`count` numbers of 8 bytes from each of so many maps. Raises AssertionError where a number is lost or twice."""
    split = partition.options(num_returns=parts)
    pieces = [split.remote(number, count, parts) for number in range(maps)]
    refs = [total.remote(*column) for column in zip(*pieces, strict=True)]
    del pieces
    sums = ray.get(refs)
    numbers = maps * count
    assert sum(found for found, _ in sums) == numbers
    assert sum(found for _, found in sums) == numbers * (numbers - 1) // 2


@contextmanager
def workers_killed(node: int, every_s: float) -> Iterator[list[int]]:
    """Meanwhile one of the node's workers after the other ends. The list: which did so far."""
    stop = threading.Event()
    killed: list[int] = []

    def kill() -> None:
        rng = random.Random(1)
        while not stop.wait(every_s):
            workers = [one for fork in children(node) for one in children(fork)]
            if workers:
                victim = rng.choice(workers)
                try:
                    os.kill(victim, signal.SIGKILL)
                except ProcessLookupError:
                    continue
                killed.append(victim)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        stop.set()
        killer.join()


def children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


class Sizes:
    """Of one shuffle, in whole maps."""

    def __init__(self, data_gib: float, store_gib: float, maps: int, parts: int) -> None:
        self.store = round(store_gib * GIB)
        self.maps = maps
        self.parts = parts
        self.count = round(data_gib * GIB) // NUMBER_BYTES // maps

    def run(self) -> None:
        shuffle(self.maps, self.parts, self.count)


def undisturbed(sizes: Sizes) -> str:
    with ray.init(num_cpus=2, object_store_memory=sizes.store):
        sizes.run()
    return ""


def with_workers_killed(sizes: Sizes) -> str:
    with (
        ray.init(num_cpus=2, object_store_memory=sizes.store) as context,
        workers_killed(int(context.address_info["node_pids"]), every_s=2) as killed,
    ):
        sizes.run()
    return f", {len(killed)} workers killed"


def with_a_node_killed(sizes: Sizes) -> str:
    head = {"num_cpus": 1, "object_store_memory": sizes.store}
    cluster = Cluster(initialize_head=True, connect=True, head_node_args=head, backend="cluster")
    try:
        nodes = [cluster.add_node(num_cpus=1, object_store_memory=sizes.store) for _ in range(2)]
        lost = threading.Timer(10, cluster.remove_node, (nodes[0],), {"allow_graceful": False})
        lost.start()
        sizes.run()
        lost.join()
    finally:
        ray.shutdown()
        cluster.shutdown()
    return ", a node of three killed after 10 s"


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make shuffles", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help=f"of: {', '.join(RUNS)}")
    parser.add_argument("--data", type=float, default=8, metavar="GIB")
    parser.add_argument("--store", type=float, default=2, metavar="GIB", help="of each node")
    parser.add_argument("--maps", type=int, default=128)
    parser.add_argument("--parts", type=int, default=32)
    asked = parser.parse_args(arguments)
    unknown = set(asked.runs) - set(RUNS)
    if unknown:
        parser.error(f"there is no {unknown.pop()!r}: choose of {', '.join(RUNS)}")
    sizes = Sizes(asked.data, asked.store, asked.maps, asked.parts)
    ways = dict(zip(RUNS, (undisturbed, with_workers_killed, with_a_node_killed), strict=True))
    for name in asked.runs or RUNS:
        begun = time.monotonic()
        more = ways[name](sizes)
        took = time.monotonic() - begun
        print(
            f"{name}: {asked.data:g} GiB through {asked.store:g} GiB, sums exact, {took:.0f} s{more}",
            flush=True,
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

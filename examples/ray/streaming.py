"""Streaming generators with back-pressure: results of a task that are used while it is still running.

A remote function that yields gives an iterator over references, one for each value. Without a limit it
runs ahead of its consumer as far as it can; with `_generator_backpressure_num_objects` it waits for the
consumer, so that a long stream of large blocks needs the memory of a few. Streams can be chained.
"""

import numpy as np
import ray

BLOCKS = 12
AHEAD = 2


@ray.remote(num_cpus=0)
class Meter:
    """Counts how far the producer is ahead of the consumer."""

    def __init__(self):
        self.made = self.taken = self.most_ahead = 0

    def make(self):
        self.made += 1
        self.most_ahead = max(self.most_ahead, self.made - self.taken)

    def take(self):
        self.taken += 1

    def ahead(self):
        return self.most_ahead


@ray.remote(_generator_backpressure_num_objects=AHEAD)
def read_blocks(meter):
    for number in range(BLOCKS):
        ray.get(meter.make.remote())
        yield np.full(100_000, number, dtype=np.int32)


@ray.remote
def running_totals(blocks):
    """Takes a list of references, and gives its own results as it goes."""
    total = 0
    for block in blocks:
        total += int(ray.get(block)[0])
        yield total


def main():
    ray.init(num_cpus=4)
    meter = Meter.remote()
    blocks = []
    for block in read_blocks.remote(meter):
        blocks.append(block)
        ray.get(meter.take.remote())
    ahead = ray.get(meter.ahead.remote())
    print(f"{len(blocks)} blocks, never more than {AHEAD + 1} made ahead: {ahead <= AHEAD + 1}")

    totals = [ray.get(total) for total in running_totals.remote(blocks)]
    print(f"running totals: {totals}")

    first, *_ = (ray.get(total) for total in running_totals.remote(blocks[5:]))
    print(f"a second reader of the same blocks begins with {first}")


if __name__ == "__main__":
    main()

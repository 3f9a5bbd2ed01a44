"""Ray Core in one page: tasks, a large object, nested tasks, an actor, an error. Prints the same everywhere."""

import random

import numpy as np

import raysim as ray


@ray.remote
def simulate(seed, samples):
    """Points of a square that fall into the circle inside it."""
    draw = random.Random(seed).random
    return sum(draw() ** 2 + draw() ** 2 <= 1 for _ in range(samples))


@ray.remote
def add(a, b):
    """References among the arguments arrive as values."""
    return a + b


@ray.remote
def tree_sum(refs):
    """A task that submits tasks: adds pairs until one value is left."""
    while len(refs) > 1:
        pairs = [add.remote(a, b) for a, b in zip(refs[::2], refs[1::2], strict=False)]
        refs = pairs + refs[len(pairs) * 2 :]
    return ray.get(refs[0])


@ray.remote
def row_norms(matrix, begin, end):
    """The matrix is not copied: every task of a node reads the same shared memory."""
    return [float(np.linalg.norm(row)) for row in matrix[begin:end]]


@ray.remote(num_returns=2)
def smallest_and_largest(*blocks):
    values = [value for block in blocks for value in block]
    return min(values), max(values)


@ray.remote
class Counter:
    """State that lives in a process of its own; calls run one after another."""

    def __init__(self, start):
        self.total = start

    def add(self, amount):
        self.total += amount
        return self.total

    def add_all(self, refs):
        return self.add(sum(ray.get(refs)))


@ray.remote
def count_up(counter, times):
    """An actor's handle is an argument like any other."""
    return ray.get([counter.add.remote(1) for _ in range(times)])[-1]


@ray.remote(max_retries=0)
def fail(reason):
    raise ValueError(reason)


def main():
    ray.init(num_cpus=4)

    # Tasks run in parallel; what depends on them waits by itself.
    samples = 20_000
    inside = [simulate.remote(seed, samples) for seed in range(8)]
    total = ray.get(tree_sum.remote(inside))
    print(f"pi is about {4 * total / (8 * samples):.4f}")

    # A large object is stored once and read where it lies.
    matrix = ray.put(np.arange(1_000_000, dtype=np.float64).reshape(1000, 1000))
    blocks = [row_norms.remote(matrix, begin, begin + 250) for begin in range(0, 1000, 250)]
    smallest, largest = ray.get(list(smallest_and_largest.remote(*blocks)))
    print(f"row norms go from {smallest:.1f} to {largest:.1f}")

    # Whatever is ready first can be used first.
    waiting, seen = [add.remote(i, 100) for i in range(10)], 0
    while waiting:
        ready, waiting = ray.wait(waiting)
        seen += ray.get(ready[0])
    print(f"in order of arrival, the sum is {seen}")

    # An actor keeps state; its handle can be given away.
    counter = Counter.options(name="counter").remote(1000)
    ray.get(counter.add_all.remote(inside))
    print(f"the counter stands at {ray.get(count_up.remote(counter, 50))}")
    print(f"and, asked by name, at {ray.get(ray.get_actor('counter').add.remote(0))}")

    # An exception comes back as itself.
    try:
        ray.get(add.remote(fail.remote("no such luck"), 1))
    except ValueError as error:
        print(f"caught: {error.args[0]}")

    ray.shutdown()


if __name__ == "__main__":
    main()

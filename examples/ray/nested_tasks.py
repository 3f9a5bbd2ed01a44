"""Nested tasks: a parallel quicksort, in which every task starts the tasks that it needs.

How many there will be nobody knows at the beginning. A task that waits in `ray.get` gives back its CPU
meanwhile, so that a tree of tasks deeper than the machine has CPUs still ends.
"""

import random

import ray

SMALL = 2_000


def partition(numbers):
    pivot = sorted(numbers[:: len(numbers) // 5 + 1])[2]
    smaller = [number for number in numbers if number < pivot]
    equal = [number for number in numbers if number == pivot]
    larger = [number for number in numbers if number > pivot]
    return smaller, equal, larger


@ray.remote
def quicksort(numbers, depth=1):
    """The sorted numbers, how many tasks it took, and how many of them waited for each other."""
    if len(numbers) <= SMALL:
        return sorted(numbers), 1, depth
    smaller, equal, larger = partition(numbers)
    parts = [quicksort.remote(smaller, depth + 1), quicksort.remote(larger, depth + 1)]
    (left, tasks_left, depth_left), (right, tasks_right, depth_right) = ray.get(parts)
    return left + equal + right, 1 + tasks_left + tasks_right, max(depth_left, depth_right)


def main():
    ray.init(num_cpus=2)
    numbers = random.Random(7).sample(range(1_000_000), 20_000)
    in_order, tasks, depth = ray.get(quicksort.remote(numbers))
    print(f"{len(in_order)} numbers, sorted: {in_order == sorted(numbers)}")
    print(f"{tasks} tasks, {depth} levels deep, on 2 CPUs")


if __name__ == "__main__":
    main()

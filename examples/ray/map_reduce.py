"""Map-reduce: count the words of a text.

Each map task returns one object for every reducer (`num_returns`), and each reduce task takes its object
of every mapper. Those go from task to task, through the object stores; the driver sees references until the
counts are there. Which reducer counts a word must be the same in every process, and Python's own `hash` of
text is not: hence the checksum.
"""

import zlib
from collections import Counter

import ray

TEXT = """
A task is a function that runs somewhere else. An actor is an object that lives somewhere else.
What a task returns is an object too, and a reference to the object is there before the object is.
A task that takes the reference waits for the object, so tasks and objects form a graph.
Nobody has to draw the graph: it grows while the program runs, and where a part of the graph is lost,
the tasks that made the part run again.
"""
REDUCERS = 3


@ray.remote(num_returns=REDUCERS)
def count_words(line):
    """One Counter for every reducer."""
    parts = [Counter() for _ in range(REDUCERS)]
    for word in line.split():
        word = word.strip(".,:").lower()
        parts[zlib.crc32(word.encode()) % REDUCERS][word] += 1
    return parts


@ray.remote
def add_up(*counters):
    return sum(counters, Counter())


def main():
    ray.init(num_cpus=4)
    mapped = [count_words.remote(line) for line in TEXT.strip().splitlines()]
    reduced = [add_up.remote(*parts) for parts in zip(*mapped, strict=True)]

    counts = sum(ray.get(reduced), Counter())
    print(f"{counts.total()} words, {len(counts)} different ones")
    for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:5]:
        print(f"{count:3} {word}")


if __name__ == "__main__":
    main()

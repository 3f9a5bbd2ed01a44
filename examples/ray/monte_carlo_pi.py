"""Monte Carlo: estimate pi from random points, and watch the progress of tasks that are still running.

Tasks give their result only at their end. To see how far they are, each reports to an actor, whose
handle it got as an argument; the driver asks the same actor.
"""

import random
import time

import ray

TASKS = 8
SAMPLES = 100_000
REPORTS = 10


@ray.remote(num_cpus=0)
class Progress:
    def __init__(self, total):
        self.total = total
        self.done = {}

    def report(self, task, samples):
        self.done[task] = samples

    def share(self):
        return sum(self.done.values()) / self.total


@ray.remote
def sample(task, progress):
    """How many points of a square fall into the circle inside it."""
    draw = random.Random(task).random
    inside = 0
    for part in range(1, REPORTS + 1):
        for _ in range(SAMPLES // REPORTS):
            inside += draw() ** 2 + draw() ** 2 <= 1
        progress.report.remote(task, part * SAMPLES // REPORTS)
    return inside


def main():
    ray.init(num_cpus=4)
    progress = Progress.remote(TASKS * SAMPLES)
    counts = [sample.remote(task, progress) for task in range(TASKS)]

    seen = [0.0]
    while seen[-1] < 1:
        seen.append(ray.get(progress.share.remote()))
        time.sleep(0.05)
    print(
        f"progress went from {seen[0]:.0%} to {seen[-1]:.0%} and never back: {seen == sorted(seen)}"
    )

    inside = sum(ray.get(counts))
    print(f"{inside} of {TASKS * SAMPLES} points: pi is about {4 * inside / (TASKS * SAMPLES):.4f}")


if __name__ == "__main__":
    main()

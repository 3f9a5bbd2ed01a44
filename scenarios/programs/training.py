"""Data-parallel training: 600 steps on four workers, a checkpoint every 60, and a new start from there after a loss."""

import random
import time

import raysim as ray
from raysim.exceptions import RayError

STEPS = 600
EVERY = 60
WORKERS = 4
SLOW = 0.02
"""Share of the steps of a worker that take three times as long. All four wait for the slowest."""


@ray.remote(num_cpus=2)
class Trainer:
    def step(self, number):
        time.sleep(3 if random.random() < SLOW else 1)
        return number


@ray.remote(num_cpus=0)
class Checkpoints:
    def __init__(self):
        self.last = 0

    def save(self, step):
        self.last = step

    def load(self):
        return self.last


def train(checkpoints):
    """From the last checkpoint on. The steps that it made; raises RayError when a worker is lost."""
    workers = [Trainer.options(scheduling_strategy="SPREAD").remote() for _ in range(WORKERS)]
    made = 0
    for step in range(ray.get(checkpoints.load.remote()), STEPS):
        try:
            ray.get([worker.step.remote(step) for worker in workers])
        except RayError:
            return made, False
        made += 1
        if (step + 1) % EVERY == 0:
            ray.get(checkpoints.save.remote(step + 1))
    return made, True


def main():
    ray.init()
    checkpoints = Checkpoints.remote()
    begun = time.monotonic()
    made, starts, finished = 0, 0, False
    while not finished:
        steps, finished = train(checkpoints)
        made += steps
        starts += 1
    again = made - STEPS
    assert 0 <= again <= (starts - 1) * EVERY
    print(
        f"{STEPS} steps in {time.monotonic() - begun:.0f} s, {starts} starts, {again} steps made again"
    )


if __name__ == "__main__":
    main()

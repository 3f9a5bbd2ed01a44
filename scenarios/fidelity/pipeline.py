"""A pipeline of actors: each item goes through all stages, and each stage works at one item at a time."""

import time

import ray

STAGES_S = (0.002, 0.005, 0.003, 0.001)
ITEMS = 200


@ray.remote
class Stage:
    def __init__(self, seconds):
        self.seconds = seconds

    def work(self, item):
        time.sleep(self.seconds)
        return item + 1


def main():
    ray.init()
    stages = [Stage.remote(seconds) for seconds in STAGES_S]
    results = []
    for item in range(ITEMS):
        value = item
        for stage in stages:
            value = stage.work.remote(value)
        results.append(value)
    assert ray.get(results) == [item + len(STAGES_S) for item in range(ITEMS)]


if __name__ == "__main__":
    main()
